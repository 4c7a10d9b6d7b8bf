#include "controller/store/postgres/report_rows.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "plimsoll/v1/stored.pb.h"

namespace plimsoll::store {
namespace {

constexpr Statement kRead = {
    "report_rows_read",
    "SELECT host_id, baseline_id, baseline_digest, statuses, since, failing_containers, evaluator,"
    " pass_count, fail_count, unknown_count, not_applicable_count, manual_count,"
    " waived_count, policy_key FROM host_report WHERE host_id = ANY($1::text[])"};
constexpr Statement kHistory = {
    "report_rows_history",
    "SELECT DISTINCT ON (host_id, baseline_id, rule_id) host_id, baseline_id, rule_id, to_status,"
    " micros(observed) FROM transition WHERE host_id = ANY($1::text[])"
    " ORDER BY host_id, baseline_id, rule_id, recorded DESC, sequence DESC"};
constexpr Statement kDelete = {
    "report_rows_delete",
    "DELETE FROM host_report r USING unnest($1::text[], $2::text[]) AS gone(host_id, baseline_id)"
    " WHERE r.host_id = gone.host_id AND r.baseline_id = gone.baseline_id"};
constexpr Statement kWrite = {
    "report_rows_write",
    "INSERT INTO host_report (host_id, baseline_id, baseline_digest, evaluator, pass_count,"
    " fail_count, unknown_count, not_applicable_count, manual_count, statuses, since,"
    " failing_containers, waived_count, policy_key)"
    " SELECT host_id, baseline_id, baseline_digest, evaluator, p, f, u, n, m,"
    " substring($10::bytea FROM s_begin FOR s_size), substring($13::bytea FROM t_begin FOR t_size),"
    " substring($16::bytea FROM c_begin FOR c_size), w, policy_key"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::integer[],"
    " $7::integer[], $8::integer[], $9::integer[], $11::integer[], $12::integer[], $14::integer[],"
    " $15::integer[], $17::integer[], $18::integer[], $19::integer[], $20::bigint[])"
    " AS r(host_id, baseline_id, baseline_digest, evaluator, p, f, u, n, m, s_begin, s_size,"
    " t_begin, t_size, c_begin, c_size, w, policy_key)"
    " ON CONFLICT (host_id, baseline_id) DO UPDATE SET baseline_digest = excluded.baseline_digest,"
    " evaluator = excluded.evaluator, statuses = excluded.statuses, since = excluded.since,"
    " failing_containers = excluded.failing_containers, pass_count = excluded.pass_count,"
    " fail_count = excluded.fail_count, unknown_count = excluded.unknown_count,"
    " not_applicable_count = excluded.not_applicable_count, manual_count = excluded.manual_count,"
    " waived_count = excluded.waived_count, policy_key = excluded.policy_key"};
// A from_status of -1 is the first verdict.
constexpr Statement kAppend = {
    "transitions_append",
    "INSERT INTO transition (host_id, baseline_id, rule_id, recorded, sequence, observed,"
    " baseline_digest, from_status, to_status, cause, gap_begin, facts_digest, verdict, "
    "from_waived,"
    " to_waived)"
    " SELECT host_id, baseline_id, rule_id, recorded, sequence, observed, baseline_digest,"
    " NULLIF(from_status, -1), to_status, cause, NULLIF(gap_begin, '')::timestamptz,"
    " substring($12::bytea FROM f_begin FOR f_size), substring($15::bytea FROM v_begin FOR v_size),"
    " from_waived, to_waived"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[],"
    " $6::timestamptz[], $7::text[], $8::smallint[], $9::smallint[], $10::smallint[], $11::text[],"
    " $13::integer[], $14::integer[], $16::integer[], $17::integer[], $18::boolean[],"
    " $19::boolean[]) AS t(host_id, baseline_id, rule_id, recorded, sequence, observed,"
    " baseline_digest, from_status, to_status, cause, gap_begin, f_begin, f_size, v_begin, v_size,"
    " from_waived, to_waived)"};

std::string HistoryKey(absl::string_view host, absl::string_view baseline, absl::string_view rule) {
  const absl::string_view nul("\0", 1);
  return absl::StrCat(host, nul, baseline, nul, rule);
}

absl::Status CheckVerdicts(const JudgedFacts& facts, const v1::HostReport& report,
                           const CatalogedBaseline& baseline) {
  bool alike = report.verdicts_size() == baseline.document.rules_size();
  for (int i = 0; alike && i < report.verdicts_size(); ++i) {
    alike = report.verdicts(i).rule_id() == baseline.document.rules(i).id();
  }
  if (alike) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the report of host ", facts.host_id, " under ", report.baseline().id(),
                   " has other verdicts than the baseline has rules"));
}

