// FleetStore: hosts as an in-memory index takes them, and the fleet's days.
#include "absl/strings/str_cat.h"
#include "controller/store/facts_codec.h"
#include "controller/store/fleet_store.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/host_rows.h"
#include "controller/store/postgres/report_rows.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

// One row a host and baseline; a host without reports has one row.
#define PLIMSOLL_STATES                                                            \
  "SELECT " PLIMSOLL_HOST_COLUMNS                                                  \
  ", r.baseline_id, r.baseline_digest, r.statuses, r.since, r.failing_containers," \
  " r.pass_count, r.fail_count, r.unknown_count, r.not_applicable_count, "         \
  "r.manual_count, r.waived_count, r.policy_key" PLIMSOLL_HOST_FROM                \
  "LEFT JOIN host_report r ON r.host_id = h.id "

// The cursor reads one snapshot, whose moment is asked for in the same transaction.
constexpr char kSnapshot[] = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
constexpr char kOpen[] = "DECLARE fleet NO SCROLL CURSOR FOR " PLIMSOLL_STATES
                         "WHERE h.removed IS NULL ORDER BY h.id, r.baseline_id";
constexpr char kFetch[] = "FETCH FORWARD 2000 FROM fleet";
constexpr Statement kGet = {
    "fleet_get", PLIMSOLL_STATES "WHERE h.id = ANY($1::text[]) ORDER BY h.id, r.baseline_id"};
#undef PLIMSOLL_STATES

// Transactions below it have all ended, and what they did is seen by later statements.
constexpr Statement kMoment = {"fleet_moment", "SELECT pg_snapshot_xmin(pg_current_snapshot())"};
constexpr Statement kChanged = {"fleet_changed", "SELECT id FROM host WHERE changed >= $1::xid8"};
constexpr Statement kPutDay = {
    "fleet_put_day",
    "INSERT INTO fleet_day (day, baseline_id, baseline_digest, content, recorded)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (baseline_id, day) DO UPDATE SET"
    " baseline_digest = excluded.baseline_digest, content = excluded.content,"
    " recorded = excluded.recorded"};
constexpr Statement kDays = {
    "fleet_days",
    "SELECT to_char(day, 'YYYY-MM-DD'), baseline_digest, content FROM fleet_day"
    " WHERE baseline_id = $1 AND day >= $2::date ORDER BY day LIMIT $3"};

// Puts hosts together from their rows, which come one after the other.
class StateReader {
 public:
  explicit StateReader(std::function<void(HostState)> host) : host_(std::move(host)) {}
  void Add(const pqxx::row& row) {
    if (!begun_ || row[0].c_str() != state_.host.id()) {
      Finish();
      begun_ = true;
      state_ = HostState();
      state_.host = HostOf(row);
      state_.ordinal = OrdinalOf(row);
      state_.removed = RemovedOf(row);
    }
    const int first = kHostColumnCount;
    if (row[first].is_null()) return;
    HostVerdicts& verdicts = state_.verdicts.emplace_back();
    verdicts.baseline_id = TextOf(row[first]);
    verdicts.baseline_digest = TextOf(row[first + 1]);
    verdicts.statuses = BytesOf(row[first + 2]);
    verdicts.since = UnpackTimes(BytesOf(row[first + 3]));
    verdicts.failing.ParseFromString(BytesOf(row[first + 4]));
    (*state_.host.mutable_counts())[verdicts.baseline_id] = CountsOf(row, first + 5);
    verdicts.policy_key = static_cast<uint64_t>(row[first + 11].as<int64_t>());
  }
  // After the last row.
  void Finish() {
    if (begun_) host_(std::move(state_));
    begun_ = false;
  }

 private:
  const std::function<void(HostState)> host_;
  HostState state_;
  bool begun_ = false;
};

Moment Now(Transaction& tx) { return Moment{tx.Exec(kMoment)[0][0].as<uint64_t>()}; }

std::string DateOf(absl::CivilDay day) { return absl::FormatCivilTime(day); }

}  // namespace

absl::StatusOr<Moment> FleetStore::Load(const std::function<void(HostState)>& host) {
  return pool_.Transact("load the fleet", [&](Transaction& tx) -> absl::StatusOr<Moment> {
    tx.ExecScript(kSnapshot);
    const Moment moment = Now(tx);
    tx.ExecScript(kOpen);
    StateReader reader(host);
    while (true) {
      const pqxx::result rows = tx.ExecScript(kFetch);
      if (rows.empty()) break;
      for (const pqxx::row& row : rows) reader.Add(row);
    }
    reader.Finish();
    return moment;
  });
}

absl::StatusOr<std::vector<HostState>> FleetStore::Get(const std::vector<std::string>& ids) {
  return pool_.Transact(
      "get hosts", [&](Transaction& tx) -> absl::StatusOr<std::vector<HostState>> {
        std::vector<HostState> states;
        StateReader reader([&states](HostState state) { states.push_back(std::move(state)); });
        for (const pqxx::row& row : tx.Exec(kGet, TextArray(ids))) {
          reader.Add(row);
        }
        reader.Finish();
        return states;
      });
}

absl::StatusOr<std::vector<std::string>> FleetStore::ChangedSince(Moment& since) {
  Moment now;
  auto changed = pool_.Transact(
      "list changed hosts", [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
        // The moment comes first: what commits between the two statements is seen twice, not never.
        now = Now(tx);
        std::vector<std::string> ids;
        for (const pqxx::row& row : tx.Exec(kChanged, std::to_string(since.xmin))) {
          ids.push_back(TextOf(row[0]));
        }
        return ids;
      });
  if (changed.ok()) since = now;
  return changed;
}

absl::Status FleetStore::PutDay(const std::string& baseline_id, const StoredDay& day,
                                absl::Time recorded) {
  const absl::StatusOr<std::string> content = Compress(day.content);
  if (!content.ok()) return content.status();
  return pool_.Transact("store a day", [&](Transaction& tx) {
    tx.Exec(kPutDay, DateOf(day.day), Text(baseline_id), Text(day.baseline_digest), Bytes(*content),
            Time(recorded));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<StoredDay>> FleetStore::ListDays(const std::string& baseline_id,
                                                            absl::CivilDay from, int limit) {
  return pool_.Transact(
      "list days", [&](Transaction& tx) -> absl::StatusOr<std::vector<StoredDay>> {
        std::vector<StoredDay> days;
        for (const pqxx::row& row : tx.Exec(kDays, Text(baseline_id), DateOf(from), limit)) {
          StoredDay& day = days.emplace_back();
          if (!absl::ParseCivilTime(TextOf(row[0]), &day.day)) {
            return absl::DataLossError(absl::StrCat("stored day ", TextOf(row[0])));
          }
          day.baseline_digest = TextOf(row[1]);
          if (auto status = Decompress(BytesOf(row[2]), day.content); !status.ok()) return status;
        }
        return days;
      });
}

}  // namespace plimsoll::store
