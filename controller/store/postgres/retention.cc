// ControllerStore: how long history lives.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/store/controller_store.h"
#include "controller/store/facts_codec.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/fact_chains.h"
#include "controller/store/postgres/months.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

// One controller at a time: each of the short transactions asks again.
constexpr Statement kTurn = {"retention_turn", "SELECT pg_try_advisory_xact_lock(7245107783)"};
// Hosts whose facts begin before $1 and would go.
constexpr Statement kDue = {
    "retention_due",
    "SELECT id FROM host WHERE full_recorded < $1::timestamptz AND removed IS NULL"
    " ORDER BY id LIMIT $2 FOR NO KEY UPDATE"};
constexpr Statement kCarry = {
    "retention_carry",
    "INSERT INTO facts_snapshot (host_id, observed, recorded, sequence, is_full, digest, content)"
    " VALUES ($1, $2, $3, $4, true, $5, $6)"};
constexpr Statement kCarried = {
    "retention_carried",
    "UPDATE host SET full_recorded = $2, full_sequence = sequence, chain = 0"
    " WHERE id = ANY($1::text[])"};
// Nothing can be read of them: the next facts are stored complete.
constexpr Statement kLost = {
    "retention_lost",
    "UPDATE host SET full_recorded = NULL, full_sequence = NULL, chain = 0, facts_digest = NULL"
    " WHERE id = ANY($1::text[])"};
// Facts of removed hosts go with their partitions.
constexpr Statement kForget = {
    "retention_forget",
    "WITH gone AS (SELECT id FROM host WHERE full_recorded < $1::timestamptz"
    "  AND removed IS NOT NULL ORDER BY id FOR NO KEY UPDATE)"
    " UPDATE host SET full_recorded = NULL, full_sequence = NULL, chain = 0, facts_digest = NULL"
    " FROM gone WHERE host.id = gone.id"};
constexpr Statement kDeleteDays = {"retention_delete_days",
                                   "DELETE FROM fleet_day WHERE day < $1::date"};

constexpr int kCarriedAtOnce = 100;

bool MyTurn(Transaction& tx) { return tx.Exec(kTurn)[0][0].as<bool>(); }

// The newest facts of a host, as they are stored again. DATA_LOSS: there are none to be read.
absl::StatusOr<FactChain> ReadChain(Transaction& tx, const std::string& host_id) {
  auto chains = ReadNewestFacts(tx, {host_id});
  if (!chains.ok()) return chains.status();
  if (chains->empty()) {
    return absl::DataLossError(absl::StrCat("facts of host ", host_id, ": none"));
  }
  FactChain& chain = chains->front();
  if (chain.content.empty()) {
    absl::StatusOr<std::string> content = Compress(chain.facts.facts);
    if (!content.ok()) return content.status();
    chain.content = *std::move(content);
  }
  return std::move(chain);
}

// Writes the newest facts of some hosts again, as recorded when the kept months begin. False: none
// are left, or it is another's turn.
absl::StatusOr<bool> CarrySome(ConnectionPool& pool, absl::Time start, Retained& retained) {
  return pool.Transact("carry facts on", [&](Transaction& tx) -> absl::StatusOr<bool> {
    if (!MyTurn(tx)) return false;
    const pqxx::result due = tx.Exec(kDue, Time(start), kCarriedAtOnce);
    std::vector<std::string> carried, lost;
    for (const pqxx::row& row : due) {
      const std::string id = TextOf(row[0]);
      const absl::StatusOr<FactChain> chain = ReadChain(tx, id);
      if (absl::IsDataLoss(chain.status())) {
        // One host must not keep the history of all others for ever.
        spdlog::error("stored facts cannot be read and are given up host={} error=\"{}\"", id,
                      chain.status().ToString());
        lost.push_back(id);
        continue;
      }
      if (!chain.ok()) return chain.status();
      tx.Exec(kCarry, id, Time(chain->facts.observed), Time(start),
              static_cast<int64_t>(chain->facts.sequence), Bytes(chain->facts.digest),
              Bytes(chain->content));
      carried.push_back(id);
    }
    if (!lost.empty()) tx.Exec(kLost, TextArray(lost));
    if (!carried.empty()) tx.Exec(kCarried, TextArray(carried), Time(start));
    retained.carried += static_cast<int>(carried.size());
    return !due.empty();
  });
}

// False: another's turn.
absl::StatusOr<bool> DropOne(ConnectionPool& pool, const std::string& partition, absl::Time start) {
  return pool.Transact("drop a month of history", [&](Transaction& tx) -> absl::StatusOr<bool> {
    if (!MyTurn(tx)) return false;
    // Dropping waits for readers and holds up writers that come after it: rather tomorrow.
    tx.ExecScript("SET LOCAL lock_timeout = '3s'");
    tx.Exec(kForget, Time(start));
    if (!tx.Exec(kDue, Time(start), 1).empty()) return false;
    // The name is one PostgreSQL's catalogue gave.
    tx.ExecScript(absl::StrCat("DROP TABLE IF EXISTS \"", partition, "\""));
    return true;
  });
}

}  // namespace

absl::StatusOr<Retained> ControllerStore::Retain(absl::Time keep_from, absl::Time now) {
  const absl::CivilMonth month = std::min(MonthOf(keep_from), MonthOf(now));
  const absl::Time start = StartOf(month);
  Retained retained;
  auto partitions = pool_.Transact(
      "list months of history", [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
        if (!MyTurn(tx)) return std::vector<std::string>();
        tx.Exec(kDeleteDays, absl::FormatCivilTime(absl::CivilDay(month)));
        return PartitionsBefore(tx, month);
      });
  if (!partitions.ok()) return partitions.status();
  if (!partitions->empty()) {
    if (auto room = Months().Ensure(pool_, start); !room.ok()) return room;
  }
  while (!partitions->empty()) {
    const absl::StatusOr<bool> more = CarrySome(pool_, start, retained);
    if (!more.ok()) return more.status();
    if (!*more) break;
  }
  for (const std::string& partition : *partitions) {
    const absl::StatusOr<bool> dropped = DropOne(pool_, partition, start);
    if (!dropped.ok()) return dropped.status();
    if (!*dropped) break;
    retained.dropped.push_back(partition);
  }
  return retained;
}

}  // namespace plimsoll::store
