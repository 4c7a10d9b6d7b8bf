#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "collector/sources/audit_file.h"
#include "collector/sources/audit_kernel.h"
#include "collector/sources/auditd_conf.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"

namespace plimsoll::sources {
namespace {

constexpr size_t kMaxKernelRules = 8192;

absl::Status CollectKernel(host::HostEnv& env, v1::AuditFacts* facts) {
  const absl::StatusOr<host::AuditStatus> status = env.audit.Status();
  if (!status.ok()) return status.status();
  const absl::StatusOr<std::vector<std::string>> raw = env.audit.ListRules();
  if (!raw.ok()) return raw.status();
  if (raw->size() > kMaxKernelRules) {
    return absl::ResourceExhaustedError(absl::StrCat("more than ", kMaxKernelRules, " rules"));
  }
  AuditRuleList rules(env.files);
  for (const std::string& bytes : *raw) {
    absl::StatusOr<v1::AuditRule> rule = DecodeAuditRule(bytes);
    if (!rule.ok()) return rule.status();
    rules.Add(*std::move(rule));
  }
  facts->mutable_status()->set_enabled(status->enabled);
  facts->mutable_status()->set_auditd_running(status->pid != 0);
  facts->mutable_status()->set_failure(status->failure);
  facts->mutable_status()->set_backlog_limit(status->backlog_limit);
  for (const v1::AuditRule& rule : rules.kept()) *facts->add_kernel_rules() = rule;
  facts->set_other_kernel_rule_count(rules.other_count());
  return absl::OkStatus();
}

}  // namespace

v1::AuditFacts CollectAudit(host::HostEnv& env) {
  v1::AuditFacts facts;
  {
    OutcomeTimer timer(env.clock, facts.mutable_outcome());
    timer.Set(CollectKernel(env, &facts));
  }
  CollectPersistedRules(env, &facts);
  CollectAuditdConf(env, facts.mutable_daemon_config());
  return facts;
}

}  // namespace plimsoll::sources
