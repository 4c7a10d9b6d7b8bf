#include "controller/store/postgres/months.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/substitute.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

// Reads the catalogue itself: to_regclass may answer from a cache that does not know yet what
// another session committed while this one waited for the lock.
constexpr Statement kMonthAttached = {
    "months_attached",
    "SELECT EXISTS (SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
    " WHERE relname = $1 AND relnamespace = current_schema()::regnamespace)"};
constexpr Statement kLockMonths = {"months_lock", "SELECT pg_advisory_xact_lock(7245107782)"};
constexpr Statement kPartitions = {
    "months_partitions",
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " JOIN pg_class p ON p.oid = i.inhparent"
    " WHERE p.relname IN ('transition', 'facts_snapshot') AND c.relkind = 'r'"
    " AND p.relnamespace = current_schema()::regnamespace"
    " AND c.relname ~ '_[0-9]{4}_[0-9]{2}$' AND right(c.relname, 7) < $1"
    " ORDER BY right(c.relname, 7), c.relname"};
// $0: table, $1: suffix, $2: first instant, $3: the next month's. Attaching, unlike CREATE TABLE
// ... PARTITION OF, lets others go on reading and writing.
constexpr char kMakeMonth[] =
    "CREATE TABLE IF NOT EXISTS $0_$1 (LIKE $0 INCLUDING ALL);"
    "ALTER TABLE $0 ATTACH PARTITION $0_$1 FOR VALUES FROM ('$2') TO ('$3')";
constexpr const char* kMonthlyTables[] = {"transition", "facts_snapshot"};

std::string Suffix(absl::CivilMonth month) {
  return absl::StrFormat("%04d_%02d", month.year(), month.month());
}

}  // namespace

absl::CivilMonth MonthOf(absl::Time recorded) {
  return absl::ToCivilMonth(recorded, absl::UTCTimeZone());
}

absl::Time StartOf(absl::CivilMonth month) { return absl::FromCivil(month, absl::UTCTimeZone()); }

std::vector<std::string> PartitionsBefore(Transaction& tx, absl::CivilMonth month) {
  std::vector<std::string> names;
  for (const pqxx::row& row : tx.Exec(kPartitions, Suffix(month))) names.push_back(TextOf(row[0]));
  return names;
}

absl::Status Months::Ensure(ConnectionPool& pool, absl::Time recorded) {
  const absl::CivilMonth month = MonthOf(recorded);
  {
    absl::MutexLock lock(&mutex_);
    if (known_.contains(month)) return absl::OkStatus();
  }
  const absl::Status status =
      pool.Transact("make room for a month of history", [month](Transaction& tx) {
        const auto attached = [&](const char* table) {
          const std::string name = absl::StrCat(table, "_", Suffix(month));
          return tx.Exec(kMonthAttached, name)[0][0].as<bool>();
        };
        if (attached(kMonthlyTables[0]) && attached(kMonthlyTables[1])) return absl::OkStatus();
        tx.Exec(kLockMonths);
        for (const char* table : kMonthlyTables) {
          if (attached(table)) continue;
          tx.ExecScript(absl::Substitute(kMakeMonth, table, Suffix(month), Time(StartOf(month)),
                                         Time(StartOf(month + 1))));
        }
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  known_.insert(month);
  return absl::OkStatus();
}

void Months::Forget() {
  absl::MutexLock lock(&mutex_);
  known_.clear();
}

}  // namespace plimsoll::store
