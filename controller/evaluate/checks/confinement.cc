#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/containers.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;
using v1::SourceOutcome;

constexpr char kUnconfined[] = "unconfined";
constexpr char kProfileSource[] = "inspect AppArmorProfile";
constexpr char kLabelSource[] = "inspect ProcessLabel";
constexpr char kRuntimeSource[] = "/proc/<pid>/attr/current";
constexpr char kExpected[] = "an enforced AppArmor profile or a confining SELinux label";

// Whether the kernel enforces a module and the engine uses it.
struct Usable {
  enum class State { kNo, kYes, kUnknown };
  State state = State::kUnknown;
  // With kUnknown: whose outcome says why.
  Source source = Source::kMachine;
  const SourceOutcome* outcome = nullptr;

  bool Is(State s) const { return state == s; }
};
using State = Usable::State;

// `active` is what /sys says, absent when `read` says why it was not read.
Usable Weigh(const Context& context, absl::string_view option, bool has, bool active,
             const SourceOutcome& read) {
  const bool absent = !has && read.state() == SourceOutcome::NOT_PRESENT;
  if (absent || (has && !active)) return {.state = State::kNo};
  const SourceOutcome& info = OutcomeOf(context.facts, Source::kEngineInfo);
  if (info.state() != SourceOutcome::OK) {
    return {.state = State::kUnknown, .source = Source::kEngineInfo, .outcome = &info};
  }
  if (context.index.SecurityOption(option) == nullptr) return {.state = State::kNo};
  if (has) return {.state = State::kYes};
  const SourceOutcome& machine = context.facts.machine().outcome();
  const SourceOutcome* why = machine.state() == SourceOutcome::OK ? &read : &machine;
  // Read, and yet without a value: as good as not read.
  if (why->state() == SourceOutcome::OK) why = &SourceOutcome::default_instance();
  return {.state = State::kUnknown, .source = Source::kMachine, .outcome = why};
}

Usable AppArmor(const Context& context) {
  const auto& m = context.facts.machine().security_modules();
  return Weigh(context, "apparmor", m.has_apparmor_enabled(), m.apparmor_enabled(),
               m.apparmor_outcome());
}

Usable Selinux(const Context& context) {
  const auto& m = context.facts.machine().security_modules();
  return Weigh(context, "selinux", m.has_selinux_enforcing(), m.selinux_enforcing(),
               m.selinux_outcome());
}

// user:role:type:level
absl::string_view TypeOf(absl::string_view label) {
  size_t start = 0;
  for (int colon = 0; colon < 2; ++colon) {
    start = label.find(':', start);
    if (start == absl::string_view::npos) return {};
    ++start;
  }
  return label.substr(start, label.find(':', start) - start);
}

bool ConfiningLabel(const v1::MacConfinementArgs& args, absl::string_view label) {
  const absl::string_view type = TypeOf(label);
  const auto& types = args.unconfined_types();
  return !type.empty() &&
         std::none_of(types.begin(), types.end(), [&](const std::string& t) { return t == type; });
}

bool NeverStarted(const Container& c) { return c.status() == Container::CREATED; }

// How one module treats one container. `text` is only filled when it does not confine.
struct Confinement {
  enum class Kind { kConfined, kNot, kNoEvidence };
  Kind kind = Kind::kNot;
  std::string text = {};
  const char* source = "";
  absl::string_view reason = {};
};
using Kind = Confinement::Kind;

Confinement ByAppArmor(const Container& c) {
  const std::string& profile = c.apparmor_profile();
  if (profile.empty() || profile == kUnconfined) {
    // The engine fills the profile in at the first start.
    if (profile.empty() && NeverStarted(c) && c.security_options().apparmor() != kUnconfined) {
      return {.kind = Kind::kNoEvidence};
    }
    return {.text = profile.empty() ? "no AppArmor profile" : "AppArmor profile unconfined",
            .source = kProfileSource};
  }
  const std::string& label = c.runtime().lsm_label();
  if (c.runtime().has_lsm_label() && !absl::EndsWith(label, "(enforce)")) {
    return {.text = absl::StrCat("profile ", profile, ", but its process runs as \"", label, "\""),
            .source = kRuntimeSource,
            .reason = reason::kConfiguredNotInForce};
  }
  return {.kind = Kind::kConfined};
}

Confinement BySelinux(const v1::MacConfinementArgs& args, const Container& c) {
  if (!ConfiningLabel(args, c.process_label())) {
    return {.text = c.process_label().empty() ? "no SELinux label"
                                              : absl::StrCat("SELinux label ", c.process_label()),
            .source = kLabelSource};
  }
  if (c.runtime().has_lsm_label() && !TypeOf(c.runtime().lsm_label()).empty() &&
      !ConfiningLabel(args, c.runtime().lsm_label())) {
    return {.text = absl::StrCat("its process runs as ", c.runtime().lsm_label()),
            .source = kRuntimeSource,
            .reason = reason::kConfiguredNotInForce};
  }
  return {.kind = Kind::kConfined};
}

