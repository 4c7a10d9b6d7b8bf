// Which files the audit rules are about: units, the data root, the programs of the engine.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"
#include "tests/controller/evaluate/checks/audit_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

const std::string kSomethingElse = Watch("/srv/other");

std::vector<Case> UnitCases(const std::string& unit) {
  const std::string name = absl::StrCat("units { units { name: '", unit, "' ");
  return {
      {.name = "masked",
       .facts = absl::StrCat(name, "load_state: MASKED } }"),
       .status = Verdict::NOT_APPLICABLE,
       .reason = "unit_masked"},
      {.name = "absent",
       .facts = absl::StrCat(name, "load_state: NOT_FOUND } }"),
       .status = Verdict::NOT_APPLICABLE,
       .reason = "unit_absent"},
      {.name = "unread",
       .facts = absl::StrCat(name, "outcome { state: TIMED_OUT } } }"),
       .status = Verdict::UNKNOWN,
       .reason = "timed_out"},
      {.name = "not looked for",
       .clear = {absl::StrCat("units.units[", unit, "]")},
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "drop-in not audited",
       .facts = absl::StrCat(name,
                             "drop_in_paths: '/etc/x.conf' } } files { files { path: "
                             "'/etc/x.conf' outcome { state: OK } device: '8:1' } }"),
       .args = "dropins: ENFORCE",
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "drop-in noted",
       .facts = absl::StrCat(name, "drop_in_paths: '/etc/x.conf' } }"),
       .status = Verdict::PASS,
       .note = "drop_ins"},
  };
}

const RuleCases kUnits[] = {
    {{"azure-docker/1.08", "edge-docker/3.04"}, UnitCases("docker.service")},
    {{"azure-docker/1.09", "edge-docker/3.05"}, UnitCases("docker.socket")},
};

const RuleCases kDataRoot(
    {"azure-docker/1.06", "edge-docker/3.02"},
    {{.name = "a directory in it",
      .clear = {"audit.persisted_rules"},
      .facts = Recursive("/var/lib/docker/volumes"),
      .status = Verdict::FAIL,
      .reason = ""},
     {.name = "own partition below the rule",
      .facts = Recursive("/var/lib"),
      .status = Verdict::UNKNOWN,
      .reason = "mount_boundary"},
     {.name = "own partition, mounted first",
      .facts = Recursive("/var/lib"),
      .args = "assume_mounts_first: true",
      .status = Verdict::PASS},
     {.name = "moved, the old place audited",
      .clear = {"audit.persisted_rules"},
      .facts = absl::StrCat(Recursive("/var/lib/docker"),
                            "mounts { data_root: '/srv/docker' data_root_device: '8:1' }"),
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "moved, the old place is noted",
      .clear = {"audit.persisted_rules"},
      .facts = absl::StrCat(Recursive("/srv/docker"),
                            "mounts { data_root: '/srv/docker' data_root_device: '8:1' }"),
      .status = Verdict::PASS,
      .note = "not_audited"},
     {.name = "absent",
      .facts = "mounts { data_root_outcome { state: NOT_PRESENT } }",
      .status = Verdict::NOT_APPLICABLE,
      .reason = "file_absent"},
     {.name = "unresolved",
      .facts = "mounts { data_root_outcome { state: PERMISSION_DENIED } }",
      .status = Verdict::UNKNOWN,
      .reason = "permission_denied"},
     {.name = "mounts unread",
      .facts = "mounts { outcome { state: TIMED_OUT } }",
      .status = Verdict::UNKNOWN,
      .reason = "timed_out"}});

const std::string kNoClient = absl::StrCat("files { ", Absent("/usr/bin/docker"), "}");
const std::string kNoDaemon = "daemon { outcome { state: UNAVAILABLE } executable: '' } ";

