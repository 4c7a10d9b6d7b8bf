// What the kernel audits: azure-docker 1.05 to 1.13, edge-docker 3.01 to 3.18. What each rule is
// about: audit_targets_test.cc.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"
#include "tests/controller/evaluate/checks/audit_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// Every rule that asks for a watch and is judged on the compliant host.
const std::vector<std::string>& WatchRules() {
  static const auto* const rules = new std::vector<std::string>{
      "azure-docker/1.05", "azure-docker/1.06", "azure-docker/1.07", "azure-docker/1.08",
      "azure-docker/1.09", "azure-docker/1.10", "azure-docker/1.11", "azure-docker/1.12",
      "azure-docker/1.13", "edge-docker/3.01",  "edge-docker/3.02",  "edge-docker/3.03",
      "edge-docker/3.04",  "edge-docker/3.05",  "edge-docker/3.06",  "edge-docker/3.07",
      "edge-docker/3.10",  "edge-docker/3.11",  "edge-docker/3.12",  "edge-docker/3.13",
      "edge-docker/3.14",  "edge-docker/3.15",  "edge-docker/3.16",  "edge-docker/3.17"};
  return *rules;
}

const RuleCases kEvery(
    WatchRules(),
    {
        {.name = "audited", .status = Verdict::PASS, .reason = ""},
        {.name = "no rules, none on disk",
         .clear = {"audit.kernel_rules", "audit.persisted_rules"},
         .status = Verdict::FAIL,
         .reason = ""},
        {.name = "on disk, not loaded",
         .clear = {"audit.kernel_rules"},
         .status = Verdict::FAIL,
         .reason = "persisted_not_loaded"},
        {.name = "loaded, not on disk",
         .clear = {"audit.persisted_rules"},
         .status = Verdict::PASS,
         .note = "not_persistent"},
        {.name = "loaded, not on disk, but wanted there",
         .clear = {"audit.persisted_rules"},
         .args = "require_persistent: true",
         .status = Verdict::FAIL,
         .reason = "not_persistent"},
        {.name = "wanted on disk, which is unread",
         .facts = "audit { persisted_outcome { state: PERMISSION_DENIED } }",
         .args = "require_persistent: true",
         .status = Verdict::UNKNOWN,
         .reason = "permission_denied"},
        {.name = "wanted on disk, and there",
         .args = "require_persistent: true",
         .status = Verdict::PASS},
        {.name = "switched off",
         .facts = "audit { status { enabled: 0 } }",
         .status = Verdict::FAIL,
         .reason = "audit_disabled"},
        {.name = "switched on and locked",
         .facts = "audit { status { enabled: 2 } }",
         .status = Verdict::PASS},
        {.name = "never,task",
         .facts = Kernel("kernel_rules { list: TASK action: NEVER } "),
         .status = Verdict::FAIL,
         .reason = "task_never"},
        {.name = "never first",
         .facts = Kernel("kernel_rules { list: EXIT action: NEVER all_syscalls: true } "),
         .status = Verdict::FAIL,
         .reason = "suppressed"},
        {.name = "kernel without audit",
         .clear = {"audit.status"},
         .facts = "audit { outcome { state: UNSUPPORTED } }",
         .status = Verdict::FAIL,
         .reason = "audit_absent"},
        {.name = "not allowed to ask, rules on disk",
         .facts = "audit { outcome { state: PERMISSION_DENIED } }",
         .status = Verdict::UNKNOWN,
         .reason = "permission_denied"},
        {.name = "status missing",
         .clear = {"audit.status"},
         .status = Verdict::UNKNOWN,
         .reason = "not_collected"},
        {.name = "no daemon takes records",
         .facts = "audit { status { auditd_running: false } }",
         .status = Verdict::PASS},
        {.name = "no daemon takes records, but must",
         .facts = "audit { status { auditd_running: false } }",
         .args = "require_auditd: true",
         .status = Verdict::FAIL,
         .reason = "auditd_not_running"},
        {.name = "key wanted", .args = "require_key: 'docker'", .status = Verdict::PASS},
        {.name = "another key wanted",
         .args = "require_key: 'cis'",
         .status = Verdict::FAIL,
         .reason = "key_missing"},
        {.name = "reading wanted, too", .args = "need: 'rwxa'", .status = Verdict::FAIL},
        {.name = "need is nonsense",
         .args = "need: 'q'",
         .status = Verdict::UNKNOWN,
         .reason = "parse_error"},
        {.name = "files unread",
         .facts = "files { outcome { state: TIMED_OUT } }",
         .status = Verdict::UNKNOWN,
         .reason = "timed_out"},
        {.name = "nothing was collected",
         .base = Base::kEmpty,
         .status = Verdict::UNKNOWN,
         .reason = "not_collected"},
    });

