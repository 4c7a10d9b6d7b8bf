#include <limits>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "controller/store/facts_codec.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/findings.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/postgres/transitions.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {
namespace {

constexpr Statement kLockHost = {
    "reports_lock_host",
    "SELECT sequence, facts_digest, revoked IS NOT NULL FROM host WHERE id = $1 FOR UPDATE"};
constexpr Statement kKnownBaselines = {
    "reports_known_baselines", "SELECT digest FROM baseline WHERE digest = ANY($1::text[])"};
constexpr Statement kAddBaseline = {
    "reports_add_baseline",
    "INSERT INTO baseline (digest, id, version, document, recorded) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT DO NOTHING"};
constexpr Statement kAddRules = {
    "reports_add_rules",
    "INSERT INTO baseline_rule (digest, rule_id, title, severity)"
    " SELECT $1, * FROM unnest($2::text[], $3::text[], $4::smallint[]) ON CONFLICT DO NOTHING"};
constexpr Statement kAddBlob = {
    "reports_add_blob",
    "INSERT INTO facts_blob (host_id, digest, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"};
constexpr Statement kAddSnapshot = {
    "reports_add_snapshot",
    "INSERT INTO facts_snapshot (host_id, observed, recorded, sequence, digest)"
    " VALUES ($1, $2, $3, $4, $5)"};
constexpr Statement kDropReports = {
    "reports_drop",
    "DELETE FROM host_report WHERE host_id = $1 AND baseline_id <> ALL($2::text[])"};
constexpr Statement kPutReports = {
    "reports_put",
    "INSERT INTO host_report (host_id, observed, recorded, baseline_id, baseline_digest, report,"
    " pass_count, fail_count, unknown_count, not_applicable_count, manual_count)"
    " SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::bytea[], $7::integer[],"
    " $8::integer[], $9::integer[], $10::integer[], $11::integer[])"
    " ON CONFLICT (host_id, baseline_id) DO UPDATE SET observed = excluded.observed,"
    " recorded = excluded.recorded, baseline_digest = excluded.baseline_digest,"
    " report = excluded.report, pass_count = excluded.pass_count,"
    " fail_count = excluded.fail_count, unknown_count = excluded.unknown_count,"
    " not_applicable_count = excluded.not_applicable_count, manual_count = excluded.manual_count"};
constexpr Statement kUpdateHost = {
    "reports_update_host",
    "UPDATE host SET sequence = $2, facts_digest = $3, observed = $4,"
    " last_seen = greatest(last_seen, $5::timestamptz), engine_version = $6,"
    " operating_system = $7, container_count = $8 WHERE id = $1"};
// 3 is EVALUATED; a host that was missed or failed stays so.
constexpr Statement kAnswerScans = {
    "reports_answer_scans",
    "UPDATE scan_host SET state = 3 WHERE host_id = $1 AND scan_id = ANY($2::text[])"
    " AND state IN (1, 2)"};
constexpr Statement kSeen = {
    "reports_seen",
    "UPDATE host SET last_seen = greatest(last_seen, $2::timestamptz) WHERE id = $1"};
constexpr Statement kStream = {"reports_stream",
                               "SELECT sequence, facts_digest FROM host WHERE id = $1"};
constexpr Statement kFacts = {"reports_facts",
                              "SELECT b.content, micros(h.observed) FROM host h JOIN facts_blob b"
                              " ON b.host_id = h.id AND b.digest = h.facts_digest WHERE h.id = $1"};
constexpr Statement kReport = {
    "reports_get", "SELECT report FROM host_report WHERE host_id = $1 AND baseline_id = $2"};

absl::Status NoSuchHost(const std::string& host_id) {
  return absl::NotFoundError(absl::StrCat("no host \"", Text(host_id, 256), "\""));
}

absl::Status Validate(const Evaluation& evaluation) {
  if (evaluation.facts == nullptr || evaluation.facts_digest.size() != 32) {
    return absl::InvalidArgumentError("an evaluation needs facts and their digest of 32 bytes");
  }
  if (evaluation.sequence > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError("sequence is beyond 2^63 - 1");
  }
  return absl::OkStatus();
}

// Keeps the documents that hosts were judged by; nearly always all are known.
absl::Status PutBaselines(Transaction& tx, const Evaluation& evaluation) {
  std::vector<std::string> digests;
  for (const v1::HostReport& report : evaluation.reports) {
    digests.push_back(report.baseline().digest());
  }
  absl::flat_hash_set<std::string> missing(digests.begin(), digests.end());
  for (const pqxx::row& row : tx.Exec(kKnownBaselines, TextArray(digests))) {
    missing.erase(TextOf(row[0]));
  }
  if (missing.empty() || evaluation.baselines == nullptr) return absl::OkStatus();
  for (const v1::Baseline& baseline : *evaluation.baselines) {
    if (!missing.contains(baseline.digest())) continue;
    absl::StatusOr<std::string> document = Compress(baseline);
    if (!document.ok()) return document.status();
    std::vector<std::string> rules, titles;
    std::vector<int64_t> severities;
    for (const v1::Rule& rule : baseline.rules()) {
      rules.push_back(rule.id());
      titles.push_back(rule.title());
      severities.push_back(rule.severity());
    }
    tx.Exec(kAddBaseline, baseline.digest(), Text(baseline.id()), Text(baseline.version()),
            Bytes(*document), Time(evaluation.recorded));
    tx.Exec(kAddRules, baseline.digest(), TextArray(rules), TextArray(titles),
            IntArray(severities));
  }
  return absl::OkStatus();
}

// `current` is the digest of the host's newest stored facts.
absl::Status PutFacts(Transaction& tx, const Evaluation& evaluation, const std::string& current) {
  if (evaluation.facts_digest != current) {
    const absl::StatusOr<std::string> content = Compress(*evaluation.facts);
    if (!content.ok()) return content.status();
    tx.Exec(kAddBlob, evaluation.host_id, Bytes(evaluation.facts_digest), Bytes(*content));
  }
  tx.Exec(kAddSnapshot, evaluation.host_id, Time(evaluation.observed), Time(evaluation.recorded),
          static_cast<int64_t>(evaluation.sequence), Bytes(evaluation.facts_digest));
  return absl::OkStatus();
}

absl::Status PutReports(Transaction& tx, const Evaluation& evaluation) {
  std::vector<std::string> baselines, digests, contents;
  std::vector<int64_t> pass, fail, unknown, not_applicable, manual;
  for (const v1::HostReport& report : evaluation.reports) {
    absl::StatusOr<std::string> content = Compress(report);
    if (!content.ok()) return content.status();
    baselines.push_back(report.baseline().id());
    digests.push_back(report.baseline().digest());
    contents.push_back(*std::move(content));
    pass.push_back(report.counts().pass());
    fail.push_back(report.counts().fail());
    unknown.push_back(report.counts().unknown());
    not_applicable.push_back(report.counts().not_applicable());
    manual.push_back(report.counts().manual());
  }
  tx.Exec(kDropReports, evaluation.host_id, TextArray(baselines));
  if (baselines.empty()) return absl::OkStatus();
  tx.Exec(kPutReports, evaluation.host_id, Time(evaluation.observed), Time(evaluation.recorded),
          TextArray(baselines), TextArray(digests), BytesArray(contents), IntArray(pass),
          IntArray(fail), IntArray(unknown), IntArray(not_applicable), IntArray(manual));
  return absl::OkStatus();
}

void UpdateHost(Transaction& tx, const Evaluation& evaluation) {
  const v1::HostFacts& facts = *evaluation.facts;
  const std::string& system = facts.machine().os_pretty_name().empty()
                                  ? facts.engine().operating_system()
                                  : facts.machine().os_pretty_name();
  tx.Exec(kUpdateHost, evaluation.host_id, static_cast<int64_t>(evaluation.sequence),
          Bytes(evaluation.facts_digest), Time(evaluation.observed), Time(evaluation.recorded),
          Text(facts.engine().version(), 255), Text(system, 255),
          facts.containers().containers_size());
}

void AnswerScans(Transaction& tx, const std::string& host_id,
                 const std::vector<std::string>& scan_ids) {
  if (!scan_ids.empty()) tx.Exec(kAnswerScans, host_id, TextArray(scan_ids));
}

// True: stored, or nothing to do. False: the month of its history does not exist yet.
absl::StatusOr<bool> TryPut(Transaction& tx, const Evaluation& evaluation) {
  const pqxx::result host = tx.Exec(kLockHost, evaluation.host_id);
  if (host.empty()) return NoSuchHost(evaluation.host_id);
  if (host[0][2].as<bool>()) {
    return absl::PermissionDeniedError(absl::StrCat("host ", evaluation.host_id, " is revoked"));
  }
  if (static_cast<int64_t>(evaluation.sequence) <= host[0][0].as<int64_t>()) return true;
  if (!MonthExists(tx, evaluation.recorded)) return false;
  absl::Status status = PutBaselines(tx, evaluation);
  if (status.ok()) status = PutFacts(tx, evaluation, BytesOf(host[0][1]));
  if (status.ok()) status = PutReports(tx, evaluation);
  if (!status.ok()) return status;
  UpdateVerdicts(tx, evaluation);
  UpdateFindings(tx, evaluation);
  AnswerScans(tx, evaluation.host_id, evaluation.scan_ids);
  UpdateHost(tx, evaluation);
  return true;
}

}  // namespace

