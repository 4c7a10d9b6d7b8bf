// The swarm (rules.md 7.03, 7.06).
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/families.h"

namespace plimsoll::evaluate {
namespace {

using v1::SourceOutcome;
using v1::SwarmFacts;
using v1::Verdict;

constexpr uint32_t kManagerPort = 2377;
constexpr uint32_t kGossipPort = 7946;
constexpr char kNamed[] = "a specific address or interface";
constexpr ObjectRef kSwarmObject{.name = "swarm", .id = ""};

// "0.0.0.0:2377", "[::]:2377", "eth0", "[fe80::1]:2377" in host and port; port 0: none given.
struct Address {
  std::string host;
  uint32_t port = 0;
};

Address Split(absl::string_view text) {
  Address address;
  absl::string_view host = text;
  const size_t bracket = text.rfind(']');
  const size_t colon = text.rfind(':');
  const bool bare_ipv6 = bracket == absl::string_view::npos && text.find(':') != colon;
  const bool has_port = colon != absl::string_view::npos && !bare_ipv6 &&
                        (bracket == absl::string_view::npos || colon > bracket);
  if (has_port) {
    host = text.substr(0, colon);
    if (!absl::SimpleAtoi(text.substr(colon + 1), &address.port)) address.port = 0;
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  address.host = std::string(host);
  return address;
}

bool IsWildcard(absl::string_view host) {
  return host.empty() || host == "*" || host == "0.0.0.0" || host == "::" ||
         host == "::ffff:0.0.0.0";
}

// What the socket table says of one port.
enum class Bound { kNotListening, kWildcard, kSpecific };

Bound BoundTo(const v1::ListenersFacts& listeners, uint32_t port) {
  Bound bound = Bound::kNotListening;
  for (const v1::Listener& listener : listeners.listeners()) {
    if (listener.port() != port) continue;
    if (IsWildcard(listener.address())) return Bound::kWildcard;
    bound = Bound::kSpecific;
  }
  return bound;
}

void JudgeListenAddress(const Context& context, const v1::Check& check, Judge& judge) {
  static constexpr char kFile[] = "docker-state.json ListenAddr";
  static constexpr char kSockets[] = "/proc/<dockerd>/net/tcp";
  const SwarmFacts& swarm = context.facts.swarm();
  if (swarm.local_node_state() == SwarmFacts::INACTIVE) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kSwarmInactive, "this engine is in no swarm");
    return;
  }
  if (swarm.local_node_state() == SwarmFacts::NODE_STATE_UNSPECIFIED) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError, "the engine did not say its swarm state");
    return;
  }
  const bool has_file =
      swarm.state_file_outcome().state() == SourceOutcome::OK && !swarm.listen_address().empty();
  const Address configured = has_file ? Split(swarm.listen_address()) : Address{};
  if (has_file && IsWildcard(configured.host)) {
    judge.Fail(kSwarmObject, {.observed = absl::StrCat("listens on ", swarm.listen_address()),
                              .expected = kNamed,
                              .source = kFile});
    return;
  }
  const v1::ListenersFacts& listeners = context.facts.listeners();
  const bool has_sockets = listeners.outcome().state() == SourceOutcome::OK;
  const bool manager = swarm.control_available();
  const uint32_t manager_port = configured.port != 0 ? configured.port : kManagerPort;
  bool all_specific = has_sockets;
  for (const uint32_t port : {manager_port, kGossipPort}) {
    if (!has_sockets) break;
    const Bound bound = BoundTo(listeners, port);
    if (bound == Bound::kWildcard) {
      judge.Fail(kSwarmObject, {.observed = absl::StrCat("port ", port, " on every address"),
                                .expected = kNamed,
                                .source = kSockets});
      return;
    }
    // Workers have the gossip port alone.
    if (bound == Bound::kNotListening && (manager || port == kGossipPort)) all_specific = false;
  }
  if (has_file) {
    judge.Pass(kSwarmObject, {.observed = absl::StrCat("listens on ", swarm.listen_address()),
                              .expected = kNamed,
                              .source = kFile});
  } else if (all_specific) {
    judge.Pass(kSwarmObject, {.observed = "its ports listen on specific addresses",
                              .expected = kNamed,
                              .source = kSockets});
  } else if (!has_sockets) {
    judge.UnknownFrom(Source::kListeners, listeners.outcome());
  } else {
    const SourceOutcome& file = swarm.state_file_outcome();
    // 403 of the engine is not meant: the file is read on the host.
    const absl::string_view code =
        file.state() == SourceOutcome::OK ? reason::kParseError : ReasonFor(Source::kDaemon, file);
    judge.Decide(Verdict::UNKNOWN, code,
                 "the swarm's ports are not listening, and its state file was not read");
  }
}

void JudgeManagersLocked(const Context& context, const v1::Check& check, Judge& judge) {
  static constexpr char kExpected[] = "managers ask for a key when they start (autolock)";
  static constexpr char kSource[] = "/info Swarm.Cluster.Spec.EncryptionConfig";
  const SwarmFacts& swarm = context.facts.swarm();
  switch (swarm.local_node_state()) {
    case SwarmFacts::INACTIVE:
      judge.Decide(Verdict::NOT_APPLICABLE, reason::kSwarmInactive, "this engine is in no swarm");
      return;
    case SwarmFacts::LOCKED:
      judge.Pass(kSwarmObject,
                 {.observed = "locked", .expected = kExpected, .source = "/info Swarm"});
      return;
    case SwarmFacts::ACTIVE:
      break;
    default:
      judge.Decide(Verdict::UNKNOWN, reason::kNotCollected,
                   "the node is between states or in error; ask again when it is active");
      return;
  }
  if (!swarm.control_available()) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kNotAManager, "a worker keeps no swarm keys");
  } else if (!swarm.has_auto_lock_managers()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError, "the engine did not send its cluster");
  } else if (swarm.auto_lock_managers()) {
    judge.Pass(kSwarmObject, {.observed = "autolock on", .expected = kExpected, .source = kSource});
  } else {
    judge.Fail(kSwarmObject,
               {.observed = "autolock off", .expected = kExpected, .source = kSource});
  }
}

}  // namespace

absl::Span<const CheckEntry> SwarmChecks() {
  static constexpr CheckEntry kChecks[] = {
      {v1::Check::kSwarmListenAddress, {Source::kSwarm}, JudgeListenAddress},
      {v1::Check::kSwarmManagersLocked, {Source::kSwarm}, JudgeManagersLocked},
  };
  return kChecks;
}

}  // namespace plimsoll::evaluate
