#include "controller/store/postgres/migrations.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace plimsoll::store {
namespace {

struct Migration {
  // Begins with its number.
  const char* name;
  const char* sql;
  int version() const { return std::atoi(name); }
};

// In the order of their numbers.
constexpr Migration kMigrations[] = {
#include "migrations.inc"
};

// Waits for other controllers; released with the transaction. The number is ours alone.
constexpr Statement kLock = {"migrations_lock", "SELECT pg_advisory_xact_lock(7245107781)"};
constexpr char kVersionTable[] =
    "CREATE TABLE IF NOT EXISTS schema_version ("
    " version integer PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT now())";
constexpr Statement kVersion = {"migrations_version",
                                "SELECT coalesce(max(version), 0),"
                                " pg_encoding_to_char(encoding) FROM pg_database"
                                " LEFT JOIN schema_version ON true"
                                " WHERE datname = current_database() GROUP BY encoding"};
constexpr Statement kRecord = {"migrations_record",
                               "INSERT INTO schema_version (version, name) VALUES ($1, $2)"};

}  // namespace

absl::Status Migrate(ConnectionPool& pool) {
  return pool.Transact("migrate the schema", [](Transaction& tx) -> absl::Status {
    tx.ExecScript("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0");
    tx.Exec(kLock);
    tx.ExecScript(kVersionTable);
    const pqxx::row row = tx.Exec(kVersion)[0];
    const int current = row[0].as<int>();
    const int newest = std::end(kMigrations)[-1].version();
    if (row[1].as<std::string>() != "UTF8") {
      return absl::FailedPreconditionError(absl::StrCat("the database's encoding is ",
                                                        row[1].as<std::string>(),
                                                        "; create it with ENCODING 'UTF8'"));
    }
    if (current > newest) {
      return absl::FailedPreconditionError(
          absl::StrCat("the database has schema ", current, ", this program knows ", newest,
                       ": a newer controller has upgraded it; upgrade this one"));
    }
    for (const Migration& migration : kMigrations) {
      if (migration.version() <= current) continue;
      tx.ExecScript(migration.sql);
      tx.Exec(kRecord, migration.version(), migration.name);
    }
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
