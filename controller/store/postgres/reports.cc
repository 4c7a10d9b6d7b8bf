// ReportStore: documents, streams and what is out of date.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/report_state.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {
namespace {

constexpr Statement kStream = {
    "reports_stream",
    "SELECT sequence, facts_digest, chain, micros(full_recorded) FROM host WHERE id = $1"};

#define PLIMSOLL_OUTDATED                                                                       \
  " FROM host h WHERE h.id > $1 AND h.facts_digest IS NOT NULL AND h.removed IS NULL AND NOT (" \
  "  SELECT coalesce(array_agg(r.baseline_digest ORDER BY r.baseline_digest), '{}')"            \
  "    = $2::text[] AND coalesce(bool_and(r.evaluator = $3), true)"                             \
  "  FROM host_report r WHERE r.host_id = h.id)"
constexpr Statement kOutdated = {"reports_outdated",
                                 "SELECT h.id" PLIMSOLL_OUTDATED " ORDER BY h.id LIMIT $4"};
constexpr Statement kCountOutdated = {"reports_count_outdated",
                                      "SELECT count(*)" PLIMSOLL_OUTDATED};
#undef PLIMSOLL_OUTDATED

std::string SortedArray(std::vector<std::string> digests) {
  std::sort(digests.begin(), digests.end());
  return TextArray(digests);
}

}  // namespace

ReportStore::ReportStore(ConnectionPool& pool)
    : pool_(pool), state_(std::make_unique<ReportState>()) {}

ReportStore::~ReportStore() = default;

absl::Status ReportStore::PutBaselines(const std::vector<v1::Baseline>& baselines) {
  return state_->catalog.Put(pool_, baselines);
}

absl::StatusOr<v1::Baseline> ReportStore::GetBaseline(const std::string& digest) {
  return pool_.Transact("get a baseline", [&](Transaction& tx) -> absl::StatusOr<v1::Baseline> {
    const absl::StatusOr<BaselinePtr> baseline = state_->catalog.Find(tx, digest);
    if (!baseline.ok()) return baseline.status();
    return (*baseline)->document;
  });
}

absl::StatusOr<StreamState> ReportStore::GetStreamState(const std::string& host_id) {
  return pool_.Transact(
      "get a stream's state", [&](Transaction& tx) -> absl::StatusOr<StreamState> {
        const pqxx::result rows = tx.Exec(kStream, host_id);
        if (rows.empty()) {
          return absl::NotFoundError(absl::StrCat("no host \"", Text(host_id, 256), "\""));
        }
        StreamState state;
        state.sequence = rows[0][0].as<uint64_t>();
        state.facts_digest = BytesOf(rows[0][1]);
        state.chain = rows[0][2].as<int>();
        state.full_recorded = TimeOf(rows[0][3]);
        return state;
      });
}

absl::StatusOr<std::vector<std::string>> ReportStore::ListOutdated(
    const std::vector<std::string>& digests, const std::string& evaluator,
    const std::string& after_id, int limit) {
  return pool_.Transact(
      "list outdated hosts", [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
        std::vector<std::string> ids;
        for (const pqxx::row& row : tx.Exec(kOutdated, Text(after_id), SortedArray(digests),
                                            Text(evaluator), std::max(limit, 0))) {
          ids.push_back(TextOf(row[0]));
        }
        return ids;
      });
}

absl::StatusOr<int64_t> ReportStore::CountOutdated(const std::vector<std::string>& digests,
                                                   const std::string& evaluator,
                                                   const std::string& after_id) {
  return pool_.Transact("count outdated hosts", [&](Transaction& tx) -> absl::StatusOr<int64_t> {
    return tx.Exec(kCountOutdated, Text(after_id), SortedArray(digests), Text(evaluator))[0][0]
        .as<int64_t>();
  });
}

}  // namespace plimsoll::store
