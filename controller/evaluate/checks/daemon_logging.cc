#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/daemon_checks.h"
#include "controller/evaluate/checks/effective_settings.h"

namespace plimsoll::evaluate {
namespace {

using v1::SourceOutcome;
using v1::Verdict;
using LogOptions = v1::Settings::LogOptions;

constexpr char kDriverSource[] = "/info LoggingDriver";
constexpr char kRemote[] = "logs sent to another machine";

// The engine's spelling: lower case, nothing is info, "warning" is "warn".
std::string NormalLevel(absl::string_view level) {
  const std::string lower = absl::AsciiStrToLower(level);
  if (lower.empty()) return "info";
  return lower == "warning" ? "warn" : lower;
}

void JudgeDebug(bool allowed, absl::string_view allowed_text, Judge& judge) {
  const Evidence evidence{.observed = "debug", .expected = allowed_text, .source = "/info Debug"};
  if (allowed) {
    judge.Pass(DaemonObject(), evidence);
  } else {
    judge.Fail(DaemonObject(), evidence);
  }
}

// --- Where logs go. ------------------------------------------------------------------------------

struct Destination {
  Verdict::Status status = Verdict::FAIL;
  std::string observed;
  // The answer rests on the log options.
  bool used_options = false;
};

// Drivers whose address decides.
bool NeedsAddress(absl::string_view driver) {
  return driver == "syslog" || driver == "fluentd" || driver == "gelf";
}

// Where logs may go on from, if somebody sees to it.
bool IsLocalPipe(absl::string_view driver) { return driver == "journald"; }

// "loki:latest" is the plugin "loki".
absl::string_view PluginName(absl::string_view driver) {
  return driver.substr(0, driver.find(':'));
}

// The option that holds an address; null when there is none.
const v1::Settings::LogOption* AddressOption(const LogOptions* options) {
  if (options == nullptr) return nullptr;
  for (const auto& option : options->options()) {
    if (option.has_address_is_loopback()) return &option;
  }
  return nullptr;
}

bool IsNetworkScheme(absl::string_view scheme) {
  return scheme == "tcp" || scheme == "udp" || scheme == "tcp+tls";
}

// `options` are those of the daemon; null: it has none.
Destination Judged(const v1::RemoteLoggingArgs& args, const std::string& driver,
                   const LogOptions* options) {
  const Verdict::Status local = args.local_forwarder() ? Verdict::PASS : Verdict::MANUAL;
  if (IsLocalPipe(driver)) return {local, absl::StrCat(driver, ": logs stay on this host")};
  const bool remote = Contains(args.remote_drivers(), driver) ||
                      Contains(args.remote_drivers(), PluginName(driver));
  if (!remote && driver != "syslog") {
    return {Verdict::FAIL, absl::StrCat(driver, ": logs stay on this host")};
  }
  const v1::Settings::LogOption* address = AddressOption(options);
  if (address == nullptr) {
    if (!NeedsAddress(driver)) return {Verdict::PASS, driver};
    return {local, absl::StrCat(driver, " without an address: this host"), true};
  }
  const bool network = driver != "syslog" || IsNetworkScheme(address->address_scheme());
  if (address->address_is_loopback() || !network) {
    return {local, absl::StrCat(driver, " to an address of this host"), true};
  }
  return {
      Verdict::PASS,
      absl::StrCat(driver, " to another machine", address->address_scheme().empty() ? "" : " over ",
                   address->address_scheme()),
      true};
}

void Report(const ObjectRef& object, const Destination& destination, absl::string_view reason,
            absl::string_view source, Judge& judge) {
  const Evidence evidence{
      .observed = destination.observed, .expected = kRemote, .reason = reason, .source = source};
  switch (destination.status) {
    case Verdict::PASS:
      judge.Pass(object, evidence);
      return;
    case Verdict::MANUAL:
      judge.Manual(object, evidence);
      return;
    default:
      judge.Fail(object, evidence);
  }
}

bool InScope(const v1::Container& container) {
  return container.status() == v1::Container::RUNNING ||
         container.status() == v1::Container::PAUSED ||
         container.status() == v1::Container::RESTARTING;
}

// Containers keep the driver they were created with.
void NoteContainers(const Context& context, const std::string& driver, Judge& judge) {
  std::vector<std::string> others;
  for (const v1::Container& container : context.facts.containers().containers()) {
    if (InScope(container) && !container.log_driver().empty() && container.log_driver() != driver) {
      others.push_back(absl::StrCat(container.name(), " (", container.log_driver(), ")"));
    }
  }
  if (others.empty()) return;
  std::sort(others.begin(), others.end());
  judge.Note("container_log_driver_differs",
             absl::StrCat("containers with a driver of their own: ", ShortList(others)));
}

void JudgeContainers(const Context& context, const v1::RemoteLoggingArgs& args, Judge& judge) {
  static constexpr char kSource[] = "inspect HostConfig.LogConfig.Type";
  const v1::ContainersFacts& containers = context.facts.containers();
  judge.UnknownFrom(Source::kContainers, containers.outcome());
  for (const v1::Container& container : containers.containers()) {
    if (!InScope(container)) {
      judge.OutOfScope();
      continue;
    }
    const ObjectRef object{.name = container.name(), .id = container.id()};
    if (container.outcome().state() != SourceOutcome::OK) {
      judge.Unknown(object, {.observed = "not inspected",
                             .expected = kRemote,
                             .reason = ReasonFor(Source::kContainers, container.outcome()),
                             .source = kSource});
      continue;
    }
    Destination destination = Judged(args, container.log_driver(), nullptr);
    if (destination.used_options) {
      // A container's own options are not collected.
      destination.observed = absl::StrCat(container.log_driver(), " to an address not known here");
    }
    Report(object, destination, {}, kSource, judge);
  }
}

}  // namespace

void CheckLogLevel(const Context& context, const v1::Check& check, Judge& judge) {
  const StringField& allowed = check.log_level().allowed();
  const std::string expected = ShortList({allowed.begin(), allowed.end()});
  const bool debug_allowed = Contains(allowed, "debug");
  const v1::EngineFacts& engine = context.facts.engine();
  const SourceOutcome& info = OutcomeOf(context.facts, Source::kEngineInfo);
  const bool mirrored = info.state() == SourceOutcome::OK && engine.has_debug();
  const auto debug = Configured(context, setting::kDebug, false);
  if (mirrored && engine.debug()) {
    JudgeDebug(debug_allowed, expected, judge);
    return;
  }
  if (!mirrored && debug.known() && debug.value) {
    JudgeSetting(debug, debug_allowed, {.observed = "debug", .expected = expected}, judge);
    return;
  }
  const auto level = Configured(context, setting::kLogLevel, "");
  const std::string observed = NormalLevel(level.value);
  const bool holds = Contains(allowed, observed);
  // Without the mirror the daemon may log at debug: only what fails either way is proven.
  const bool proven = level.known() && !holds && !debug_allowed;
  if (!mirrored && !proven) {
    if (judge.UnknownFrom(Source::kEngineInfo, info)) return;
    if (UnknownUnlessKnown(debug, judge)) return;
  }
  JudgeSetting(level, holds, {.observed = observed, .expected = expected}, judge);
}

void CheckRemoteLogging(const Context& context, const v1::Check& check, Judge& judge) {
  const v1::RemoteLoggingArgs& args = check.remote_logging();
  const std::string& driver = context.facts.engine().logging_driver();
  if (driver.empty()) {
    UnknownField(kDriverSource, judge);
    return;
  }
  const auto written = Configured(context, setting::kLogDriver, "");
  const auto options = Configured(context, setting::kLogOpts, nullptr);
  const Destination destination = Judged(args, driver, options.known() ? options.value : nullptr);
  if (NeedsAddress(driver) && destination.status != Verdict::FAIL && !options.known()) {
    UnknownUnlessKnown(options, judge);
  } else if (destination.used_options && destination.status == Verdict::PASS) {
    JudgeSetting(options, true, {.observed = destination.observed, .expected = kRemote}, judge);
  } else {
    const bool written_remote = written.known() && written.value != driver &&
                                Contains(args.remote_drivers(), written.value);
    const absl::string_view reason = destination.status == Verdict::FAIL
                                         ? ReasonNotInForce(written, written_remote)
                                         : absl::string_view();
    Report(DaemonObject(), destination, reason, kDriverSource, judge);
  }
  if (args.judge_containers()) {
    JudgeContainers(context, args, judge);
  } else {
    NoteContainers(context, driver, judge);
  }
  NoteSetting(written, judge);
}

void CheckLoggingDriver(const Context& context, const v1::Check& check, Judge& judge) {
  const StringField& allowed = check.logging_driver().allowed();
  const std::string& driver = context.facts.engine().logging_driver();
  if (driver.empty()) {
    UnknownField(kDriverSource, judge);
    return;
  }
  const auto written = Configured(context, setting::kLogDriver, "");
  const std::string expected = ShortList({allowed.begin(), allowed.end()});
  if (Contains(allowed, driver)) {
    judge.Pass(DaemonObject(), {.observed = driver, .expected = expected, .source = kDriverSource});
  } else {
    judge.Fail(DaemonObject(),
               {.observed = driver,
                .expected = expected,
                .reason = ReasonNotInForce(written, Contains(allowed, written.value)),
                .source = kDriverSource});
  }
  NoteSetting(written, judge);
}

}  // namespace plimsoll::evaluate