const RuleCases kAnyProgram(
    {"azure-docker/1.05"},
    {{.name = "client alone",
      .clear = {"audit.persisted_rules"},
      .facts = Watch("/usr/bin/docker"),
      .status = Verdict::PASS,
      .findings = 1,
      .note = "not_audited"},
     {.name = "daemon alone",
      .clear = {"audit.persisted_rules"},
      .facts = Watch("/usr/bin/dockerd"),
      .status = Verdict::PASS,
      .findings = 1},
     {.name = "daemon elsewhere than its rule",
      .clear = {"audit.persisted_rules"},
      .facts = absl::StrCat(Watch("/usr/bin/dockerd"),
                            "daemon { executable: '/usr/sbin/dockerd' } files { files { path: "
                            "'/usr/sbin/dockerd' outcome { state: OK } device: '8:1' } }"),
      .status = Verdict::FAIL,
      .findings = 2},
     {.name = "neither",
      .clear = {"audit.persisted_rules"},
      .facts = kSomethingElse,
      .status = Verdict::FAIL,
      .findings = 2},
     {.name = "no client, daemon audited", .facts = kNoClient, .status = Verdict::PASS},
     {.name = "client audited, daemon not known", .facts = kNoDaemon, .status = Verdict::PASS},
     {.name = "client not audited, daemon not known",
      .clear = {"audit.persisted_rules"},
      .facts = absl::StrCat(kSomethingElse, kNoDaemon),
      .status = Verdict::UNKNOWN,
      .reason = "engine_unreachable",
      .note = "not_audited"},
     {.name = "both wanted, one there",
      .clear = {"audit.persisted_rules"},
      .facts = Watch("/usr/bin/docker"),
      .args = "target: BOTH",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "both wanted, daemon not known",
      .facts = kNoDaemon,
      .args = "target: BOTH",
      .status = Verdict::UNKNOWN,
      .reason = "engine_unreachable"},
     {.name = "use wanted", .args = "need: 'x'", .status = Verdict::FAIL}});

const RuleCases kClient({"edge-docker/3.01"}, {{.name = "the daemon does not count",
                                                .clear = {"audit.persisted_rules"},
                                                .facts = Watch("/usr/bin/dockerd"),
                                                .status = Verdict::FAIL},
                                               {.name = "the daemon need not be known",
                                                .facts = kNoDaemon,
                                                .status = Verdict::PASS}});

const RuleCases kDaemonProgram(
    {"edge-docker/3.11"},
    {{.name = "the client does not count",
      .clear = {"audit.persisted_rules"},
      .facts = Watch("/usr/bin/docker"),
      .status = Verdict::FAIL,
      .reason = ""},
     {.name = "elsewhere",
      .facts = absl::StrCat(Watch("/usr/sbin/dockerd"),
                            "daemon { executable: '/usr/sbin/dockerd' } files { files { path: "
                            "'/usr/sbin/dockerd' outcome { state: OK } device: '8:1' } }"),
      .status = Verdict::PASS},
     {.name = "not looked at",
      .facts = "daemon { executable: '/opt/dockerd' }",
      .status = Verdict::UNKNOWN,
      .reason = "not_collected"},
     {.name = "not known",
      .facts = kNoDaemon,
      .status = Verdict::UNKNOWN,
      .reason = "engine_unreachable"}});

const RuleCases kContainerd(
    {"azure-docker/1.12"},
    {{.name = "a rule on the shim is no rule on it",
      .clear = {"audit.persisted_rules"},
      .facts = Watch("/usr/bin/containerd-shim"),
      .status = Verdict::FAIL,
      .reason = ""},
     {.name = "the one that runs, too",
      .clear = {"audit.persisted_rules"},
      .facts = "daemon { containerd_executable: '/opt/containerd' } files { files { path: "
               "'/opt/containerd' outcome { state: OK } device: '8:1' } }",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "two names, one file",
      .facts = "files { files { path: '/usr/bin/docker-containerd' outcome { state: OK } "
               "canonical_path: '/usr/bin/containerd' is_symlink: true device: '8:1' } }",
      .status = Verdict::PASS,
      .findings = 1},
     {.name = "old name, not audited",
      .clear = {"audit.persisted_rules"},
      .facts = "files { files { path: '/usr/bin/docker-containerd' outcome { state: OK } device: "
               "'8:1' } }",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "none",
      .facts = absl::StrCat("files { ", Absent("/usr/bin/containerd"),
                            "} daemon { containerd_executable: '' }"),
      .status = Verdict::NOT_APPLICABLE,
      .reason = "file_absent"},
     {.name = "engine not known",
      .facts = kNoDaemon,
      .status = Verdict::UNKNOWN,
      .reason = "engine_unreachable"}});

