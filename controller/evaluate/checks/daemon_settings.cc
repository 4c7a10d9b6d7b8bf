#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "controller/evaluate/checks/daemon_checks.h"
#include "controller/evaluate/checks/effective_settings.h"
#include "controller/evaluate/checks/families.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::SourceOutcome;
using v1::Verdict;
using Ulimits = v1::Settings::Ulimits;

// --- Ulimits. ------------------------------------------------------------------------------------

std::string LimitText(int64_t value) { return value < 0 ? "unlimited" : absl::StrCat(value); }

bool Above(int64_t value, int64_t maximum) {
  if (maximum < 0) return false;
  return value < 0 || value > maximum;
}

std::string Text(const Ulimits& limits) {
  std::vector<std::string> words;
  for (const auto& limit : limits.ulimits()) {
    words.push_back(
        absl::StrCat(limit.name(), "=", LimitText(limit.soft()), ":", LimitText(limit.hard())));
  }
  return ShortList(words);
}

// What `required` asks and `limits` does not give; empty when all is well.
std::string Shortfall(const Ulimits& limits, const v1::DefaultUlimitsArgs& args) {
  std::vector<std::string> words;
  for (const auto& [name, maximum] : args.required()) {
    const v1::Settings::Ulimit* found = nullptr;
    for (const auto& limit : limits.ulimits()) {
      if (limit.name() == name) found = &limit;
    }
    if (found == nullptr || Above(found->soft(), maximum.soft()) ||
        Above(found->hard(), maximum.hard())) {
      words.push_back(absl::StrCat(name, " at most ", LimitText(maximum.soft()), ":",
                                   LimitText(maximum.hard())));
    }
  }
  std::sort(words.begin(), words.end());
  return ShortList(words);
}

struct ContainerLimits {
  int with = 0;
  int without = 0;
  // Set when some container could not be judged.
  const SourceOutcome* unread = nullptr;

  bool all_have() const { return with > 0 && without == 0 && unread == nullptr; }
  // Every container that was seen has limits, and there may be others that do not.
  bool may_all_have() const { return without == 0 && unread != nullptr; }
};

ContainerLimits LimitsOfContainers(const Context& context) {
  ContainerLimits limits;
  const v1::ContainersFacts& containers = context.facts.containers();
  if (containers.outcome().state() != SourceOutcome::OK) limits.unread = &containers.outcome();
  for (const v1::Container& container : containers.containers()) {
    const auto status = container.status();
    if (status != v1::Container::RUNNING && status != v1::Container::PAUSED &&
        status != v1::Container::RESTARTING) {
      continue;
    }
    if (container.outcome().state() != SourceOutcome::OK) {
      if (limits.unread == nullptr) limits.unread = &container.outcome();
    } else if (container.ulimits().empty()) {
      ++limits.without;
    } else {
      ++limits.with;
    }
  }
  return limits;
}

void CheckDefaultUlimits(const Context& context, const Check& check, Judge& judge) {
  const v1::DefaultUlimitsArgs& args = check.default_ulimits();
  const auto configured = Configured(context, setting::kDefaultUlimits, nullptr);
  const bool set = configured.value != nullptr && !configured.value->ulimits().empty();
  const std::string shortfall = set ? Shortfall(*configured.value, args) : "";
  const bool holds = configured.known() && set && shortfall.empty();
  const ContainerLimits containers = LimitsOfContainers(context);
  if (containers.all_have() && (!holds || configured.drifted)) {
    const std::string each = absl::StrCat("each of ", containers.with, " containers has limits");
    judge.Pass(DaemonObject(), {.observed = each,
                                .expected = "ulimits on every container",
                                .source = "inspect HostConfig.Ulimits"});
    judge.Note("may_be_inherited",
               "limits of a container may be copies of a default that no longer applies");
    NoteSetting(configured, judge);
    return;
  }
  if (configured.known() && !holds && containers.may_all_have()) {
    judge.UnknownFrom(Source::kContainers, *containers.unread);
    return;
  }
  const std::string observed = set ? Text(*configured.value) : "no default ulimits";
  const std::string expected = shortfall.empty() ? "default ulimits" : shortfall;
  const Evidence evidence{.observed = observed, .expected = expected};
  if (configured.known() && !set && args.when_unset() == "manual") {
    judge.Manual(DaemonObject(), evidence);
    NoteSetting(configured, judge);
    return;
  }
  JudgeSetting(configured, holds, evidence, judge);
}

// --- One-line settings.
// ----------------------------------------------------------------------------

