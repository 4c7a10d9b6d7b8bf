#include <optional>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/daemon_checks.h"
#include "controller/evaluate/checks/effective_settings.h"
#include "controller/evaluate/checks/version_number.h"

namespace plimsoll::evaluate {
namespace {

using v1::SourceOutcome;
using v1::Verdict;

constexpr char kSecurityOptions[] = "/info SecurityOptions";

}  // namespace

void CheckUserNamespaces(const Context& context, const v1::Check& check, Judge& judge) {
  const v1::UserNamespacesArgs& args = check.user_namespaces();
  const auto configured = Configured(context, setting::kUsernsRemap, "");
  const absl::string_view expected =
      args.exact() ? "userns-remap=default" : "user namespaces for containers";
  const bool remapped = context.index.SecurityOption("userns") != nullptr;
  if (context.index.SecurityOption("rootless") != nullptr && args.accept_rootless()) {
    judge.Pass(
        DaemonObject(),
        {.observed = "the engine is rootless", .expected = expected, .source = kSecurityOptions});
  } else if (!remapped) {
    judge.Fail(DaemonObject(), {.observed = "no user namespace",
                                .expected = expected,
                                .reason = ReasonNotInForce(configured, !configured.value.empty()),
                                .source = kSecurityOptions});
  } else if (args.exact()) {
    const std::string observed = absl::StrCat("userns-remap=", configured.value);
    JudgeSetting(configured, configured.value == "default",
                 {.observed = observed, .expected = expected}, judge);
    return;
  } else {
    judge.Pass(DaemonObject(), {.observed = "user namespaces are in use",
                                .expected = expected,
                                .source = kSecurityOptions});
  }
  NoteSetting(configured, judge);
}

void CheckDaemonNoNewPrivileges(const Context& context, const v1::Check&, Judge& judge) {
  const v1::EngineFacts& engine = context.facts.engine();
  const auto configured = Configured(context, setting::kNoNewPrivileges, false);
  const std::optional<bool> mirrored = VersionAtLeast(engine.version(), 24, 0);
  if (!mirrored.has_value()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError,
                 absl::StrCat("\"", engine.version(), "\" is no version number"));
    return;
  }
  static constexpr char kExpected[] = "no-new-privileges=true";
  if (!*mirrored) {
    const Evidence evidence{.observed = configured.value ? kExpected : "no-new-privileges=false",
                            .expected = kExpected};
    JudgeSetting(configured, configured.value, evidence, judge);
    return;
  }
  if (judge.UnknownFrom(Source::kEngineInfo, OutcomeOf(context.facts, Source::kEngineInfo))) {
    return;
  }
  if (context.index.SecurityOption("no-new-privileges") != nullptr) {
    judge.Pass(DaemonObject(),
               {.observed = kExpected, .expected = kExpected, .source = kSecurityOptions});
  } else {
    judge.Fail(DaemonObject(), {.observed = "no-new-privileges is not in force",
                                .expected = kExpected,
                                .reason = ReasonNotInForce(configured, configured.value),
                                .source = kSecurityOptions});
  }
  NoteSetting(configured, judge);
}

}  // namespace plimsoll::evaluate
