// Rules on the log level and on where container logs go.
#include "tests/controller/evaluate/case_runner.h"
#include "tests/controller/evaluate/checks/recorded_hosts.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

std::string Level(const std::string& level) {
  return absl::StrCat("daemon { config_file { settings { log_level: '", level, "' } } }");
}

const RuleCases kLevel(
    {"azure-docker/2.02"},
    {{.name = "default", .status = Verdict::PASS, .observed = "info"},
     {.name = "stock", .clear = kSections, .facts = Stock().Facts(), .status = Verdict::PASS},
     {.name = "hardened-flags",
      .clear = kSections,
      .facts = HardenedFlags().Facts(),
      .status = Verdict::PASS},
     {.name = "case does not matter", .facts = Level("INFO"), .status = Verdict::PASS},
     {.name = "warn", .facts = Level("warn"), .status = Verdict::FAIL, .observed = "warn"},
     {.name = "warning is warn",
      .facts = Level("warning"),
      .args = "allowed: 'info' allowed: 'warn'",
      .status = Verdict::PASS},
     {.name = "debug on the command line",
      .facts = "daemon { command_line { settings { log_level: 'debug' } } }",
      .status = Verdict::FAIL,
      .observed = "debug"},
     {.name = "-D beats the level",
      .facts = "engine { debug: true } daemon { command_line { settings { debug: true } } "
               "config_file { settings { log_level: 'info' } } }",
      .status = Verdict::FAIL,
      .observed = "debug"},
     {.name = "bad-json", .clear = kSections, .facts = BadJson().Facts(), .status = Verdict::FAIL},
     {.name = "debug in force, nothing else read",
      .facts = "engine { debug: true } daemon { outcome { state: PERMISSION_DENIED } "
               "command_line { outcome { state: PERMISSION_DENIED } } }",
      .status = Verdict::FAIL},
     {.name = "debug in force and allowed",
      .facts = "engine { debug: true }",
      .args = "allowed: 'debug'",
      .status = Verdict::PASS},
     {.name = "SIGHUP took debug back",
      .facts = "engine { debug: false } daemon { config_file { settings { debug: true } } }",
      .status = Verdict::PASS},
     {.name = "info unread, debug by flag",
      .facts = "engine { info_outcome { state: UNAVAILABLE } } "
               "daemon { command_line { settings { debug: true } } }",
      .status = Verdict::FAIL},
     {.name = "info unread, another level by flag",
      .facts = "engine { info_outcome { state: UNAVAILABLE } } "
               "daemon { command_line { settings { log_level: 'error' } } }",
      .status = Verdict::FAIL},
     {.name = "info unread",
      .facts = "engine { info_outcome { state: UNAVAILABLE } }",
      .reason = "engine_unreachable"},
     {.name = "command line unread",
      .facts = "daemon { command_line { outcome { state: PERMISSION_DENIED } } }",
      .reason = "permission_denied"},
     {.name = "file unread",
      .facts = "daemon { config_file { outcome { state: PERMISSION_DENIED } } }",
      .reason = "permission_denied"},
     {.name = "file unread, level by flag",
      .facts = "daemon { command_line { settings { log_level: 'fatal' } } "
               "config_file { outcome { state: PERMISSION_DENIED } } }",
      .status = Verdict::FAIL},
     {.name = "drift, good",
      .facts = "daemon { config_file { modify_time { seconds: 1767200000 } } }",
      .reason = "config_newer_than_process"},
     {.name = "drift, bad",
      .facts = "daemon { config_file { modify_time { seconds: 1767200000 } "
               "settings { log_level: 'error' } } }",
      .status = Verdict::FAIL,
      .reason = "pending_restart"},
     {.name = "nothing collected", .base = Base::kEmpty, .reason = "not_collected"}});

std::string Driver(const std::string& driver, const std::string& options = "") {
  return absl::StrCat("engine { logging_driver: '", driver,
                      "' } daemon { config_file { settings { log_driver: '", driver,
                      "' log_opts { ", options, " } } } }");
}
std::string Address(const std::string& name, const std::string& scheme, bool loopback) {
  return absl::StrCat("options { name: '", name, "' address_scheme: '", scheme,
                      "' address_is_loopback: ", loopback ? "true" : "false", " }");
}