// Places, ascending, of rules that some settings of containers fail which did not before.
std::vector<int32_t> FailingMore(const std::string& before, const v1::FailingContainers& now) {
  v1::FailingContainers old;
  old.ParseFromString(before);
  std::set<std::pair<uint64_t, int32_t>> known;
  for (const auto& configuration : old.configurations()) {
    for (const int32_t rule : configuration.rules())
      known.emplace(configuration.fingerprint(), rule);
  }
  std::set<int32_t> more;
  for (const auto& configuration : now.configurations()) {
    for (const int32_t rule : configuration.rules()) {
      if (!known.contains({configuration.fingerprint(), rule})) more.insert(rule);
    }
  }
  return {more.begin(), more.end()};
}

}  // namespace

v1::StatusCounts CountsOf(const pqxx::row& row, int first) {
  v1::StatusCounts counts;
  counts.set_pass(row[first].as<int32_t>());
  counts.set_fail(row[first + 1].as<int32_t>());
  counts.set_unknown(row[first + 2].as<int32_t>());
  counts.set_not_applicable(row[first + 3].as<int32_t>());
  counts.set_manual(row[first + 4].as<int32_t>());
  counts.set_waived(row[first + 5].as<int32_t>());
  return counts;
}

std::string PackTimes(const std::vector<int64_t>& micros) {
  v1::StatusTimes times;
  int64_t before = 0;
  for (const int64_t time : micros) {
    times.add_delta_us(time - before);
    before = time;
  }
  return times.SerializeAsString();
}

std::vector<int64_t> UnpackTimes(absl::string_view packed) {
  v1::StatusTimes times;
  times.ParseFromArray(packed.data(), static_cast<int>(packed.size()));
  std::vector<int64_t> micros(times.delta_us().begin(), times.delta_us().end());
  for (size_t i = 1; i < micros.size(); ++i) micros[i] += micros[i - 1];
  return micros;
}

void ReportRows::Read(const std::vector<std::string>& host_ids) {
  if (host_ids.empty()) return;
  std::vector<std::string> old_hosts;
  for (const pqxx::row& row : tx_.Exec(kRead, TextArray(host_ids))) {
    const std::string host_id = TextOf(row[0]);
    ReportRow& report = rows_[host_id].emplace_back();
    report.baseline_id = TextOf(row[1]);
    report.baseline_digest = TextOf(row[2]);
    report.statuses = BytesOf(row[3]);
    report.since = BytesOf(row[4]);
    report.failing = BytesOf(row[5]);
    report.evaluator = TextOf(row[6]);
    report.counts = CountsOf(row, 7);
    report.policy_key = static_cast<uint64_t>(row[13].as<int64_t>());
    if (report.baseline_digest.empty()) old_hosts.push_back(host_id);
  }
  if (!old_hosts.empty()) ReadHistory(old_hosts);
}

void ReportRows::ReadHistory(const std::vector<std::string>& host_ids) {
  for (const pqxx::row& row : tx_.Exec(kHistory, TextArray(host_ids))) {
    history_[HistoryKey(TextOf(row[0]), TextOf(row[1]), TextOf(row[2]))] = {row[3].as<int>(),
                                                                            row[4].as<int64_t>()};
  }
}

