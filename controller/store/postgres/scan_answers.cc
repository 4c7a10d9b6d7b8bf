#include "controller/store/postgres/scan_answers.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"

namespace plimsoll::store {
namespace {

// 3 is EVALUATED; 1 and 2 are open. Rows are locked in one order: those who settle scans skip what
// is locked.
constexpr Statement kAnswer = {
    "scan_answers_set",
    "UPDATE scan_host SET state = 3, message = '', sequence = a.sequence, observed = a.observed,"
    " facts_digest = substring($5::bytea FROM a.d_begin FOR a.d_size)"
    " FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[], $6::integer[],"
    " $7::integer[]) AS a(host_id, scan_id, sequence, observed, d_begin, d_size)"
    " WHERE scan_host.host_id = a.host_id AND scan_host.scan_id = a.scan_id"
    " AND scan_host.state IN (1, 2) RETURNING scan_host.host_id, scan_host.scan_id"};
constexpr Statement kCounts = {
    "scan_answers_counts",
    "INSERT INTO scan_answer (host_id, scan_id, baseline_id, baseline_digest, pass_count,"
    " fail_count, unknown_count, not_applicable_count, manual_count, fail_critical, fail_high,"
    " fail_medium, fail_low, waived_count)"
    " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[],"
    " $6::integer[], $7::integer[], $8::integer[], $9::integer[], $10::integer[], $11::integer[],"
    " $12::integer[], $13::integer[], $14::integer[]) ON CONFLICT DO NOTHING"};

}  // namespace

absl::Status ScanAnswers::Note(const JudgedFacts& facts, const std::vector<std::string>& scan_ids,
                               const std::vector<ReportRow>& rows) {
  if (scan_ids.empty()) return absl::OkStatus();
  std::vector<Counts> all;
  for (const ReportRow& row : rows) {
    if (row.baseline_digest.empty()) {
      return absl::UnavailableError(absl::StrCat(
          "host ", facts.host_id, " is not judged again since the upgrade yet; try again"));
    }
    const absl::StatusOr<BaselinePtr> baseline = catalog_.Find(tx_, row.baseline_digest);
    if (!baseline.ok()) return baseline.status();
    Counts& counts = all.emplace_back();
    counts.baseline_id = row.baseline_id;
    counts.baseline_digest = row.baseline_digest;
    counts.counts = row.counts;
    const auto& rules = (*baseline)->document.rules();
    for (int i = 0; i < rules.size() && i < static_cast<int>(row.statuses.size()); ++i) {
      const v1::Rule& rule = rules.Get(i);
      // One that is waived has its mark, and is not FAIL alone.
      if (row.statuses[i] != v1::Verdict::FAIL || !rule.scored() || !rule.alias_of().empty()) {
        continue;
      }
      if (v1::Severity_IsValid(rule.severity())) ++counts.failing[rule.severity()];
    }
  }
  counts_[facts.host_id] = std::move(all);
  for (const std::string& scan_id : std::set<std::string>(scan_ids.begin(), scan_ids.end())) {
    hosts_.push_back(facts.host_id);
    scans_.push_back(scan_id);
    sequences_.push_back(static_cast<int64_t>(facts.sequence));
    observed_.push_back(Time(facts.observed));
    digests_.Add(facts.facts_digest);
  }
  return absl::OkStatus();
}

void ScanAnswers::Write() {
  if (hosts_.empty()) return;
  std::vector<std::pair<std::string, std::string>> answered;
  std::set<std::string> scans;
  for (const pqxx::row& row :
       tx_.Exec(kAnswer, TextArray(hosts_), TextArray(scans_), IntArray(sequences_),
                TextArray(observed_), digests_.all(), digests_.begins(), digests_.sizes())) {
    answered.emplace_back(TextOf(row[0]), TextOf(row[1]));
    scans.insert(answered.back().second);
  }
  WriteCounts(answered);
  AnnounceScans(tx_, {scans.begin(), scans.end()});
}

void ScanAnswers::WriteCounts(const std::vector<std::pair<std::string, std::string>>& answered) {
  std::vector<std::string> hosts, scans, baselines, digests;
  std::vector<int64_t> pass, fail, unknown, not_applicable, manual, critical, high, medium, low,
      waived;
  for (const auto& [host_id, scan_id] : answered) {
    for (const Counts& counts : counts_[host_id]) {
      hosts.push_back(host_id);
      scans.push_back(scan_id);
      baselines.push_back(counts.baseline_id);
      digests.push_back(counts.baseline_digest);
      pass.push_back(counts.counts.pass());
      fail.push_back(counts.counts.fail());
      unknown.push_back(counts.counts.unknown());
      not_applicable.push_back(counts.counts.not_applicable());
      manual.push_back(counts.counts.manual());
      critical.push_back(counts.failing[v1::CRITICAL]);
      high.push_back(counts.failing[v1::HIGH]);
      medium.push_back(counts.failing[v1::MEDIUM]);
      low.push_back(counts.failing[v1::LOW]);
      waived.push_back(counts.counts.waived());
    }
  }
  if (hosts.empty()) return;
  tx_.Exec(kCounts, TextArray(hosts), TextArray(scans), TextArray(baselines), TextArray(digests),
           IntArray(pass), IntArray(fail), IntArray(unknown), IntArray(not_applicable),
           IntArray(manual), IntArray(critical), IntArray(high), IntArray(medium), IntArray(low),
           IntArray(waived));
}

}  // namespace plimsoll::store
