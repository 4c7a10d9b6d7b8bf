// Rules on single settings of the daemon: ulimits, storage options, live restore, experimental.
#include "tests/controller/evaluate/case_runner.h"
#include "tests/controller/evaluate/checks/recorded_hosts.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

constexpr char kLimited[] =
    "containers { id: '1' outcome { state: OK } name: 'a' status: RUNNING "
    "ulimits { name: 'nofile' soft: 10 hard: 10 } } ";
constexpr char kUnlimited[] =
    "containers { id: '2' outcome { state: OK } name: 'b' status: RUNNING } ";
constexpr char kEnded[] = "containers { id: '3' outcome { state: OK } name: 'c' status: EXITED } ";
constexpr char kUninspected[] =
    "containers { id: '4' outcome { state: TIMED_OUT } name: 'd' status: RUNNING } ";

std::string StockWith(const std::string& containers) {
  return With(Stock(), [&](Recorded& h) { h.containers = containers; });
}

const RuleCases kUlimits(
    {"azure-docker/2.07"},
    {{.name = "set", .status = Verdict::PASS, .observed = "nofile=1024:4096"},
     {.name = "hardened-flags",
      .clear = kSections,
      .facts = HardenedFlags().Facts(),
      .status = Verdict::PASS},
     {.name = "hardened-json",
      .clear = kSections,
      .facts = HardenedJson().Facts(),
      .status = Verdict::PASS},
     {.name = "stock",
      .clear = kSections,
      .facts = Stock().Facts(),
      .status = Verdict::FAIL,
      .reason = ""},
     {.name = "set to nothing",
      .clear = kSections,
      .facts = With(Stock(), [](Recorded& h) { h.file = "default_ulimits {}"; }),
      .status = Verdict::FAIL},
     {.name = "left to a person",
      .clear = kSections,
      .facts = Stock().Facts(),
      .args = "when_unset: 'manual'",
      .status = Verdict::MANUAL},
     {.name = "required and within",
      .args = "required { key: 'nofile' value { soft: 1024 hard: 4096 } }",
      .status = Verdict::PASS},
     {.name = "required and above",
      .clear = {"containers"},
      .facts = "containers { outcome { state: OK } }",
      .args = "required { key: 'nofile' value { soft: 1024 hard: 1024 } }",
      .status = Verdict::FAIL},
     {.name = "required and missing",
      .clear = {"containers"},
      .facts = "containers { outcome { state: OK } }",
      .args = "required { key: 'nproc' value { soft: 512 hard: 512 } }",
      .status = Verdict::FAIL},
     {.name = "unlimited is above every number",
      .clear = {"containers"},
      .facts = "containers { outcome { state: OK } } daemon { config_file { settings { "
               "default_ulimits { ulimits { name: 'nofile' soft: 1024 hard: -1 } } } } }",
      .args = "required { key: 'nofile' value { soft: 1024 hard: 4096 } }",
      .status = Verdict::FAIL,
      .observed = "unlimited"},
     {.name = "every container has its own",
      .clear = kSections,
      .facts = StockWith(absl::StrCat(kLimited, kEnded)),
      .status = Verdict::PASS,
      .note = "may_be_inherited"},
     {.name = "one container has none",
      .clear = kSections,
      .facts = StockWith(absl::StrCat(kLimited, kUnlimited)),
      .status = Verdict::FAIL},
     {.name = "no container in scope is no excuse",
      .clear = kSections,
      .facts = StockWith(kEnded),
      .status = Verdict::FAIL},
     {.name = "a container that was not inspected",
      .clear = kSections,
      .facts = StockWith(absl::StrCat(kLimited, kUninspected)),
      .reason = "timed_out"},
     {.name = "unset, listing cut off, one container has none",
      .clear = {"daemon.config_file.settings.default_ulimits", "containers"},
      .facts = absl::StrCat("containers { outcome { state: TRUNCATED } ", kUnlimited, "}"),
      .status = Verdict::FAIL},
     {.name = "unset, listing cut off, all seen have some",
      .clear = {"daemon.config_file.settings.default_ulimits", "containers"},
      .facts = absl::StrCat("containers { outcome { state: TRUNCATED } ", kLimited, "}"),
      .reason = "partial_listing"},
     {.name = "unset, no listing",
      .clear = {"daemon.config_file.settings.default_ulimits", "containers"},
      .facts = "containers { outcome { state: UNAVAILABLE } }",
      .reason = "engine_unreachable"},
     {.name = "containers make up for an unread command line",
      .clear = {"containers"},
      .facts = absl::StrCat("daemon { command_line { outcome { state: PERMISSION_DENIED } } } "
                            "containers { outcome { state: OK } ",
                            kLimited, "}"),
      .status = Verdict::PASS},
     {.name = "command line unread",
      .clear = {"containers"},
      .facts = absl::StrCat("daemon { command_line { outcome { state: PERMISSION_DENIED } } } "
                            "containers { outcome { state: OK } ",
                            kUnlimited, "}"),
      .reason = "permission_denied"},
     {.name = "drift",
      .clear = {"containers"},
      .facts = "containers { outcome { state: OK } } "
               "daemon { config_file { modify_time { seconds: 1767200000 } } }",
      .reason = "config_newer_than_process"}});