absl::StatusOr<ReportRows::Before> ReportRows::BeforeOf(const std::string& host_id,
                                                        const ReportRow* row,
                                                        const CatalogedBaseline& baseline) {
  const auto& rules = baseline.document.rules();
  Before before(rules.size());
  if (row == nullptr) return before;
  if (row->baseline_digest.empty()) {
    for (int i = 0; i < rules.size(); ++i) {
      const auto known = history_.find(HistoryKey(host_id, row->baseline_id, rules.Get(i).id()));
      if (known != history_.end()) before[i] = known->second;
    }
    return before;
  }
  const std::vector<int64_t> since = UnpackTimes(row->since);
  const auto set = [&](int place, int old_place) {
    const auto at = static_cast<size_t>(old_place);
    if (at >= row->statuses.size()) return;
    before[place] = {static_cast<unsigned char>(row->statuses[at]),
                     at < since.size() ? since[at] : 0};
  };
  if (row->baseline_digest == baseline.document.digest()) {
    for (int i = 0; i < rules.size(); ++i) set(i, i);
    return before;
  }
  absl::StatusOr<BaselinePtr> old = catalog_.Find(tx_, row->baseline_digest);
  if (!old.ok()) return old.status();
  for (int i = 0; i < rules.size(); ++i) {
    const auto place = (*old)->places.find(rules.Get(i).id());
    if (place != (*old)->places.end()) set(i, place->second);
  }
  return before;
}

absl::StatusOr<ReportRows::Next> ReportRows::Compare(const JudgedFacts& facts,
                                                     const Judgement& judgement) {
  const v1::HostReport& report = judgement.report;
  const absl::StatusOr<BaselinePtr> baseline = catalog_.Find(tx_, report.baseline().digest());
  if (!baseline.ok()) return baseline.status();
  if (auto status = CheckVerdicts(facts, report, **baseline); !status.ok()) return status;
  Next next;
  next.report = &report;
  ReportRow& row = next.row;
  row.baseline_id = report.baseline().id();
  row.baseline_digest = report.baseline().digest();
  row.evaluator = report.evaluator_version();
  row.counts = report.counts();
  row.failing = judgement.failing.SerializeAsString();
  row.policy_key = facts.policy_key;
  for (const v1::Verdict& verdict : report.verdicts()) {
    row.statuses.push_back(
        static_cast<char>(verdict.status() | (verdict.waived() ? kWaivedMark : 0)));
  }
  const ReportRow* old = nullptr;
  for (const ReportRow& candidate : rows_[facts.host_id]) {
    if (candidate.baseline_id == row.baseline_id) old = &candidate;
  }
  next.changed = old == nullptr || old->baseline_digest != row.baseline_digest ||
                 old->statuses != row.statuses || old->failing != row.failing ||
                 old->evaluator != row.evaluator || old->policy_key != row.policy_key;
  if (!next.changed) {
    row.since = old->since;
    return next;
  }
  absl::StatusOr<Before> before = BeforeOf(facts.host_id, old, **baseline);
  if (!before.ok()) return before.status();
  next.before = *std::move(before);
  next.document = &(*baseline)->document;
  if (old != nullptr && old->baseline_digest == row.baseline_digest &&
      old->failing != row.failing) {
    next.failing_more = FailingMore(old->failing, judgement.failing);
  }
  if (old == nullptr) return next;
  const auto cause = CauseOf(facts, *old, **baseline);
  if (!cause.ok()) return cause.status();
  next.cause = *cause;
  return next;
}

