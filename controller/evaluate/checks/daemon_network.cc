#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/daemon_checks.h"
#include "controller/evaluate/checks/effective_settings.h"
#include "controller/evaluate/checks/version_number.h"

namespace plimsoll::evaluate {
namespace {

using v1::SourceOutcome;
using v1::Verdict;

constexpr char kIccSource[] = "GET /networks com.docker.network.bridge.enable_icc";
constexpr char kBridgeNfSource[] = "/proc/sys/net/bridge/bridge-nf-call-iptables";
constexpr ObjectRef kDefaultBridge{.name = "default bridge", .id = ""};

bool FiltersWithNftables(const Context& context) {
  return absl::StartsWith(context.facts.engine().firewall().driver(), "nftables");
}

// The bridge says no; what is left to ask is whether the kernel lets the filter see its traffic.
void JudgeBridgeFilter(const Context& context, Judge& judge) {
  const v1::MachineFacts& machine = context.facts.machine();
  const Evidence evidence{.observed = "enable_icc=false, but bridged traffic is not filtered",
                          .expected = "bridge-nf-call-iptables is 1",
                          .source = kBridgeNfSource};
  const SourceOutcome& outcome = machine.bridge_nf_outcome();
  if (outcome.state() == SourceOutcome::NOT_PRESENT) {
    judge.Fail(kDefaultBridge, evidence);
  } else if (outcome.state() != SourceOutcome::OK) {
    const SourceOutcome& whole = machine.outcome();
    const bool untried = outcome.state() == SourceOutcome::NOT_COLLECTED;
    judge.UnknownFrom(Source::kMachine,
                      untried && whole.state() != SourceOutcome::OK ? whole : outcome);
  } else if (!machine.has_bridge_nf_call_iptables()) {
    UnknownField(kBridgeNfSource, judge);
  } else if (machine.bridge_nf_call_iptables() == 0) {
    judge.Fail(kDefaultBridge, evidence);
  } else {
    judge.Pass(kDefaultBridge, {.observed = "enable_icc=false, bridged traffic is filtered",
                                .expected = "enable_icc=false",
                                .source = kIccSource});
  }
}

void NoteOtherBridges(const Context& context, Judge& judge) {
  std::vector<std::string> open;
  for (const v1::Network& network : context.facts.networks().networks()) {
    if (network.driver() == "bridge" && !network.default_bridge() && network.has_enable_icc() &&
        network.enable_icc()) {
      open.push_back(network.name());
    }
  }
  if (open.empty()) return;
  std::sort(open.begin(), open.end());
  judge.Note("user_network_icc", absl::StrCat("user-defined networks that allow traffic between "
                                              "their containers by option: ",
                                              ShortList(open)));
}

void JudgeSwitch(const Setting<bool>& setting, Judge& judge) {
  const std::string observed = absl::StrCat(setting.flag, setting.value ? "=true" : "=false");
  const std::string expected = absl::StrCat(setting.flag, "=true");
  JudgeSetting(setting, setting.value, {.observed = observed, .expected = expected}, judge);
}

// The value in force, where this engine shows it (29.5 and later).
std::optional<bool> ProxyInForce(const Context& context) {
  if (OutcomeOf(context.facts, Source::kEngineInfo).state() != SourceOutcome::OK) return {};
  const v1::EngineFacts& engine = context.facts.engine();
  if (engine.firewall().has_userland_proxy()) return engine.firewall().userland_proxy();
  if (!engine.has_firewall() || !VersionAtLeast(engine.version(), 29, 5).value_or(false)) return {};
  return false;
}

// Null: read. Else why the children of the daemon are not known.
const SourceOutcome* ProxiesUnread(const v1::ListenersFacts& listeners) {
  const SourceOutcome& proxies = listeners.proxy_outcome();
  if (proxies.state() == SourceOutcome::OK) return nullptr;
  const bool untried = proxies.state() == SourceOutcome::NOT_COLLECTED;
  return untried && listeners.outcome().state() != SourceOutcome::OK ? &listeners.outcome()
                                                                     : &proxies;
}

}  // namespace

void CheckDefaultBridgeIcc(const Context& context, const v1::Check& check, Judge& judge) {
  const v1::DefaultBridgeIccArgs& args = check.default_bridge_icc();
  const std::string& product = context.facts.engine().product();
  for (const std::string& exempt : args.exempt_products()) {
    if (exempt.empty() || !absl::StartsWith(product, exempt)) continue;
    judge.Exempt();
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kOptionRemovedFromEngine,
                 absl::StrCat(product, " is exempt"));
    return;
  }
  const v1::Network* bridge = context.index.DefaultBridge();
  if (bridge == nullptr) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kNoObjects, "the engine has no default bridge");
    return;
  }
  const auto configured = Configured(context, setting::kIcc, true);
  if (!bridge->has_enable_icc() || bridge->enable_icc()) {
    judge.Fail(kDefaultBridge,
               {.observed = bridge->has_enable_icc() ? "enable_icc=true" : "enable_icc is not set",
                .expected = "enable_icc=false",
                .reason = ReasonNotInForce(configured, !configured.value),
                .source = kIccSource});
  } else if (!args.require_bridge_nf() || FiltersWithNftables(context)) {
    judge.Pass(
        kDefaultBridge,
        {.observed = "enable_icc=false", .expected = "enable_icc=false", .source = kIccSource});
  } else {
    JudgeBridgeFilter(context, judge);
  }
  NoteSetting(configured, judge);
  NoteOtherBridges(context, judge);
}