// Rules about one path: "$" is it.
std::vector<Case> PathCases(const std::string& path) {
  return {
      {.name = "absent",
       .facts = absl::StrCat("files { ", Absent(path), "}"),
       .status = Verdict::NOT_APPLICABLE,
       .reason = "file_absent"},
      {.name = "not collected",
       .clear = {absl::StrCat("files.files[", path, "]")},
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "unread",
       .facts = absl::StrCat("files { files { path: '", path, "' outcome { state: TIMED_OUT } } }"),
       .status = Verdict::UNKNOWN,
       .reason = "timed_out"},
      {.name = "a longer name is another file",
       .clear = {"audit.persisted_rules"},
       .facts = Watch(absl::StrCat(path, "-x")),
       .status = Verdict::FAIL,
       .reason = ""},
      {.name = "a rule on the link to it",
       .clear = {"audit.persisted_rules"},
       .facts = Kernel(Rule("path", path, "last_is_symlink: true")),
       .status = Verdict::FAIL,
       .reason = "watches_symlink"},
      {.name = "some users only",
       .clear = {"audit.persisted_rules"},
       .facts = Kernel(Rule("dir", path, "extra { name: 'auid' operator: '>=' value: '1000' }")),
       .status = Verdict::FAIL,
       .reason = "filtered_rule"},
  };
}

const RuleCases kPaths[] = {
    {{"azure-docker/1.07", "edge-docker/3.03"}, PathCases("/etc/docker")},
    {{"azure-docker/1.10", "edge-docker/3.06"}, PathCases("/etc/default/docker")},
    {{"azure-docker/1.11", "edge-docker/3.07"}, PathCases("/etc/docker/daemon.json")},
    {{"edge-docker/3.01"}, PathCases("/usr/bin/docker")},
    {{"edge-docker/3.10"}, PathCases("/run/containerd")},
    {{"edge-docker/3.12"}, PathCases("/etc/containerd/config.toml")},
    {{"edge-docker/3.13"}, PathCases("/usr/bin/containerd")},
    {{"edge-docker/3.14"}, PathCases("/usr/bin/containerd-shim")},
    {{"edge-docker/3.15"}, PathCases("/usr/bin/containerd-shim-runc-v1")},
    {{"edge-docker/3.16"}, PathCases("/usr/bin/containerd-shim-runc-v2")},
    {{"edge-docker/3.17"}, PathCases("/usr/bin/runc")},
};

const RuleCases kDirectory(
    {"azure-docker/1.07", "edge-docker/3.03"},
    {{.name = "a watch on a file in it",
      .clear = {"audit.persisted_rules"},
      .facts = Watch("/etc/docker/daemon.json"),
      .status = Verdict::FAIL,
      .reason = ""},
     {.name = "shallow",
      .clear = {"audit.persisted_rules"},
      .facts = Watch("/etc/docker"),
      .status = Verdict::FAIL,
      .reason = "shallow_watch"},
     {.name = "shallow, accepted",
      .facts = Watch("/etc/docker"),
      .args = "accept_shallow: true",
      .status = Verdict::PASS},
     {.name = "from above", .facts = Recursive("/etc"), .status = Verdict::PASS},
     {.name = "from above, not accepted",
      .clear = {"audit.persisted_rules"},
      .facts = Recursive("/etc"),
      .args = "accept_ancestor_dir: false",
      .status = Verdict::FAIL,
      .reason = "only_ancestor_rule"},
     {.name = "from above, across a mount",
      .facts = absl::StrCat(Recursive("/etc"),
                            "files { files { path: '/etc/docker' device: '8:9' } }"),
      .status = Verdict::UNKNOWN,
      .reason = "mount_boundary"}});