absl::StatusOr<bool> ReportRows::Judge(const JudgedFacts& facts,
                                       const std::vector<Judgement>& judgements) {
  // Everything that can fail comes first.
  std::vector<Next> all;
  const auto has = [&all](const std::string& baseline_id) {
    return std::any_of(all.begin(), all.end(), [&baseline_id](const Next& next) {
      return next.row.baseline_id == baseline_id;
    });
  };
  for (const Judgement& judgement : judgements) {
    absl::StatusOr<Next> next = Compare(facts, judgement);
    if (!next.ok()) return next.status();
    if (has(next->row.baseline_id)) {
      return absl::InvalidArgumentError(
          absl::StrCat("host ", facts.host_id, " is judged twice under ", next->row.baseline_id));
    }
    all.push_back(*std::move(next));
  }
  bool changed = false;
  std::vector<ReportRow>& current = rows_[facts.host_id];
  for (const ReportRow& old : current) {
    if (has(old.baseline_id)) continue;
    gone_hosts_.push_back(facts.host_id);
    gone_baselines_.push_back(old.baseline_id);
    changed = true;
  }
  current.clear();
  for (Next& next : all) {
    if (next.changed) NoteChange(facts, next);
    changed = changed || next.changed;
    current.push_back(std::move(next.row));
  }
  return changed;
}

void ReportRows::NoteChange(const JudgedFacts& facts, Next& next) {
  std::vector<int64_t> since;
  for (int i = 0; i < next.report->verdicts_size(); ++i) {
    const auto& before = next.before[i];
    const int to = static_cast<unsigned char>(next.row.statuses[i]);
    const bool known = before.has_value();
    // A waiver that comes or goes is no new status.
    const bool same_status = known && (before->first & ~kWaivedMark) == (to & ~kWaivedMark);
    since.push_back(same_status ? before->second : absl::ToUnixMicros(facts.observed));
    if (known) NoteNews(facts, next, i, before->first);
    if (known && before->first == to) continue;
    NoteTransition(facts, next, i,
                   before.has_value() ? std::optional<int>(before->first) : std::nullopt);
  }
  next.row.since = PackTimes(since);
  NoteRow(facts.host_id, next.row);
}

void ReportRows::NoteNews(const JudgedFacts& facts, const Next& next, int place, int from) {
  const int to = static_cast<unsigned char>(next.row.statuses[place]);
  const v1::Rule& rule = next.document->rules(place);
  // What is waived is no failure that anybody is told of.
  if (to == v1::Verdict::FAIL) {
    const bool more = std::binary_search(next.failing_more.begin(), next.failing_more.end(), place);
    if (from == to && !more) return;
    NoteEvent(facts, *next.report, rule, place, v1::NotificationEvent::NEW_FAILURE,
              from == v1::Verdict::UNKNOWN);
  } else if (from == v1::Verdict::FAIL &&
             (to == v1::Verdict::PASS || to == v1::Verdict::NOT_APPLICABLE)) {
    NoteEvent(facts, *next.report, rule, place, v1::NotificationEvent::RECOVERY);
  }
}

void ReportRows::NoteEvent(const JudgedFacts& facts, const v1::HostReport& report,
                           const v1::Rule& rule, int place, v1::NotificationEvent::Kind kind,
                           bool was_unknown) {
  // Aliases repeat another rule, inventory is no failure.
  if (!rule.scored() || !rule.alias_of().empty()) return;
  v1::NotificationEvent event;
  event.set_kind(kind);
  event.set_host_id(facts.host_id);
  event.set_baseline_id(report.baseline().id());
  event.set_rule_id(rule.id());
  event.set_rule_title(rule.title());
  event.set_severity(rule.severity());
  event.set_message(report.verdicts(place).message());
  *event.mutable_time() = TimestampOf(facts.observed);
  events_.Note(event, facts.recorded, was_unknown);
}

void ReportRows::NoteRow(const std::string& host_id, const ReportRow& row) {
  hosts_.push_back(host_id);
  baselines_.push_back(row.baseline_id);
  digests_.push_back(row.baseline_digest);
  evaluators_.push_back(row.evaluator);
  pass_.push_back(row.counts.pass());
  fail_.push_back(row.counts.fail());
  unknown_.push_back(row.counts.unknown());
  not_applicable_.push_back(row.counts.not_applicable());
  manual_.push_back(row.counts.manual());
  waived_.push_back(row.counts.waived());
  keys_.push_back(static_cast<int64_t>(row.policy_key));
  statuses_.Add(row.statuses);
  since_.Add(row.since);
  failing_.Add(row.failing);
}