Outcome UnknownModule(const Usable& module, absl::string_view name) {
  return Unknown(ReasonFor(module.source, *module.outcome),
                 absl::StrCat("whether ", std::string(name), " is in force was not read"),
                 kExpected, module.source == Source::kMachine ? "/sys" : "/info SecurityOptions");
}

Outcome JudgeConfined(const v1::MacConfinementArgs& args, const Usable& apparmor,
                      const Usable& selinux, const Container& c) {
  Confinement by_apparmor;
  if (!apparmor.Is(State::kNo)) {
    by_apparmor = ByAppArmor(c);
    if (by_apparmor.kind == Kind::kConfined && apparmor.Is(State::kYes)) return Pass();
  }
  Confinement by_selinux;
  if (!selinux.Is(State::kNo)) {
    by_selinux = BySelinux(args, c);
    if (by_selinux.kind == Kind::kConfined && selinux.Is(State::kYes)) return Pass();
  }
  // A module nobody could read confines it only if it would: then nothing is proven.
  if (by_apparmor.kind == Kind::kConfined) return UnknownModule(apparmor, "AppArmor");
  if (by_selinux.kind == Kind::kConfined) return UnknownModule(selinux, "SELinux");
  if (by_apparmor.kind == Kind::kNoEvidence) return OutOfScope();
  Confinement& shown = by_apparmor.text.empty() ? by_selinux : by_apparmor;
  return Fail(std::move(shown.text), kExpected, shown.source, shown.reason);
}

}  // namespace

void JudgeMacConfinement(const Context& context, const v1::Check& check, Judge& judge) {
  const auto& args = check.mac_confinement();
  const Usable apparmor = AppArmor(context);
  const Usable selinux = Selinux(context);
  if (apparmor.Is(State::kNo) && selinux.Is(State::kNo)) {
    judge.Fail({.name = "host", .id = ""},
               {.observed = "neither AppArmor nor SELinux is enforced and used by the engine",
                .expected = "AppArmor or SELinux enforced, and enabled in the engine",
                .reason = "no_mac",
                .source = "/info SecurityOptions, /sys"});
    return;
  }
  if (!apparmor.Is(State::kYes) && !selinux.Is(State::kYes)) {
    for (const Usable* module : {&apparmor, &selinux}) {
      if (module->Is(State::kUnknown)) judge.UnknownFrom(module->source, *module->outcome);
    }
    return;
  }
  bool judged = false;
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    Outcome outcome = JudgeConfined(args, apparmor, selinux, c);
    judged = judged || outcome.kind != Outcome::Kind::kOutOfScope;
    return outcome;
  });
  if (judged) return;
  // A usable module is enough where there is nothing to confine.
  judge.Decide(v1::Verdict::PASS, "",
               apparmor.Is(State::kYes) ? "AppArmor is enforced" : "SELinux is enforced");
}

void JudgeApparmorNotDisabled(const Context& context, const v1::Check& check, Judge& judge) {
  static constexpr char kProfile[] = "an AppArmor profile other than unconfined";
  const Usable apparmor = AppArmor(context);
  bool any = false;
  ForEachContainer(
      context, check.container_apparmor_not_disabled().scope(), judge, [&](const Container& c) {
        any = true;
        if (c.security_options().apparmor() == kUnconfined) {
          return Fail("SecurityOpt apparmor=unconfined", kProfile,
                      "inspect HostConfig.SecurityOpt");
        }
        if (apparmor.Is(State::kNo)) return OutOfScope();
        if (apparmor.Is(State::kUnknown)) return UnknownModule(apparmor, "AppArmor");
        const std::string& profile = c.apparmor_profile();
        if (profile.empty() && NeverStarted(c)) return OutOfScope();
        if (!profile.empty() && profile != kUnconfined) return Pass();
        return Fail(profile.empty() ? "no AppArmor profile" : "AppArmor profile unconfined",
                    kProfile, kProfileSource);
      });
  if (apparmor.Is(State::kNo)) {
    judge.Decide(v1::Verdict::NOT_APPLICABLE, reason::kEngineUnsupported,
                 "AppArmor is not in use on this host");
  } else if (!any && apparmor.Is(State::kUnknown)) {
    judge.UnknownFrom(apparmor.source, *apparmor.outcome);
  }
}

}  // namespace plimsoll::evaluate