const RuleCases kLegacy(
    {"edge-docker/3.08", "edge-docker/3.09"},
    {{.name = "modern host", .status = Verdict::NOT_APPLICABLE, .reason = "file_absent"},
     {.name = "old host",
      .facts = R"pb(files {
                      files {
                        path: "/usr/bin/docker-containerd"
                        outcome { state: OK }
                        device: "8:1"
                      }
                      files {
                        path: "/usr/bin/docker-runc"
                        outcome { state: OK }
                        device: "8:1"
                      }
                    })pb",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "old host, audited",
      .facts = absl::StrCat(Recursive("/usr/bin"),
                            R"pb(files {
                                   files {
                                     path: "/usr/bin/docker-containerd"
                                     outcome { state: OK }
                                     device: "8:1"
                                   }
                                   files {
                                     path: "/usr/bin/docker-runc"
                                     outcome { state: OK }
                                     device: "8:1"
                                   }
                                 })pb"),
      .status = Verdict::PASS,
      .findings = 1},
     {.name = "unread",
      .facts = "files { outcome { state: TIMED_OUT } }",
      .status = Verdict::UNKNOWN,
      .reason = "timed_out"}});

// Debian keeps the program in /usr/sbin and a link in /usr/bin.
constexpr char kDebianRunc[] =
    "files { files { path: '/usr/bin/runc' canonical_path: '/usr/sbin/runc' is_symlink: true } "
    "files { path: '/usr/sbin/runc' canonical_path: '/usr/sbin/runc' outcome { state: OK } type: "
    "REGULAR device: '8:1' } }";
const RuleCases kRuncLink(
    {"azure-docker/1.13", "edge-docker/3.17"},
    {{.name = "a watch on the link",
      .clear = {"audit.persisted_rules"},
      .facts = absl::StrCat(Kernel(Rule("path", "/usr/bin/runc", "last_is_symlink: true")),
                            kDebianRunc),
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "a watch on the program",
      .facts = absl::StrCat(Watch("/usr/sbin/runc"), kDebianRunc),
      .status = Verdict::PASS,
      .findings = 1}});

const RuleCases kRunc(
    {"azure-docker/1.13"},
    {{.name = "another default runtime",
      .clear = {"audit.persisted_rules"},
      .facts = "engine { default_runtime_path: '/opt/crun' } files { files { path: '/opt/crun' "
               "outcome { state: OK } device: '8:1' } }",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "a relative path",
      .clear = {"audit.persisted_rules"},
      .facts = "daemon { working_directory: '/srv' } engine { default_runtime_path: 'bin/crun' } "
               "files { files { path: '/srv/bin/crun' outcome { state: OK } device: '8:1' } }",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "a runtime that was not looked at",
      .facts = "engine { default_runtime_path: '/opt/crun' }",
      .status = Verdict::UNKNOWN,
      .reason = "not_collected"},
     {.name = "found before the usual places",
      .clear = {"audit.persisted_rules"},
      .facts =
          "files { files { path: '/usr/local/bin/runc' outcome { state: OK } device: '8:1' } }",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "a bare name nobody looked for",
      .facts = "engine { default_runtime_path: 'crun' }",
      .status = Verdict::UNKNOWN,
      .reason = "not_collected"},
     {.name = "engine not asked",
      .facts = "engine { info_outcome { state: PERMISSION_DENIED } }",
      .status = Verdict::UNKNOWN,
      .reason = "engine_denied"}});

}  // namespace
}  // namespace plimsoll::evaluate