absl::Status ReportStore::Put(const Evaluation& evaluation) {
  if (absl::Status status = Validate(evaluation); !status.ok()) return status;
  const auto put = [&](Transaction& tx) { return TryPut(tx, evaluation); };
  absl::StatusOr<bool> done = pool_.Transact("store an evaluation", put);
  if (done.ok() && !*done) {
    absl::Status status = EnsureMonth(pool_, evaluation.recorded);
    if (!status.ok()) return status;
    done = pool_.Transact("store an evaluation", put);
    if (done.ok() && !*done) return absl::InternalError("the month's partition does not stay");
  }
  return done.status();
}

absl::Status ReportStore::Confirm(const std::string& host_id,
                                  const std::vector<std::string>& scan_ids, absl::Time time) {
  return pool_.Transact("confirm facts", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kSeen, host_id, Time(time)).affected_rows() == 0) return NoSuchHost(host_id);
    AnswerScans(tx, host_id, scan_ids);
    return absl::OkStatus();
  });
}

absl::StatusOr<StreamState> ReportStore::GetStreamState(const std::string& host_id) {
  return pool_.Transact(
      "get a stream's state", [&](Transaction& tx) -> absl::StatusOr<StreamState> {
        const pqxx::result rows = tx.Exec(kStream, host_id);
        if (rows.empty()) return NoSuchHost(host_id);
        return StreamState{static_cast<uint64_t>(rows[0][0].as<int64_t>()), BytesOf(rows[0][1])};
      });
}

