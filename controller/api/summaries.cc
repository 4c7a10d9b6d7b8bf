#include <google/protobuf/util/time_util.h>

#include "controller/access/authenticator.h"
#include "controller/api/api.h"

namespace plimsoll::api {
namespace {

void Add(const v1::StatusCounts& from, v1::StatusCounts& to) {
  to.set_pass(to.pass() + from.pass());
  to.set_fail(to.fail() + from.fail());
  to.set_unknown(to.unknown() + from.unknown());
  to.set_not_applicable(to.not_applicable() + from.not_applicable());
  to.set_manual(to.manual() + from.manual());
}

}  // namespace

absl::StatusOr<v1::Summary> Summaries::Get(const Principal& who,
                                           const v1::GetSummaryRequest& request) {
  if (auto status = access::RequireRole(who, store::Role::kViewer); !status.ok()) return status;
  auto baseline = baselines_.Find(request.baseline());
  if (!baseline.ok()) return baseline.status();
  std::string host_id;
  if (!request.host().empty()) {
    auto host = store_.hosts().Get(request.host());
    if (!host.ok()) return host.status();
    host_id = host->id();
  }
  auto counts = store_.reports().Summarize(request.baseline(), host_id,
                                           {request.labels().begin(), request.labels().end()});
  if (!counts.ok()) return counts.status();
  std::map<std::string, const v1::StatusCounts*> by_rule;
  for (const store::RuleCounts& rule : counts->rules) by_rule[rule.rule_id] = &rule.counts;

  v1::Summary summary;
  v1::BaselineRef* ref = summary.mutable_baseline();
  ref->set_id((*baseline)->id());
  ref->set_version((*baseline)->version());
  ref->set_digest((*baseline)->digest());
  ref->set_title((*baseline)->title());
  summary.set_host_count(counts->host_count);
  summary.set_evaluated_host_count(counts->evaluated_host_count);
  std::map<int, v1::StatusCounts, std::greater<int>> by_severity;
  for (const v1::Rule& rule : (*baseline)->rules()) {
    const auto it = by_rule.find(rule.id());
    if (it == by_rule.end()) continue;
    v1::RuleSummary* line = summary.add_rules();
    line->set_rule_id(rule.id());
    line->set_title(rule.title());
    line->set_severity(rule.severity());
    *line->mutable_counts() = *it->second;
    if (!rule.scored() || !rule.alias_of().empty()) continue;
    Add(*it->second, *summary.mutable_counts());
    Add(*it->second, by_severity[rule.severity()]);
  }
  for (const auto& [severity, severity_counts] : by_severity) {
    v1::SeveritySummary* line = summary.add_severities();
    line->set_severity(static_cast<v1::Severity>(severity));
    *line->mutable_counts() = severity_counts;
  }
  const v1::StatusCounts& total = summary.counts();
  const double judged = total.pass() + total.fail() + total.unknown();
  if (judged > 0) {
    summary.set_compliance_lower(total.pass() / judged);
    summary.set_compliance_upper((total.pass() + total.unknown()) / judged);
  }
  *summary.mutable_as_of_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  return summary;
}

}  // namespace plimsoll::api