void CheckStorageBaseSize(const Context& context, const Check& check, Judge& judge) {
  const auto options = Configured(context, setting::kStorageOpts, nullptr);
  std::string size;
  if (options.known() && options.value != nullptr) {
    for (const std::string& option : options.value->values()) {
      absl::string_view value = option;
      if (absl::ConsumePrefix(&value, "dm.basesize=")) size = std::string(value);
    }
  }
  static constexpr char kExpected[] = "no dm.basesize";
  const std::string written = absl::StrCat("dm.basesize=", size);
  const bool accepted = size.empty() || Contains(check.storage_base_size().accept(), size);
  if (!accepted) {
    JudgeSetting(options, false, {.observed = written, .expected = kExpected}, judge);
    return;
  }
  const std::string& driver = context.facts.engine().storage_driver();
  if (judge.UnknownFrom(Source::kEngineInfo, OutcomeOf(context.facts, Source::kEngineInfo)) ||
      UnknownUnlessKnown(options, judge)) {
    return;
  }
  if (driver.empty()) {
    UnknownField("/info Driver", judge);
  } else if (driver != "devicemapper" && size.empty()) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kDriverWithoutOption,
                 absl::StrCat("the storage driver is ", driver, ", which has no base size"));
  } else {
    JudgeSetting(options, true,
                 {.observed = size.empty() ? "no dm.basesize" : written, .expected = kExpected},
                 judge);
  }
}

// A switch that /info shows in force.
void JudgeMirrored(const Setting<bool>& configured, bool sent, bool in_force, bool wanted,
                   absl::string_view source, Judge& judge) {
  if (!sent) {
    UnknownField(source, judge);
    return;
  }
  const std::string observed = absl::StrCat(configured.flag, in_force ? "=true" : "=false");
  const std::string expected = absl::StrCat(configured.flag, wanted ? "=true" : "=false");
  if (in_force == wanted) {
    judge.Pass(DaemonObject(), {.observed = observed, .expected = expected, .source = source});
  } else {
    judge.Fail(DaemonObject(), {.observed = observed,
                                .expected = expected,
                                .reason = ReasonNotInForce(configured, configured.value == wanted),
                                .source = source});
  }
  NoteSetting(configured, judge);
}

void CheckLiveRestore(const Context& context, const Check&, Judge& judge) {
  using Swarm = v1::SwarmFacts;
  const Swarm::NodeState state = context.facts.swarm().local_node_state();
  if (state != Swarm::INACTIVE && state != Swarm::NODE_STATE_UNSPECIFIED) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kIncompatibleWithSwarm,
                 absl::StrCat("the node's swarm state is ", Swarm::NodeState_Name(state),
                              "; the engine refuses live restore there"));
    return;
  }
  const v1::EngineFacts& engine = context.facts.engine();
  JudgeMirrored(Configured(context, setting::kLiveRestore, false), engine.has_live_restore(),
                engine.live_restore(), true, "/info LiveRestoreEnabled", judge);
}

void CheckExperimental(const Context& context, const Check&, Judge& judge) {
  const v1::EngineFacts& engine = context.facts.engine();
  JudgeMirrored(Configured(context, setting::kExperimental, false), engine.has_experimental(),
                engine.experimental(), false, "/info ExperimentalBuild", judge);
}

constexpr CheckEntry kChecks[] = {
    {Check::kDefaultBridgeIcc, {Source::kNetworks}, CheckDefaultBridgeIcc},
    {Check::kLogLevel, {}, CheckLogLevel},
    {Check::kIptables, {}, CheckIptables},
    {Check::kUserlandProxy, {}, CheckUserlandProxy},
    {Check::kDefaultUlimits, {}, CheckDefaultUlimits},
    {Check::kUserNamespaces, {Source::kEngineInfo}, CheckUserNamespaces},
    {Check::kStorageBaseSize, {}, CheckStorageBaseSize},
    {Check::kRemoteLogging, {Source::kEngineInfo}, CheckRemoteLogging},
    {Check::kLoggingDriver, {Source::kEngineInfo}, CheckLoggingDriver},
    {Check::kLiveRestore, {Source::kEngineInfo, Source::kSwarm}, CheckLiveRestore},
    {Check::kExperimental, {Source::kEngineInfo}, CheckExperimental},
    {Check::kDaemonNoNewPrivileges, {Source::kEngineVersion}, CheckDaemonNoNewPrivileges},
};

}  // namespace

absl::Span<const CheckEntry> DaemonChecks() { return kChecks; }

std::string ShortList(const std::vector<std::string>& values, size_t limit) {
  std::string text;
  for (size_t i = 0; i < values.size() && i < limit; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", values[i]);
  }
  if (values.size() > limit) absl::StrAppend(&text, " and ", values.size() - limit, " more");
  return text;
}

void UnknownField(absl::string_view field, Judge& judge) {
  judge.Decide(Verdict::UNKNOWN, reason::kNotCollected,
               absl::StrCat(field, " was not sent by this engine or collector"));
}

}  // namespace plimsoll::evaluate
