// What facts of hosts answer: exactly what each host said to each scan.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/store/postgres/report_rows.h"

namespace plimsoll::store {

// Answers noted for the hosts of one batch, written in three statements. A host that was missed,
// failed or answered before stays so, and a scan that does not ask it is passed over. The hosts'
// rows are locked by the caller. Methods throw what libpqxx throws.
class ScanAnswers {
 public:
  ScanAnswers(Transaction& tx, BaselineCatalog& catalog) : tx_(tx), catalog_(catalog) {}

  // `rows` are the host's statuses under all baselines, judged from `facts`. UNAVAILABLE: they are
  // not judged since the schema changed (re-evaluation is under way, try again); NOT_FOUND: a
  // baseline's document was never put. Nothing is noted then.
  absl::Status Note(const JudgedFacts& facts, const std::vector<std::string>& scan_ids,
                    const std::vector<ReportRow>& rows);
  void Write();

 private:
  // Counts of one baseline, with failing scored verdicts that are not waived by severity.
  struct Counts {
    std::string baseline_id, baseline_digest;
    v1::StatusCounts counts;
    // By v1::Severity.
    std::vector<int64_t> failing = std::vector<int64_t>(v1::Severity_ARRAYSIZE);
  };
  void WriteCounts(const std::vector<std::pair<std::string, std::string>>& answered);

  Transaction& tx_;
  BaselineCatalog& catalog_;
  absl::flat_hash_map<std::string, std::vector<Counts>> counts_;
  std::vector<std::string> hosts_, scans_, observed_;
  std::vector<int64_t> sequences_;
  BytesColumn digests_;
};

}  // namespace plimsoll::store
