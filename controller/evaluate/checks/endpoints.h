// Where the daemon takes API calls, and whether TLS guards it (rules.md 2.06). Shared by the rules
// on endpoints, sockets and certificates. Pure; borrows from the facts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/evaluate/check.h"
#include "controller/evaluate/checks/effective_settings.h"

namespace plimsoll::evaluate {

// One address the daemon listens on.
struct Endpoint {
  enum class Kind { kUnix, kTcp, kOther };
  Kind kind = Kind::kUnix;
  // kUnix: the path as written. kTcp: "host:port", IPv6 in brackets. kOther: as written.
  std::string address = {};
  // kTcp only.
  bool loopback = false;
  // The socket of the installation: /run/docker.sock in either spelling, or under rootless the
  // one the collector spoke to.
  bool is_default_socket = false;
  // Where it was learnt from: "default", "command line --host", "docker.socket ListenStream".
  std::string source = {};

  // "unix:///run/docker.sock", "tcp://127.0.0.1:2376".
  std::string Url() const;
};

// TLS on the daemon's TCP endpoints.
struct TlsState {
  // `tls`, `tlsverify` as far as they are known; see known().
  Setting<bool> tls;
  Setting<bool> tlsverify;
  // TLS is on: `tls` is true, or `tlsverify` is given with any value.
  bool on = false;
  // Clients must show a certificate. Absent: depends on the engine's version, which is not known.
  std::optional<bool> verifies_clients;
  // A path of a certificate or key is configured, whether TLS is on or not.
  bool has_explicit_path = false;

  bool known() const { return tls.known() && tlsverify.known(); }
  bool drifted() const { return tls.drifted || tlsverify.drifted; }
};

// Every endpoint, as far as it can be told.
struct Endpoints {
  std::vector<Endpoint> list;
  // How `hosts` was found; when not known, `list` is empty.
  Setting<const v1::StringList*> hosts;
  TlsState tls;
  // `fd://` stands for sockets that neither the unit nor the listeners tell. Null: nothing is open.
  const v1::SourceOutcome* fd_unread = nullptr;
  Source fd_source = Source::kListeners;

  // Some endpoint is on TCP, or would be if TLS were on: only then does TLS matter.
  bool rests_on_tls = false;

  bool known() const {
    return hosts.known() && (tls.known() || !rests_on_tls) && fd_unread == nullptr;
  }
  bool drifted() const { return hosts.drifted || (rests_on_tls && tls.drifted()); }
  bool HasTcp() const;
};

TlsState FindTls(const Context& context);
Endpoints FindEndpoints(const Context& context);

// The rule is UNKNOWN when the endpoints are not all known: says so and returns true.
bool UnknownUnlessKnown(const Endpoints& endpoints, Judge& judge);

// The engine is rootless by its own word. False when /info was not read.
bool EngineSaysRootless(const Context& context);

// Listeners of the daemon that no endpoint, swarm, metrics or diagnostic setting and no published
// port explains, as "address:port". Empty when the listeners were not read.
std::vector<std::string> UnexplainedListeners(const Context& context, const Endpoints& endpoints);

}  // namespace plimsoll::evaluate
