// Rules 5.01-2 (edge 9.01) and edge 9.02.
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// A host with SELinux in place of AppArmor.
Case OnSelinux(Case c) {
  c.clear.push_back("engine.security_options");
  c.clear.push_back("machine.security_modules");
  return Given(std::move(c),
               "engine { security_options { name: 'selinux' } } machine { security_modules { "
               "apparmor_outcome { state: NOT_PRESENT } selinux_enforcing: true "
               "selinux_outcome { state: OK } } }");
}
// A kernel without either, as the recorded fixtures come from.
Case OnNeither(Case c) {
  c.clear.push_back("engine.security_options");
  c.clear.push_back("machine.security_modules");
  return Given(
      std::move(c),
      "engine { security_options { name: 'seccomp' } } machine { security_modules { "
      "apparmor_outcome { state: NOT_PRESENT } selinux_outcome { state: NOT_PRESENT } } }");
}

constexpr char kContained[] = "system_u:system_r:container_t:s0:c1,c2";
std::string Label(const std::string& label) { return absl::StrCat("process_label: '", label, "'"); }

const RuleCases kMac(
    {"azure-docker/5.01-2", "edge-docker/9.01"},
    {
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "a usable module and no container",
         .clear = {"containers.containers[*]"},
         .status = Verdict::PASS},
        One("the default profile", "apparmor_profile: 'docker-default'", Verdict::PASS),
        One("the default profile, enforced",
            "apparmor_profile: 'docker-default' runtime { "
            "lsm_label: 'docker-default (enforce)' }",
            Verdict::PASS),
        Because(One("complain mode",
                    "apparmor_profile: 'docker-default' runtime { "
                    "lsm_label: 'docker-default (complain)' }",
                    Verdict::FAIL, "complain"),
                "configured_not_in_force"),
        One("unconfined in truth",
            "apparmor_profile: 'docker-default' runtime { "
            "lsm_label: 'unconfined' }",
            Verdict::FAIL),
        One("unconfined", "apparmor_profile: 'unconfined'", Verdict::FAIL, "unconfined"),
        One("privileged containers are unconfined",
            "privileged: true apparmor_profile: "
            "'unconfined' security_options { label_disabled: true }",
            Verdict::FAIL),
        One("no profile", "", Verdict::FAIL, "no AppArmor profile"),
        OneWith("never started: no evidence", "scope { states: 'created' }", "status: CREATED",
                Verdict::PASS),
        OneWith("never started, but unconfined by its options", "scope { states: 'created' }",
                "status: CREATED security_options { apparmor: 'unconfined' }", Verdict::FAIL),
        OnSelinux(One("SELinux label", Label(kContained), Verdict::PASS)),
        OnSelinux(One("SELinux label, seen in force",
                      Label(kContained) + "runtime { lsm_label: '" + kContained + "' }",
                      Verdict::PASS)),
        OnSelinux(One("SELinux label, another in force",
                      Label(kContained) +
                          "runtime { lsm_label: 'system_u:system_r:unconfined_t:s0' }",
                      Verdict::FAIL)),
        OnSelinux(One("label=disable", "security_options { label_disabled: true }", Verdict::FAIL,
                      "no SELinux label")),
        OnSelinux(One("privileged, whose label the engine itself disabled",
                      "privileged: true security_options { label_disabled: true }", Verdict::FAIL)),
        OnSelinux(One("spc_t", Label("system_u:system_r:spc_t:s0"), Verdict::FAIL, "spc_t")),
        OnSelinux(OneWith("another type is unconfined here", "unconfined_types: 'container_t'",
                          Label(kContained), Verdict::FAIL)),
        OnSelinux(One("an AppArmor profile is worth nothing there",
                      "apparmor_profile: 'docker-default'", Verdict::FAIL)),
        Because(OnNeither({.name = "no module, no container needed",
                           .clear = {"containers.containers[*]"},
                           .status = Verdict::FAIL,
                           .findings = 1}),
                "no_mac"),
        Because(OnNeither(One("'plain' and all other fixtures", "", Verdict::FAIL)), "no_mac"),
        Because({.name = "AppArmor in the kernel, not in the engine",
                 .clear = {"engine.security_options"},
                 .status = Verdict::FAIL},
                "no_mac"),
        Because({.name = "AppArmor in the engine, disabled in the kernel",
                 .facts = "machine { security_modules { apparmor_enabled: false } }",
                 .status = Verdict::FAIL},
                "no_mac"),
        {.name = "permissive SELinux is none",
         .clear = {"machine.security_modules", "engine.security_options"},
         .facts = "engine { security_options { name: 'selinux' } } machine { security_modules { "
                  "apparmor_outcome { state: NOT_PRESENT } selinux_enforcing: false } }",
         .status = Verdict::FAIL,
         .reason = "no_mac"},
        {.name = "the kernel's state was refused",
         .clear = {"machine.security_modules.apparmor_enabled"},
         .facts = "machine { security_modules { apparmor_outcome { state: PERMISSION_DENIED } } }",
         .status = Verdict::UNKNOWN,
         .reason = "permission_denied"},
        {.name = "no value, and no reason either",
         .clear = {"machine.security_modules.apparmor_enabled"},
         .status = Verdict::UNKNOWN,
         .reason = "not_collected"},
        {.name = "the engine's options were not read",
         .facts = "engine { info_outcome { state: TIMED_OUT } }",
         .status = Verdict::UNKNOWN,
         .reason = "timed_out"},
        {.name = "containers not listed",
         .facts = "containers { outcome { state: UNAVAILABLE } }",
         .status = Verdict::UNKNOWN,
         .reason = "engine_unreachable"},
        {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
    });

const RuleCases kApparmor(
    {"edge-docker/9.02"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        One("a profile", "apparmor_profile: 'docker-default'", Verdict::PASS),
        One("started without a profile", "", Verdict::FAIL, "no AppArmor profile"),
        One("'apparmor-unconfined', 'apparmor-colon'",
            "security_options { apparmor: 'unconfined' }", Verdict::FAIL),
        One("unconfined by the engine", "privileged: true apparmor_profile: 'unconfined'",
            Verdict::FAIL),
        OneWith("never started", "scope { states: 'created' }", "status: CREATED",
                Verdict::NOT_APPLICABLE),
        OnNeither(One("'apparmor-colon' without AppArmor fails all the same",
                      "security_options { apparmor: 'unconfined' }", Verdict::FAIL)),
        Because(OnNeither(One("'plain' without AppArmor", "", Verdict::NOT_APPLICABLE)),
                "engine_unsupported"),
        OnSelinux(One("a SELinux host", Label(kContained), Verdict::NOT_APPLICABLE)),
        Because(Given(Without(One("not known whether AppArmor is in use",
                                  "apparmor_profile: 'docker-default'", Verdict::UNKNOWN),
                              "machine.security_modules.apparmor_enabled"),
                      "machine { security_modules { apparmor_outcome { "
                      "state: PERMISSION_DENIED } } }"),
                "permission_denied"),
    }));

}  // namespace
}  // namespace plimsoll::evaluate
