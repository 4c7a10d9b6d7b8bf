#include "controller/evaluate/checks/containers.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/effective_settings.h"
#include "controller/evaluate/checks/families.h"
#include "controller/evaluate/checks/healthcheck.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::Container;
using v1::SourceOutcome;
using UserArgs = v1::ContainerUserNotRootArgs;

constexpr char kUserSource[] = "inspect Config.User";
constexpr char kUserExpected[] = "a user other than root";

// Whom Config.User names, as far as it alone tells (rules.md S10).
enum class Account { kRoot, kOther, kByName };

Account AccountOf(absl::string_view user) {
  user = user.substr(0, user.find(':'));
  if (user.empty() || user == "root") return Account::kRoot;
  absl::string_view digits = user;
  if (digits.front() == '+' || digits.front() == '-') digits.remove_prefix(1);
  const bool number = !digits.empty() && std::all_of(digits.begin(), digits.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
  if (!number) return Account::kByName;
  return digits.find_first_not_of('0') == absl::string_view::npos ? Account::kRoot
                                                                  : Account::kOther;
}

std::string UserText(const std::string& user) {
  return user.empty() ? "no user, so root" : absl::StrCat("user \"", user, "\"");
}

enum class Remap { kNo, kYes, kUnknown };

// Whether root inside is another user on the host.
Remap RootIsRemapped(const Context& context, const Container& container) {
  for (const auto& range : container.runtime().uid_map()) {
    if (range.inside() == 0) return range.outside() == 0 ? Remap::kNo : Remap::kYes;
  }
  if (container.userns_mode() == "host") return Remap::kNo;
  if (OutcomeOf(context.facts, Source::kEngineInfo).state() != SourceOutcome::OK) {
    return Remap::kUnknown;
  }
  const bool remaps = context.index.SecurityOption("userns") != nullptr ||
                      context.index.SecurityOption("rootless") != nullptr;
  return remaps ? Remap::kYes : Remap::kNo;
}

Outcome JudgeRoot(const Context& context, const UserArgs& args, const Container& container,
                  std::string observed) {
  if (args.accept_runtime_nonroot() && container.runtime().has_mapped_uid() &&
      container.runtime().mapped_uid() != 0) {
    return Pass().WithNote("drops_root", absl::StrCat(observed, "; its process runs as uid ",
                                                      container.runtime().mapped_uid()));
  }
  if (args.accept_userns_remap()) {
    switch (RootIsRemapped(context, container)) {
      case Remap::kYes:
        return Pass();
      case Remap::kUnknown:
        return Unknown(
            ReasonFor(Source::kEngineInfo, OutcomeOf(context.facts, Source::kEngineInfo)),
            absl::StrCat(observed, "; whether root is remapped was not read"), kUserExpected,
            "/info SecurityOptions");
      case Remap::kNo:
        break;
    }
  }
  return Fail(std::move(observed), kUserExpected, kUserSource);
}

Outcome JudgeUser(const Context& context, const UserArgs& args, const Container& container) {
  switch (AccountOf(container.user())) {
    case Account::kOther:
      return Pass();
    case Account::kRoot:
      return JudgeRoot(context, args, container, UserText(container.user()));
    case Account::kByName:
      break;
  }
  // A name is known to the container's own /etc/passwd only; its process tells.
  const Container::Runtime& runtime = container.runtime();
  if (runtime.has_mapped_uid()) {
    if (runtime.mapped_uid() != 0) return Pass();
    return JudgeRoot(context, args, container,
                     absl::StrCat(UserText(container.user()), ", which is uid 0"));
  }
  if (!HasProcesses(container)) {
    return Pass().WithNote("uid_unverified",
                           absl::StrCat(UserText(container.user()), " is a name; not running"));
  }
  const SourceOutcome& outcome = runtime.outcome();
  return Unknown(outcome.state() == SourceOutcome::OK ? reason::kNotCollected
                                                      : ReasonFor(Source::kDaemon, outcome),
                 absl::StrCat(UserText(container.user()), ", whose uid could not be read"),
                 kUserExpected, "/proc/<pid>/status");
}

std::string ImageName(const v1::Image& image) {
  return image.repo_tags().empty() ? std::string(ShortId(image.id())) : image.repo_tags(0);
}

void NoteRootImages(const v1::ImagesFacts& facts, Judge& judge) {
  std::string names;
  for (const v1::Image& image : facts.images()) {
    if (image.outcome().state() != SourceOutcome::OK) continue;
    if (AccountOf(image.user()) != Account::kRoot) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", ImageName(image));
  }
  if (!names.empty())
    judge.Note("image_user_root", absl::StrCat("images that run as root: ", names));
}

void JudgeImageUsers(const Context& context, const UserArgs& args, Judge& judge) {
  const v1::ImagesFacts& facts = context.facts.images();
  if (args.judge_images() != UserArgs::IN_USE && args.judge_images() != UserArgs::ALL) {
    NoteRootImages(facts, judge);
    return;
  }
  if (!ListingUsable(Source::kImages, facts.outcome(), judge)) return;
  const GlobList exempt(args.scope().exempt(), context.as_of);
  for (const v1::Image& image : facts.images()) {
    if (args.judge_images() == UserArgs::IN_USE && image.container_count() == 0) {
      judge.OutOfScope();
      continue;
    }
    const std::string name = ImageName(image);
    if (exempt.Matches(name) || exempt.Matches(image.id())) {
      judge.Exempt();
      continue;
    }
    const ObjectRef object{.name = name, .id = image.id()};
    if (image.outcome().state() != SourceOutcome::OK) {
      judge.Unknown(object, {.observed = image.outcome().message(),
                             .expected = kUserExpected,
                             .reason = ReasonFor(Source::kImages, image.outcome()),
                             .source = "image inspect"});
    } else if (AccountOf(image.user()) == Account::kRoot) {
      Report(object, Fail(UserText(image.user()), kUserExpected, "image Config.User"), judge);
    } else {
      judge.Pass();
    }
  }
}

// Default cgroup parents by driver (rules.md 5.24).
bool IsDefaultParent(absl::string_view driver, bool rootless, absl::string_view parent) {
  if (rootless && parent == "user.slice") return true;
  if (driver == "systemd") return parent == "system.slice";
  return driver == "cgroupfs" && (parent == "docker" || parent == "/docker");
}

void NoteDaemonParent(const Context& context, Judge& judge) {
  const auto parent = Configured(context, setting::kCgroupParent, "");
  if (!parent.known() || parent.value.empty()) return;
  judge.Note("daemon_cgroup_parent",
             absl::StrCat("the daemon sets the cgroup parent ", std::string(parent.value),
                          " for containers that name none (", SourceText(parent), ")"));
}

}  // namespace