void CheckIptables(const Context& context, const v1::Check& check, Judge& judge) {
  JudgeSwitch(Configured(context, setting::kIptables, true), judge);
  if (!check.iptables().also_ip6tables()) return;
  const std::optional<bool> default_on = VersionAtLeast(context.facts.engine().version(), 27, 0);
  const auto ip6tables = Configured(context, setting::kIp6tables, default_on.value_or(false));
  if (ip6tables.known() && ip6tables.origin == Origin::kDefault && !default_on.has_value()) {
    judge.Decide(Verdict::UNKNOWN, reason::kNotCollected,
                 "the default of ip6tables depends on the engine's version, which is not known");
    return;
  }
  JudgeSwitch(ip6tables, judge);
}

void CheckUserlandProxy(const Context& context, const v1::Check&, Judge& judge) {
  const v1::ListenersFacts& listeners = context.facts.listeners();
  const auto configured = Configured(context, setting::kUserlandProxy, true);
  const absl::string_view not_in_force = ReasonNotInForce(configured, !configured.value);
  const std::optional<bool> in_force = ProxyInForce(context);
  const SourceOutcome* unread = ProxiesUnread(listeners);
  const Evidence off{.observed = "userland-proxy=false, no docker-proxy runs",
                     .expected = "userland-proxy=false"};
  if (unread == nullptr && listeners.docker_proxy_count() > 0) {
    const std::string observed =
        absl::StrCat(listeners.docker_proxy_count(), " docker-proxy processes of this daemon");
    const bool off_in_force = in_force.has_value() && !*in_force;
    judge.Fail(DaemonObject(),
               {.observed = observed,
                .expected = "userland-proxy=false and no docker-proxy",
                .reason = off_in_force ? reason::kConfiguredNotInForce : not_in_force,
                .source = "children of dockerd"});
  } else if (in_force.value_or(false)) {
    judge.Fail(DaemonObject(), {.observed = "userland-proxy=true",
                                .expected = "userland-proxy=false",
                                .reason = not_in_force,
                                .source = "/info FirewallBackend"});
  } else if (!in_force.has_value()) {
    JudgeSetting(configured, !configured.value,
                 configured.value ? Evidence{.observed = "userland-proxy=true",
                                             .expected = "userland-proxy=false"}
                                  : off,
                 judge);
    if (unread != nullptr) judge.UnknownFrom(Source::kListeners, *unread);
    return;
  } else if (unread != nullptr) {
    judge.UnknownFrom(Source::kListeners, *unread);
  } else {
    Evidence evidence = off;
    evidence.source = "/info FirewallBackend";
    judge.Pass(DaemonObject(), evidence);
  }
  NoteSetting(configured, judge);
}

}  // namespace plimsoll::evaluate
