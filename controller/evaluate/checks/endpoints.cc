#include "controller/evaluate/checks/endpoints.h"

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "controller/evaluate/checks/version_number.h"

namespace plimsoll::evaluate {
namespace {

using v1::SourceOutcome;
using Kind = Endpoint::Kind;

constexpr char kDefaultSocket[] = "/var/run/docker.sock";
constexpr int kPlainPort = 2375;
constexpr int kTlsPort = 2376;
constexpr int kSwarmPorts[] = {2377, 7946};

bool IsLoopback(absl::string_view host) {
  return host == "localhost" || absl::StartsWith(host, "127.") || host == "[::1]" || host == "::1";
}

// Splits "host:port", "[v6]:port", "host", ":port"; either part may come out empty.
std::pair<absl::string_view, absl::string_view> SplitAddress(absl::string_view text) {
  const size_t bracket = text.rfind(']');
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || (bracket != absl::string_view::npos && colon < bracket)) {
    return {text, {}};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

absl::string_view PortOf(absl::string_view address) { return SplitAddress(address).second; }

// The engine's own reading: no host is localhost, no port is 2375, or 2376 with TLS.
Endpoint TcpEndpoint(absl::string_view text, bool tls_on, absl::string_view source) {
  text = text.substr(0, text.find('/'));
  auto [host, port] = SplitAddress(text);
  if (host.empty()) host = "localhost";
  Endpoint endpoint{.kind = Kind::kTcp, .loopback = IsLoopback(host)};
  endpoint.address = absl::StrCat(
      host, ":", port.empty() ? std::to_string(tls_on ? kTlsPort : kPlainPort) : std::string(port));
  endpoint.source = std::string(source);
  return endpoint;
}

Endpoint UnixEndpoint(const Context& context, absl::string_view path, absl::string_view source) {
  if (path.empty()) {
    path = EngineSaysRootless(context) ? absl::string_view(context.facts.engine().socket_path())
                                       : kDefaultSocket;
  }
  Endpoint endpoint{.kind = Kind::kUnix, .address = std::string(path)};
  endpoint.is_default_socket = path == kDefaultSocket || path == "/run/docker.sock" ||
                               (EngineSaysRootless(context) &&
                                path == absl::string_view(context.facts.engine().socket_path()));
  endpoint.source = std::string(source);
  return endpoint;
}

// One ListenStream of a socket unit: "/path", "2375", "0.0.0.0:2375", "vsock:...".
Endpoint UnitEndpoint(const Context& context, absl::string_view address) {
  constexpr absl::string_view kSource = "docker.socket ListenStream";
  if (absl::StartsWith(address, "/")) return UnixEndpoint(context, address, kSource);
  uint32_t port = 0;
  if (absl::SimpleAtoi(address, &port)) {
    // A bare port listens on every address.
    return TcpEndpoint(absl::StrCat("[::]:", port), false, kSource);
  }
  if (absl::StartsWith(address, "@") || absl::StartsWith(address, "vsock:")) {
    return Endpoint{
        .kind = Kind::kOther, .address = std::string(address), .source = std::string(kSource)};
  }
  return TcpEndpoint(address, false, kSource);
}

std::string ListenerAddress(const v1::Listener& listener) {
  return listener.family() == v1::Listener::IPV6
             ? absl::StrCat("[", listener.address(), "]:", listener.port())
             : absl::StrCat(listener.address(), ":", listener.port());
}

// What `fd://` stands for: the unit's sockets, else what the process holds.
void AddActivated(const Context& context, Endpoints& endpoints) {
  const v1::Unit* unit = context.index.Unit("docker.socket");
  const SourceOutcome& units = OutcomeOf(context.facts, Source::kUnits);
  const bool unit_read = units.state() == SourceOutcome::OK && unit != nullptr &&
                         unit->outcome().state() == SourceOutcome::OK;
  if (unit_read && unit->load_state() == v1::Unit::LOADED && unit->listen_size() > 0) {
    for (const v1::Unit::Listen& listen : unit->listen()) {
      if (listen.kind() != "Stream" && listen.kind() != "SequentialPacket") continue;
      endpoints.list.push_back(UnitEndpoint(context, listen.address()));
    }
    return;
  }
  const SourceOutcome& listeners = OutcomeOf(context.facts, Source::kListeners);
  if (listeners.state() != SourceOutcome::OK) {
    endpoints.fd_unread = &listeners;
    return;
  }
  endpoints.list.push_back(
      UnixEndpoint(context, context.facts.engine().socket_path(), "socket activation"));
  const std::vector<std::string> addresses = UnexplainedListeners(context, endpoints);
  const SourceOutcome& containers = OutcomeOf(context.facts, Source::kContainers);
  if (!addresses.empty() && containers.state() != SourceOutcome::OK) {
    // They may be published ports.
    endpoints.fd_unread = &containers;
    endpoints.fd_source = Source::kContainers;
    return;
  }
  for (const std::string& address : addresses) {
    endpoints.list.push_back(TcpEndpoint(address, false, "listening socket"));
  }
}

void AddHost(const Context& context, absl::string_view host, absl::string_view source,
             Endpoints& endpoints) {
  const bool tls_on = endpoints.tls.on;
  endpoints.rests_on_tls |= host.empty();
  if (absl::ConsumePrefix(&host, "unix://")) {
    endpoints.list.push_back(UnixEndpoint(context, host, source));
  } else if (absl::StartsWith(host, "fd://")) {
    AddActivated(context, endpoints);
  } else if (absl::ConsumePrefix(&host, "tcp://")) {
    endpoints.list.push_back(TcpEndpoint(host, tls_on, source));
  } else if (absl::StrContains(host, "://")) {
    endpoints.list.push_back(Endpoint{
        .kind = Kind::kOther, .address = std::string(host), .source = std::string(source)});
  } else if (host.empty() && !tls_on) {
    endpoints.list.push_back(UnixEndpoint(context, {}, source));
  } else {
    endpoints.list.push_back(TcpEndpoint(host, tls_on, source));
  }
}

}  // namespace

std::string Endpoint::Url() const {
  switch (kind) {
    case Kind::kUnix:
      return absl::StrCat("unix://", address);
    case Kind::kTcp:
      return absl::StrCat("tcp://", address);
    case Kind::kOther:
      break;
  }
  return address;
}

bool Endpoints::HasTcp() const {
  for (const Endpoint& endpoint : list) {
    if (endpoint.kind == Kind::kTcp) return true;
  }
  return false;
}

TlsState FindTls(const Context& context) {
  TlsState tls;
  tls.tls = Configured(context, setting::kTls, false);
  tls.tlsverify = Configured(context, setting::kTlsVerify, false);
  const bool verify_given = tls.tlsverify.origin != Origin::kDefault;
  tls.on = (tls.tls.known() && tls.tls.value) || (tls.tlsverify.known() && verify_given);
  const v1::DaemonFacts& daemon = context.facts.daemon();
  if (!tls.on) {
    tls.verifies_clients = false;
  } else if (verify_given) {
    tls.verifies_clients = tls.tlsverify.value;
  } else if (daemon.environment().docker_tls_verify_set()) {
    tls.verifies_clients = true;
  } else {
    // --tls alone: clients are verified since 20.10.
    tls.verifies_clients = VersionAtLeast(context.facts.engine().version(), 20, 10);
  }
  for (const auto& key : {setting::kTlsCaCert, setting::kTlsCert, setting::kTlsKey}) {
    const auto path = Configured(context, key, "");
    tls.has_explicit_path |= path.known() && !path.value.empty();
  }
  return tls;
}

Endpoints FindEndpoints(const Context& context) {
  Endpoints endpoints;
  endpoints.hosts = Configured(context, setting::kHosts, nullptr);
  endpoints.tls = FindTls(context);
  if (!endpoints.hosts.known()) return endpoints;
  const std::string source = SourceText(endpoints.hosts);
  if (endpoints.hosts.value == nullptr || endpoints.hosts.value->values().empty()) {
    AddHost(context, "", source, endpoints);
  } else {
    for (const std::string& host : endpoints.hosts.value->values()) {
      AddHost(context, absl::StripAsciiWhitespace(host), source, endpoints);
    }
  }
  endpoints.rests_on_tls |= endpoints.HasTcp();
  return endpoints;
}

bool UnknownUnlessKnown(const Endpoints& endpoints, Judge& judge) {
  if (UnknownUnlessKnown(endpoints.hosts, judge)) return true;
  if (endpoints.rests_on_tls && (UnknownUnlessKnown(endpoints.tls.tls, judge) ||
                                 UnknownUnlessKnown(endpoints.tls.tlsverify, judge))) {
    return true;
  }
  return endpoints.fd_unread != nullptr &&
         judge.UnknownFrom(endpoints.fd_source, *endpoints.fd_unread);
}

bool EngineSaysRootless(const Context& context) {
  return OutcomeOf(context.facts, Source::kEngineInfo).state() == SourceOutcome::OK &&
         context.index.SecurityOption("rootless") != nullptr;
}

std::vector<std::string> UnexplainedListeners(const Context& context, const Endpoints& endpoints) {
  const v1::HostFacts& facts = context.facts;
  if (facts.listeners().outcome().state() != SourceOutcome::OK) return {};
  absl::flat_hash_set<uint32_t> explained;
  const auto explain = [&explained](absl::string_view address) {
    uint32_t port = 0;
    if (absl::SimpleAtoi(PortOf(address), &port)) explained.insert(port);
  };
  for (const Endpoint& endpoint : endpoints.list) {
    if (endpoint.kind == Kind::kTcp) explain(endpoint.address);
  }
  const auto metrics = Configured(context, setting::kMetricsAddr, "");
  if (metrics.known()) explain(metrics.value);
  const auto diagnostic = Configured(context, setting::kNetworkDiagnosticPort, 0);
  if (diagnostic.known()) explained.insert(static_cast<uint32_t>(diagnostic.value));
  const v1::SwarmFacts& swarm = facts.swarm();
  if (swarm.local_node_state() != v1::SwarmFacts::INACTIVE) {
    explained.insert(std::begin(kSwarmPorts), std::end(kSwarmPorts));
  }
  explain(swarm.listen_address());
  for (const v1::Service& service : swarm.services()) {
    for (const auto& port : service.ports()) explained.insert(port.published_port());
  }
  for (const v1::Container& container : facts.containers().containers()) {
    for (const auto& port : container.ports()) explained.insert(port.host_port());
  }
  std::vector<std::string> unexplained;
  for (const v1::Listener& listener : facts.listeners().listeners()) {
    if (!explained.contains(listener.port())) unexplained.push_back(ListenerAddress(listener));
  }
  return unexplained;
}

}  // namespace plimsoll::evaluate
