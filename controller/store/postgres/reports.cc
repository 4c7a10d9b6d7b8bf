// ReportStore: documents and streams.

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

}  // namespace plimsoll::store
