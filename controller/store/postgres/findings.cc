#include "controller/store/postgres/findings.h"

#include <cstring>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "controller/store/postgres/sql_values.h"
#include "proto/support/digest.h"

namespace plimsoll::store {
namespace {

constexpr Statement kRead = {
    "findings_read",
    "SELECT baseline_id, rule_id, object, occurrence, fingerprint FROM finding WHERE host_id = $1"};
constexpr Statement kDelete = {
    "findings_delete",
    "DELETE FROM finding f USING unnest($2::text[], $3::text[], $4::text[], $5::integer[])"
    " AS gone(baseline_id, rule_id, object, occurrence) WHERE f.host_id = $1"
    " AND f.baseline_id = gone.baseline_id AND f.rule_id = gone.rule_id"
    " AND f.object = gone.object AND f.occurrence = gone.occurrence"};
constexpr Statement kUpsert = {
    "findings_upsert",
    "INSERT INTO finding (host_id, baseline_id, rule_id, object, occurrence, severity, status,"
    " fingerprint, content)"
    " SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::smallint[],"
    " $7::smallint[], $8::bigint[], $9::bytea[])"
    " ON CONFLICT (host_id, baseline_id, rule_id, object, occurrence) DO UPDATE SET"
    " severity = excluded.severity, status = excluded.status, fingerprint = excluded.fingerprint,"
    " content = excluded.content"};

// Keys are index entries, which PostgreSQL bounds.
constexpr size_t kMaximumObjectBytes = 1024;

// Baseline, rule, object, occurrence.
using Key = std::tuple<std::string, std::string, std::string, int64_t>;

struct Row {
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  v1::Verdict::Status status = v1::Verdict::UNKNOWN;
  int64_t fingerprint = 0;
  std::string content;
};

// Columns of keys, as array parameters take them.
struct KeyColumns {
  std::vector<std::string> baselines, rules, objects;
  std::vector<int64_t> occurrences;
  void Add(const Key& key) {
    baselines.push_back(std::get<0>(key));
    rules.push_back(std::get<1>(key));
    objects.push_back(std::get<2>(key));
    occurrences.push_back(std::get<3>(key));
  }
};

using Severities = absl::flat_hash_map<std::string, v1::Severity>;

Severities SeveritiesOf(const std::vector<v1::Baseline>* baselines, const std::string& id) {
  Severities severities;
  if (baselines == nullptr) return severities;
  for (const v1::Baseline& baseline : *baselines) {
    if (baseline.id() != id) continue;
    for (const v1::Rule& rule : baseline.rules()) severities[rule.id()] = rule.severity();
  }
  return severities;
}

// The finding that stands for a verdict without any.
v1::Finding HostFinding(const v1::Verdict& verdict) {
  v1::Finding finding;
  finding.set_status(verdict.status());
  finding.set_reason(verdict.reason());
  finding.set_observed(verdict.message());
  return finding;
}

Row RowOf(const v1::Finding& finding, v1::Severity severity) {
  Row row;
  row.severity = severity;
  row.status = finding.status();
  row.content = finding.SerializeAsString();
  const std::string digest = support::Sha256(absl::StrCat(
      static_cast<int>(severity), ",", static_cast<int>(row.status), ",", row.content));
  std::memcpy(&row.fingerprint, digest.data(), sizeof(row.fingerprint));
  return row;
}

std::map<Key, Row> RowsOf(const Evaluation& evaluation) {
  std::map<Key, Row> rows;
  for (const v1::HostReport& report : evaluation.reports) {
    const std::string& baseline = report.baseline().id();
    const Severities severities = SeveritiesOf(evaluation.baselines, baseline);
    for (const v1::Verdict& verdict : report.verdicts()) {
      const auto known = severities.find(verdict.rule_id());
      const v1::Severity severity =
          known == severities.end() ? v1::SEVERITY_UNSPECIFIED : known->second;
      absl::flat_hash_map<std::string, int64_t> seen;
      const auto add = [&](const v1::Finding& finding) {
        const std::string object = Text(finding.object(), kMaximumObjectBytes);
        rows[{baseline, verdict.rule_id(), object, seen[object]++}] = RowOf(finding, severity);
      };
      for (const v1::Finding& finding : verdict.findings()) add(finding);
      const bool speaks =
          verdict.status() != v1::Verdict::PASS && verdict.status() != v1::Verdict::NOT_APPLICABLE;
      if (verdict.findings().empty() && speaks) add(HostFinding(verdict));
    }
  }
  return rows;
}

}  // namespace

void UpdateFindings(Transaction& tx, const Evaluation& evaluation) {
  std::map<Key, Row> rows = RowsOf(evaluation);
  KeyColumns gone;
  for (const pqxx::row& row : tx.Exec(kRead, evaluation.host_id)) {
    const Key key(TextOf(row[0]), TextOf(row[1]), TextOf(row[2]), row[3].as<int64_t>());
    const auto wanted = rows.find(key);
    if (wanted == rows.end()) {
      gone.Add(key);
    } else if (wanted->second.fingerprint == row[4].as<int64_t>()) {
      rows.erase(wanted);
    }
  }
  if (!gone.rules.empty()) {
    tx.Exec(kDelete, evaluation.host_id, TextArray(gone.baselines), TextArray(gone.rules),
            TextArray(gone.objects), IntArray(gone.occurrences));
  }
  if (rows.empty()) return;
  KeyColumns keys;
  std::vector<int64_t> severities, statuses, fingerprints;
  std::vector<std::string> contents;
  for (auto& [key, row] : rows) {
    keys.Add(key);
    severities.push_back(row.severity);
    statuses.push_back(row.status);
    fingerprints.push_back(row.fingerprint);
    contents.push_back(std::move(row.content));
  }
  tx.Exec(kUpsert, evaluation.host_id, TextArray(keys.baselines), TextArray(keys.rules),
          TextArray(keys.objects), IntArray(keys.occurrences), IntArray(severities),
          IntArray(statuses), IntArray(fingerprints), BytesArray(contents));
}

}  // namespace plimsoll::store