void JudgeUserNotRoot(const Context& context, const Check& check, Judge& judge) {
  const UserArgs& args = check.container_user_not_root();
  ForEachContainer(context, args.scope(), judge,
                   [&](const Container& c) { return JudgeUser(context, args, c); });
  JudgeImageUsers(context, args, judge);
}

void JudgeReadOnlyRoot(const Context& context, const Check& check, Judge& judge) {
  static constexpr char kExpected[] = "a read-only root file system";
  static constexpr char kSource[] = "inspect HostConfig.ReadonlyRootfs";
  ForEachContainer(
      context, check.container_read_only_root().scope(), judge, [&](const Container& c) {
        if (!c.has_readonly_rootfs()) {
          return Unknown(reason::kParseError, "the engine did not send the field", kExpected,
                         kSource);
        }
        return c.readonly_rootfs() ? Pass()
                                   : Fail("a writable root file system", kExpected, kSource);
      });
}

void JudgeCgroupParent(const Context& context, const Check& check, Judge& judge) {
  static constexpr char kExpected[] = "the engine's default cgroup parent, or an allowed one";
  static constexpr char kSource[] = "inspect HostConfig.CgroupParent";
  const auto& args = check.container_cgroup_parent();
  const GlobList allowed(args.allowed(), context.as_of);
  const SourceOutcome& info = OutcomeOf(context.facts, Source::kEngineInfo);
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    const std::string& parent = c.cgroup_parent();
    if (parent.empty() || allowed.Matches(parent)) return Pass();
    if (info.state() != SourceOutcome::OK) {
      return Unknown(ReasonFor(Source::kEngineInfo, info),
                     absl::StrCat("cgroup parent ", parent, "; the engine's driver was not read"),
                     kExpected, "/info CgroupDriver");
    }
    const bool rootless = context.index.SecurityOption("rootless") != nullptr;
    if (IsDefaultParent(context.facts.engine().cgroup_driver(), rootless, parent)) return Pass();
    return Fail(absl::StrCat("cgroup parent ", parent), kExpected, kSource);
  });
  NoteDaemonParent(context, judge);
}