const RuleCases kShallowAccepted({"edge-docker/3.10"},
                                 {{.name = "plain watch made before the directory",
                                   .facts = Watch("/run/containerd"),
                                   .status = Verdict::PASS}});

const RuleCases kDaemonJson(
    {"azure-docker/1.11", "edge-docker/3.07"},
    {{.name = "by the directory", .facts = Recursive("/etc/docker"), .status = Verdict::PASS},
     {.name = "another file is in use",
      .facts = absl::StrCat(
          Watch("/etc/docker/daemon.json"),
          "daemon { config_file { path: '/srv/d.json' path_is_explicit: true } } files { files { "
          "path: '/srv/d.json' outcome { state: OK } canonical_path: '/srv/d.json' type: REGULAR "
          "device: '8:1' } }"),
      .status = Verdict::FAIL,
      .note = "default_file_unused"},
     {.name = "no engine",
      .facts = "daemon { outcome { state: UNAVAILABLE } }",
      .status = Verdict::UNKNOWN,
      .reason = "engine_unreachable"}});

const RuleCases kAlso(
    {"azure-docker/1.10"},
    {{.name = "sysconfig is there and not audited",
      .clear = {"audit.persisted_rules"},
      .facts = "files { files { path: '/etc/sysconfig/docker' outcome { state: OK } device: '8:1' "
               "} }",
      .status = Verdict::FAIL,
      .findings = 1}});

std::string Config(const std::string& body) {
  return absl::StrCat("audit { daemon_config { ", body, " } }");
}

const RuleCases kRotation(
    {"edge-docker/3.18"},
    {{.name = "rotate", .status = Verdict::PASS, .note = "archive_by_hand"},
     {.name = "keep_logs",
      .facts = Config("max_log_file_action: 'keep_logs' num_logs: 0"),
      .status = Verdict::PASS},
     {.name = "rotate two", .facts = Config("num_logs: 2"), .status = Verdict::PASS},
     {.name = "rotate one", .facts = Config("num_logs: 1"), .status = Verdict::FAIL},
     {.name = "rotate, number unset",
      .clear = {"audit.daemon_config.num_logs"},
      .status = Verdict::FAIL},
     {.name = "more wanted", .args = "min_num_logs: 6", .status = Verdict::FAIL},
     {.name = "ignore", .facts = Config("max_log_file_action: 'ignore'"), .status = Verdict::FAIL},
     {.name = "suspend",
      .facts = Config("max_log_file_action: 'suspend'"),
      .status = Verdict::FAIL},
     {.name = "unset means ignore",
      .clear = {"audit.daemon_config.max_log_file_action"},
      .status = Verdict::FAIL,
      .observed = "ignore"},
     {.name = "syslog",
      .facts = Config("max_log_file_action: 'syslog'"),
      .status = Verdict::MANUAL},
     {.name = "no such action",
      .facts = Config("max_log_file_action: 'what'"),
      .status = Verdict::UNKNOWN,
      .reason = "parse_error"},
     {.name = "no auditd.conf",
      .facts = Config("outcome { state: NOT_PRESENT }"),
      .status = Verdict::NOT_APPLICABLE,
      .reason = "file_absent"},
     {.name = "unread",
      .facts = Config("outcome { state: PERMISSION_DENIED }"),
      .status = Verdict::UNKNOWN,
      .reason = "permission_denied"},
     {.name = "kernel unread, file read",
      .facts = "audit { outcome { state: PERMISSION_DENIED } }",
      .status = Verdict::PASS},
     {.name = "nothing was collected",
      .base = Base::kEmpty,
      .status = Verdict::UNKNOWN,
      .reason = "not_collected"}});

}  // namespace
}  // namespace plimsoll::evaluate