absl::StatusOr<v1::HostFacts> ReportStore::GetFacts(const std::string& host_id) {
  return pool_.Transact("get facts", [&](Transaction& tx) -> absl::StatusOr<v1::HostFacts> {
    const pqxx::result rows = tx.Exec(kFacts, Text(host_id));
    if (rows.empty()) {
      return absl::NotFoundError(absl::StrCat("no facts of host \"", Text(host_id, 256), "\""));
    }
    v1::HostFacts facts;
    if (absl::Status status = Decompress(BytesOf(rows[0][0]), facts); !status.ok()) return status;
    // The blob was stored when these facts were first seen.
    *facts.mutable_observed_time() = TimestampOf(TimeOf(rows[0][1]));
    return facts;
  });
}

absl::StatusOr<v1::HostReport> ReportStore::GetReport(const std::string& host_id,
                                                      const std::string& baseline_id) {
  return pool_.Transact("get a report", [&](Transaction& tx) -> absl::StatusOr<v1::HostReport> {
    const pqxx::result rows = tx.Exec(kReport, Text(host_id), Text(baseline_id));
    if (rows.empty()) {
      return absl::NotFoundError(absl::StrCat("no report of host \"", Text(host_id, 256),
                                              "\" under \"", Text(baseline_id, 256), "\""));
    }
    v1::HostReport report;
    if (absl::Status status = Decompress(BytesOf(rows[0][0]), report); !status.ok()) return status;
    return report;
  });
}

}  // namespace plimsoll::store