void JudgeHealthcheck(const Context& context, const Check& check, Judge& judge) {
  const auto& args = check.container_healthcheck();
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    Outcome configured = JudgeHealthcheckKind(c.healthcheck(), "inspect Config.Healthcheck.Test");
    if (configured.kind != Outcome::Kind::kPass) return configured;
    if (!args.require_healthy()) return Pass();
    if (c.health_status() == "unhealthy") {
      return Fail("unhealthy", "healthy or starting", "inspect State.Health.Status");
    }
    // A probe that runs has a status as soon as the container does.
    if (c.has_health_status() || !HasProcesses(c)) return Pass();
    return Unknown(reason::kParseError, "running, and no health status was sent",
                   "healthy or starting", "inspect State.Health.Status");
  });
}

absl::Span<const CheckEntry> ContainerChecks() {
  // Sources are asked for by the checks themselves: what was read can prove a violation.
  static constexpr CheckEntry kChecks[] = {
      {Check::kContainerUserNotRoot,
       {},
       JudgeUserNotRoot,
       PlanScopeOf<&Check::container_user_not_root>},
      {Check::kContainerReadOnlyRoot,
       {},
       JudgeReadOnlyRoot,
       PlanScopeOf<&Check::container_read_only_root>},
      {Check::kContainerCgroupParent,
       {},
       JudgeCgroupParent,
       PlanScopeOf<&Check::container_cgroup_parent>},
      {Check::kContainerHealthcheck,
       {},
       JudgeHealthcheck,
       PlanScopeOf<&Check::container_healthcheck>},
      {Check::kContainerMemoryLimited,
       {},
       JudgeMemoryLimited,
       PlanScopeOf<&Check::container_memory_limited>},
      {Check::kContainerPidsLimited,
       {},
       JudgePidsLimited,
       PlanScopeOf<&Check::container_pids_limited>},
      {Check::kContainerNotPrivileged,
       {},
       JudgeNotPrivileged,
       PlanScopeOf<&Check::container_not_privileged>},
      {Check::kContainerCapabilities,
       {},
       JudgeCapabilities,
       PlanScopeOf<&Check::container_capabilities>},
      {Check::kContainerNoNewPrivileges,
       {},
       JudgeNoNewPrivileges,
       PlanScopeOf<&Check::container_no_new_privileges>},
      {Check::kContainerPortsBound,
       {},
       JudgePortsBound,
       PlanScopeOf<&Check::container_ports_bound>},
      {Check::kContainerRestartLimited,
       {},
       JudgeRestartLimited,
       PlanScopeOf<&Check::container_restart_limited>},
      {Check::kMacConfinement, {}, JudgeMacConfinement, PlanScopeOf<&Check::mac_confinement>},
      {Check::kContainerApparmorNotDisabled,
       {},
       JudgeApparmorNotDisabled,
       PlanScopeOf<&Check::container_apparmor_not_disabled>},
  };
  return kChecks;
}

}  // namespace plimsoll::evaluate