const RuleCases kBaseSize(
    {"azure-docker/2.10"},
    {{.name = "another driver",
      .status = Verdict::NOT_APPLICABLE,
      .reason = "driver_without_option"},
     {.name = "devicemapper left alone",
      .facts = "engine { storage_driver: 'devicemapper' }",
      .status = Verdict::PASS},
     {.name = "other options are fine",
      .facts = "engine { storage_driver: 'devicemapper' } daemon { command_line { settings { "
               "storage_opts { values: 'dm.thinpooldev' } } } }",
      .status = Verdict::PASS},
     {.name = "set",
      .facts = "engine { storage_driver: 'devicemapper' } daemon { command_line { settings { "
               "storage_opts { values: 'dm.fs' values: 'dm.basesize=20G' } } } }",
      .status = Verdict::FAIL,
      .observed = "dm.basesize=20G"},
     {.name = "set, driver unread",
      .facts = "engine { info_outcome { state: UNAVAILABLE } } daemon { command_line { settings { "
               "storage_opts { values: 'dm.basesize=20G' } } } }",
      .status = Verdict::FAIL},
     {.name = "an accepted size",
      .facts = "engine { storage_driver: 'devicemapper' } daemon { command_line { settings { "
               "storage_opts { values: 'dm.basesize=10G' } } } }",
      .args = "accept: '10G'",
      .status = Verdict::PASS},
     {.name = "written after start",
      .facts = "engine { storage_driver: 'devicemapper' } daemon { config_file { "
               "modify_time { seconds: 1767200000 } "
               "settings { storage_opts { values: 'dm.basesize=20G' } } } }",
      .status = Verdict::FAIL,
      .reason = "pending_restart"},
     {.name = "devicemapper, file newer",
      .facts = "engine { storage_driver: 'devicemapper' } "
               "daemon { config_file { modify_time { seconds: 1767200000 } } }",
      .reason = "config_newer_than_process"},
     {.name = "command line unread",
      .facts = "daemon { command_line { outcome { state: PERMISSION_DENIED } } }",
      .reason = "permission_denied"},
     {.name = "info unread",
      .facts = "engine { info_outcome { state: UNAVAILABLE } }",
      .reason = "engine_unreachable"},
     {.name = "driver not sent", .clear = {"engine.storage_driver"}, .reason = "not_collected"}});

const RuleCases kLiveRestore(
    {"azure-docker/2.14", "edge-docker/4.03", "edge-docker/13.01"},
    {{.name = "on", .status = Verdict::PASS},
     {.name = "hardened-flags",
      .clear = kSections,
      .facts = HardenedFlags().Facts(),
      .status = Verdict::PASS},
     {.name = "stock",
      .clear = kSections,
      .facts = Stock().Facts(),
      .status = Verdict::FAIL,
      .reason = ""},
     {.name = "--live-restore=false",
      .clear = kSections,
      .facts = With(Stock(), [](Recorded& h) { h.flags = "live_restore: false"; }),
      .status = Verdict::FAIL},
     {.name = "written, not loaded yet",
      .facts = "engine { live_restore: false }",
      .status = Verdict::FAIL,
      .reason = "configured_not_in_force"},
     {.name = "swarm manager",
      .facts = "engine { live_restore: false } swarm { local_node_state: ACTIVE }",
      .status = Verdict::NOT_APPLICABLE,
      .reason = "incompatible_with_swarm"},
     {.name = "pending",
      .facts = "swarm { local_node_state: PENDING }",
      .status = Verdict::NOT_APPLICABLE},
     {.name = "locked",
      .facts = "swarm { local_node_state: LOCKED }",
      .status = Verdict::NOT_APPLICABLE},
     {.name = "error",
      .facts = "swarm { local_node_state: ERROR }",
      .status = Verdict::NOT_APPLICABLE},
     {.name = "swarm unread",
      .facts = "swarm { outcome { state: UNAVAILABLE } }",
      .reason = "engine_unreachable"},
     {.name = "not sent", .clear = {"engine.live_restore"}, .reason = "not_collected"},
     {.name = "info refused",
      .facts = "engine { info_outcome { state: PERMISSION_DENIED } }",
      .reason = "engine_denied"}});

const RuleCases kExperimental(
    {"azure-docker/2.17"},
    {{.name = "off", .status = Verdict::PASS},
     {.name = "bad-flags on 20.10",
      .clear = kSections,
      .facts = BadFlags().Facts(),
      .status = Verdict::FAIL,
      .reason = ""},
     {.name = "bad-json", .clear = kSections, .facts = BadJson().Facts(), .status = Verdict::FAIL},
     {.name = "switched off in the file only",
      .facts = "engine { experimental: true } "
               "daemon { config_file { settings { experimental: false } } }",
      .status = Verdict::FAIL,
      .reason = "configured_not_in_force"},
     {.name = "not sent", .clear = {"engine.experimental"}, .reason = "not_collected"},
     {.name = "info unread",
      .facts = "engine { info_outcome { state: MALFORMED } }",
      .reason = "parse_error"}});

}  // namespace
}  // namespace plimsoll::evaluate