const RuleCases kRemote(
    {"azure-docker/2.12"},
    {{.name = "syslog over tls to another machine",
      .status = Verdict::PASS,
      .observed = "to another machine"},
     {.name = "stock",
      .clear = kSections,
      .facts = Stock().Facts(),
      .status = Verdict::FAIL,
      .observed = "json-file"},
     {.name = "local", .facts = Driver("local"), .status = Verdict::FAIL},
     {.name = "none", .facts = Driver("none"), .status = Verdict::FAIL},
     {.name = "a driver nobody listed", .facts = Driver("acme"), .status = Verdict::FAIL},
     {.name = "a driver the operator listed",
      .facts = Driver("acme"),
      .args = "remote_drivers: 'acme'",
      .status = Verdict::PASS},
     {.name = "a plugin with its tag", .facts = Driver("loki:latest"), .status = Verdict::PASS},
     {.name = "awslogs has no address", .facts = Driver("awslogs"), .status = Verdict::PASS},
     {.name = "hardened-json: syslog to loopback",
      .clear = kSections,
      .facts = HardenedJson().Facts(),
      .status = Verdict::MANUAL},
     {.name = "hardened-flags: journald",
      .clear = kSections,
      .facts = HardenedFlags().Facts(),
      .status = Verdict::MANUAL},
     {.name = "journald with a forwarder",
      .clear = kSections,
      .facts = HardenedFlags().Facts(),
      .args = "local_forwarder: true",
      .status = Verdict::PASS},
     {.name = "syslog without address",
      .clear = {"daemon.config_file.settings.log_opts"},
      .status = Verdict::MANUAL},
     {.name = "syslog to a unix socket",
      .facts = Driver("syslog", Address("syslog-address", "unix", true)),
      .status = Verdict::MANUAL},
     {.name = "syslog over udp to another machine",
      .facts = Driver("syslog", Address("syslog-address", "udp", false)),
      .status = Verdict::PASS},
     {.name = "fluentd without address means localhost",
      .clear = {"daemon.config_file.settings.log_opts"},
      .facts = "engine { logging_driver: 'fluentd' } "
               "daemon { config_file { settings { log_driver: 'fluentd' } } }",
      .status = Verdict::MANUAL},
     {.name = "fluentd to another machine",
      .facts = Driver("fluentd", Address("fluentd-address", "", false)),
      .status = Verdict::PASS},
     {.name = "gelf to another machine",
      .facts = Driver("gelf", Address("gelf-address", "udp", false)),
      .status = Verdict::PASS},
     {.name = "written, not in force",
      .facts = "engine { logging_driver: 'json-file' } "
               "daemon { config_file { settings { log_driver: 'gelf' } } }",
      .status = Verdict::FAIL,
      .reason = "configured_not_in_force"},
     {.name = "options unread",
      .facts = "daemon { command_line { outcome { state: PERMISSION_DENIED } } }",
      .reason = "permission_denied"},
     {.name = "options unread, not needed",
      .facts = "engine { logging_driver: 'json-file' } "
               "daemon { command_line { outcome { state: PERMISSION_DENIED } } }",
      .status = Verdict::FAIL},
     {.name = "options changed after start",
      .facts = "daemon { config_file { modify_time { seconds: 1767200000 } } }",
      .reason = "config_newer_than_process"},
     {.name = "driver not sent", .clear = {"engine.logging_driver"}, .reason = "not_collected"},
     {.name = "info unread",
      .facts = "engine { info_outcome { state: TIMED_OUT } }",
      .reason = "timed_out"},
     {.name = "a container of another driver is a note",
      .facts = "containers { containers { name: 'web' log_driver: 'json-file' } }",
      .status = Verdict::PASS,
      .note = "container_log_driver_differs"},
     {.name = "containers on request",
      .facts = "containers { containers { name: 'web' log_driver: 'json-file' } "
               "containers { name: 'job' log_driver: 'json-file' } }",
      .args = "judge_containers: true",
      .status = Verdict::FAIL,
      .findings = 3,
      .observed = "to an address not known here"},
     {.name = "containers on request, listing unread",
      .clear = {"containers"},
      .facts = "containers { outcome { state: TIMED_OUT } }",
      .args = "judge_containers: true",
      .reason = "timed_out"}});

const RuleCases kDriver(
    {"edge-docker/4.02"},
    {{.name = "syslog, even a local one",
      .clear = kSections,
      .facts = HardenedJson().Facts(),
      .status = Verdict::PASS},
     {.name = "stock",
      .clear = kSections,
      .facts = Stock().Facts(),
      .status = Verdict::FAIL,
      .reason = ""},
     {.name = "journald",
      .clear = kSections,
      .facts = HardenedFlags().Facts(),
      .status = Verdict::FAIL},
     {.name = "journald allowed",
      .clear = kSections,
      .facts = HardenedFlags().Facts(),
      .args = "allowed: 'syslog' allowed: 'journald'",
      .status = Verdict::PASS},
     {.name = "written, not in force",
      .facts = "engine { logging_driver: 'json-file' }",
      .status = Verdict::FAIL,
      .reason = "configured_not_in_force"},
     {.name = "not sent", .clear = {"engine.logging_driver"}, .reason = "not_collected"},
     {.name = "info refused",
      .facts = "engine { info_outcome { state: PERMISSION_DENIED } }",
      .reason = "engine_denied"}});

}  // namespace
}  // namespace plimsoll::evaluate
