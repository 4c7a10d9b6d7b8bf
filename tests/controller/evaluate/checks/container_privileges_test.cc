// Rules 5.03, 5.04, 5.25.
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

const RuleCases kPrivileged(
    {"azure-docker/5.04"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'privileged'", "privileged: true", Verdict::FAIL, "privileged"),
        One("'plain'", "privileged: false", Verdict::PASS),
    }));

// A container of which the engine did not send that field.
Case Unsent(const std::string& name) {
  return {.name = name,
          .clear = {"containers.containers[*]"},
          .facts = Containers("containers { id: 'a' name: 'it' outcome { state: OK } "
                              "status: RUNNING }"),
          .status = Verdict::UNKNOWN,
          .reason = "parse_error"};
}

const RuleCases kUnsentPrivileged({"azure-docker/5.04", "azure-docker/5.03", "azure-docker/5.17"},
                                  {Unsent("the engine did not send Privileged")});

const RuleCases kCapabilities(
    {"azure-docker/5.03"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'plain'", "", Verdict::PASS),
        One("'cap-add'", "cap_add: ['NET_ADMIN', 'SYS_TIME']", Verdict::FAIL, "NET_ADMIN SYS_TIME"),
        One("'cap-add-lower'", "cap_add: 'net_admin'", Verdict::FAIL, "NET_ADMIN"),
        One("'cap-add-prefix'", "cap_add: 'CAP_NET_ADMIN'", Verdict::FAIL, "NET_ADMIN"),
        One("'cap-add-all'", "cap_add: 'ALL'", Verdict::FAIL, "ALL"),
        One("'cap-add-default'", "cap_add: ['CHOWN', 'NET_RAW']", Verdict::PASS),
        One("every default one",
            "cap_add: ['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', "
            "'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'NET_RAW', 'SETFCAP', 'SETGID', "
            "'SETPCAP', 'SETUID', 'SYS_CHROOT']",
            Verdict::PASS),
        One("'cap-drop-all'", "cap_drop: 'ALL'", Verdict::PASS),
        One("'cap-drop-all-add'", "cap_drop: 'ALL' cap_add: 'NET_BIND_SERVICE'", Verdict::PASS),
        One("'cap-drop-some'", "cap_drop: ['SETUID', 'SETGID']", Verdict::PASS),
        One("a capability nobody knows", "cap_add: 'SYS_TIMETRAVEL'", Verdict::FAIL,
            "SYS_TIMETRAVEL"),
        One("'privileged'", "privileged: true runtime { cap_effective: 0x1ffffffffff }",
            Verdict::FAIL, "000001ffffffffff"),
        OneWith("privileged is left to 5.04", "count_privileged: false", "privileged: true",
                Verdict::PASS),
        OneWith("allowed", "allowed: 'cap_net_admin'", "cap_add: 'NET_ADMIN'", Verdict::PASS),
        OneWith("one allowed of two", "allowed: 'NET_ADMIN'", "cap_add: ['NET_ADMIN', 'BPF']",
                Verdict::FAIL, "adds BPF"),
        OneWith("ALL is not covered by one", "allowed: 'NET_ADMIN'", "cap_add: 'ALL'",
                Verdict::FAIL),
        OneWith("allowed until a day gone by", "allowed: 'NET_ADMIN until 2025-01-01'",
                "cap_add: 'NET_ADMIN'", Verdict::FAIL),
        OneWith("forbidden and kept", "forbidden: 'NET_RAW'", "", Verdict::FAIL, "keeps NET_RAW"),
        OneWith("forbidden and dropped", "forbidden: 'NET_RAW'", "cap_drop: 'net_raw'",
                Verdict::PASS),
        OneWith("forbidden and dropped with all", "forbidden: 'NET_RAW'", "cap_drop: 'all'",
                Verdict::PASS),
        OneWith("forbidden, dropped and added again", "forbidden: 'NET_RAW'",
                "cap_drop: 'ALL' cap_add: 'NET_RAW'", Verdict::FAIL),
        OneWith("all must go", "require_drop_all: true", "cap_drop: 'SETUID'", Verdict::FAIL),
        OneWith("all go", "require_drop_all: true", "cap_drop: 'all' cap_add: 'CHOWN'",
                Verdict::PASS),
    }));

// An engine whose daemon restricts nothing.
Case NoDefault(Case c) {
  return Without(Without(std::move(c), "engine.security_options"),
                 "daemon.config_file.settings.no_new_privileges");
}
constexpr char kOldEngine[] = "engine { version: '20.10.24+dfsg1' }";

const RuleCases kNoNewPrivileges(
    {"azure-docker/5.25"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'nnp', 'nnp-true', 'nnp-eq'", "security_options { no_new_privileges: true }",
            Verdict::PASS),
        One("'nnp-false'", "security_options { no_new_privileges: false }", Verdict::FAIL),
        One("the option beats the state file",
            "security_options { no_new_privileges: false } "
            "state_file_no_new_privileges: true",
            Verdict::FAIL),
        One("inherited when it was created", "state_file_no_new_privileges: true", Verdict::PASS),
        One("created before the daemon's default", "state_file_no_new_privileges: false",
            Verdict::FAIL),
        One("created before, seen by its process", "runtime { no_new_privs: false }", Verdict::FAIL,
            "NoNewPrivs: 0"),
        One("its process is restricted", "runtime { no_new_privs: true }", Verdict::PASS),
        Because(One("asked for and not in force",
                    "security_options { no_new_privileges: true } "
                    "runtime { no_new_privs: false }",
                    Verdict::FAIL),
                "configured_not_in_force"),
        Because(One("only the daemon's default today is known", "", Verdict::UNKNOWN),
                "not_collected"),
        Because(One("the state file was refused", "state_file_outcome { state: PERMISSION_DENIED }",
                    Verdict::UNKNOWN),
                "permission_denied"),
        NoDefault(One("'plain', daemon default off", "", Verdict::FAIL, "neither")),
        Given(NoDefault(One("'plain', older engine, default off", "", Verdict::FAIL)), kOldEngine),
        Given(Without(One("older engine, default on by file", "", Verdict::UNKNOWN),
                      "engine.security_options"),
              kOldEngine),
        Given(NoDefault(One("older engine, configuration not read", "", Verdict::UNKNOWN)),
              std::string(kOldEngine) +
                  "daemon { command_line { outcome { state: PERMISSION_DENIED } } }"),
        Because(Given(NoDefault(One("older engine, file edited after the start", "",
                                    Verdict::UNKNOWN)),
                      std::string(kOldEngine) +
                          "daemon { config_file { modify_time { seconds: 1767200000 } } }"),
                "config_newer_than_process"),
        Given(NoDefault(One("/info was not read", "", Verdict::UNKNOWN)),
              "engine { info_outcome { state: TIMED_OUT } } "
              "daemon { outcome { state: PERMISSION_DENIED } }"),
    }));

}  // namespace
}  // namespace plimsoll::evaluate