absl::StatusOr<v1::Transition::Cause> ReportRows::CauseOf(const JudgedFacts& facts,
                                                          const ReportRow& old,
                                                          const CatalogedBaseline& baseline) {
  if (facts.cause == v1::Transition::FACTS) return facts.cause;
  const std::string& digest = baseline.document.digest();
  if (old.baseline_digest == digest) {
    return old.policy_key == 0 || old.policy_key == facts.policy_key ? v1::Transition::BASELINE
                                                                     : v1::Transition::WAIVER;
  }
  if (old.baseline_digest.empty()) return v1::Transition::BASELINE;
  const absl::StatusOr<BaselinePtr> before = catalog_.Find(tx_, old.baseline_digest);
  if (!before.ok()) return before.status();
  const auto origin = [](const v1::Baseline& document) {
    return document.tailored_from().empty() ? document.digest() : document.tailored_from();
  };
  return origin((*before)->document) == origin(baseline.document) ? v1::Transition::TAILORING
                                                                  : v1::Transition::BASELINE;
}

void ReportRows::NoteTransition(const JudgedFacts& facts, const Next& next, int place,
                                std::optional<int> from) {
  const v1::HostReport& report = *next.report;
  const v1::Verdict& verdict = report.verdicts(place);
  t_hosts_.push_back(facts.host_id);
  t_baselines_.push_back(report.baseline().id());
  t_digests_.push_back(report.baseline().digest());
  t_rules_.push_back(verdict.rule_id());
  t_recorded_.push_back(Time(facts.recorded));
  t_observed_.push_back(Time(facts.observed));
  t_gaps_.push_back(facts.gap_begin.has_value() ? Time(*facts.gap_begin) : "");
  t_sequences_.push_back(static_cast<int64_t>(facts.sequence));
  t_from_.push_back(from.has_value() ? *from & ~kWaivedMark : -1);
  t_to_.push_back(verdict.status());
  t_causes_.push_back(from.has_value() ? next.cause : v1::Transition::FIRST);
  t_from_waived_.push_back(from.value_or(0) & kWaivedMark ? 1 : 0);
  t_to_waived_.push_back(verdict.waived() ? 1 : 0);
  t_facts_.Add(facts.facts_digest);
  t_verdicts_.Add(verdict.SerializeAsString());
}

void ReportRows::WriteTransitions() {
  if (t_hosts_.empty()) return;
  tx_.Exec(kAppend, TextArray(t_hosts_), TextArray(t_baselines_), TextArray(t_rules_),
           TextArray(t_recorded_), IntArray(t_sequences_), TextArray(t_observed_),
           TextArray(t_digests_), IntArray(t_from_), IntArray(t_to_), IntArray(t_causes_),
           TextArray(t_gaps_), t_facts_.all(), t_facts_.begins(), t_facts_.sizes(),
           t_verdicts_.all(), t_verdicts_.begins(), t_verdicts_.sizes(), IntArray(t_from_waived_),
           IntArray(t_to_waived_));
}

void ReportRows::Write() {
  if (!gone_hosts_.empty()) tx_.Exec(kDelete, TextArray(gone_hosts_), TextArray(gone_baselines_));
  if (!hosts_.empty()) {
    tx_.Exec(kWrite, TextArray(hosts_), TextArray(baselines_), TextArray(digests_),
             TextArray(evaluators_), IntArray(pass_), IntArray(fail_), IntArray(unknown_),
             IntArray(not_applicable_), IntArray(manual_), statuses_.all(), statuses_.begins(),
             statuses_.sizes(), since_.all(), since_.begins(), since_.sizes(), failing_.all(),
             failing_.begins(), failing_.sizes(), IntArray(waived_), IntArray(keys_));
  }
  WriteTransitions();
  events_.Write(tx_);
}

}  // namespace plimsoll::store
