#include "controller/store/postgres/fact_chains.h"

#include "absl/strings/str_cat.h"
#include "controller/store/facts_codec.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "proto/support/facts_delta.h"

namespace plimsoll::store {
namespace {

#define PLIMSOLL_CHAIN_COLUMNS \
  "SELECT s.host_id, s.sequence, s.digest, micros(s.observed), micros(s.recorded), s.is_full,"

// A chain is in one month: the bound on `recorded` spares looking into the others. A day more is
// for controllers whose clocks differ.
constexpr Statement kNewest = {
    "facts_newest", PLIMSOLL_CHAIN_COLUMNS
    " s.content FROM unnest($1::text[]) AS wanted(id) JOIN host h ON h.id = wanted.id"
    " JOIN facts_snapshot s ON s.host_id = h.id AND s.sequence >= h.full_sequence"
    " AND s.recorded >= h.full_recorded - interval '1 day' ORDER BY s.host_id, s.sequence, "
    "s.recorded"};
// The row that held at $2, or that $3 led to, and the chain up to it.
constexpr Statement kAt = {
    "facts_at",
    "WITH target AS ("
    "  SELECT sequence, recorded FROM facts_snapshot WHERE host_id = $1"
    "  AND CASE WHEN $3::bigint = 0 THEN recorded <= $2::timestamptz ELSE sequence = $3 END"
    "  ORDER BY sequence DESC, recorded DESC LIMIT 1),"
    " base AS ("
    "  SELECT f.sequence FROM facts_snapshot f, target t WHERE f.host_id = $1 AND f.is_full"
    "  AND f.sequence <= t.sequence ORDER BY f.sequence DESC LIMIT 1) " PLIMSOLL_CHAIN_COLUMNS
    " s.content FROM facts_snapshot s, target t, base b WHERE s.host_id = $1"
    " AND s.sequence BETWEEN b.sequence AND t.sequence"
    " ORDER BY s.sequence, s.recorded"};
#undef PLIMSOLL_CHAIN_COLUMNS

// One host's rows, oldest first. They begin with a full snapshot, except where retention carried a
// snapshot on: it has the sequence of the row it stands for and comes after it.
class ChainBuilder {
 public:
  void Add(const pqxx::row& row) {
    const std::string content = BytesOf(row[6]);
    const bool full = row[5].as<bool>();
    StoredFacts& stored = chain_.facts;
    stored.host_id = TextOf(row[0]);
    stored.sequence = row[1].as<uint64_t>();
    stored.digest = BytesOf(row[2]);
    stored.observed = TimeOf(row[3]);
    stored.recorded = TimeOf(row[4]);
    if (full) {
      chain_.content = content;
      status_ = Decompress(content, stored.facts);
      return;
    }
    if (!status_.ok()) return;
    chain_.content.clear();
    v1::FactsDelta delta;
    status_ = Decompress(content, delta);
    if (status_.ok()) status_ = support::ApplyDelta(delta, stored.facts);
  }
  absl::StatusOr<FactChain> Take() {
    if (!status_.ok()) {
      return absl::DataLossError(
          absl::StrCat("facts of host ", chain_.facts.host_id, ": ", status_.message()));
    }
    // Unchanged parts were stored when they were first seen.
    *chain_.facts.facts.mutable_observed_time() = TimestampOf(chain_.facts.observed);
    return std::move(chain_);
  }

 private:
  FactChain chain_;
  absl::Status status_ = absl::DataLossError("the full snapshot that deltas build on is missing");
};

}  // namespace

absl::StatusOr<std::vector<FactChain>> ReadNewestFacts(Transaction& tx,
                                                       const std::vector<std::string>& host_ids) {
  tx.PlanByIndex();
  std::vector<FactChain> chains;
  const pqxx::result rows = tx.Exec(kNewest, TextArray(host_ids));
  for (auto row = rows.begin(); row != rows.end();) {
    const std::string host_id = TextOf((*row)[0]);
    ChainBuilder chain;
    for (; row != rows.end() && TextOf((*row)[0]) == host_id; ++row) chain.Add(*row);
    absl::StatusOr<FactChain> taken = chain.Take();
    if (!taken.ok()) return taken.status();
    chains.push_back(*std::move(taken));
  }
  return chains;
}

absl::StatusOr<std::vector<StoredFacts>> ReportStore::GetFactsOf(
    const std::vector<std::string>& host_ids) {
  return pool_.Transact("get facts",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<StoredFacts>> {
                          auto chains = ReadNewestFacts(tx, host_ids);
                          if (!chains.ok()) return chains.status();
                          std::vector<StoredFacts> facts;
                          for (FactChain& chain : *chains) facts.push_back(std::move(chain.facts));
                          return facts;
                        });
}

absl::StatusOr<StoredFacts> ReportStore::GetFacts(const std::string& host_id) {
  absl::StatusOr<std::vector<StoredFacts>> facts = GetFactsOf({host_id});
  if (!facts.ok()) return facts.status();
  if (facts->empty()) {
    return absl::NotFoundError(absl::StrCat("no facts of host \"", Text(host_id, 256), "\""));
  }
  return std::move(facts->front());
}

absl::StatusOr<StoredFacts> ReportStore::GetFactsAt(const std::string& host_id, absl::Time recorded,
                                                    uint64_t sequence) {
  return pool_.Transact(
      "get facts of the past", [&](Transaction& tx) -> absl::StatusOr<StoredFacts> {
        const pqxx::result rows =
            tx.ExecPlanned(kAt, Text(host_id), Time(recorded), static_cast<int64_t>(sequence));
        if (rows.empty()) {
          return absl::NotFoundError(absl::StrCat("no facts of host \"", Text(host_id, 256),
                                                  "\" at that time; they may be past retention"));
        }
        ChainBuilder chain;
        for (const pqxx::row& row : rows) chain.Add(row);
        absl::StatusOr<FactChain> taken = chain.Take();
        if (!taken.ok()) return taken.status();
        return std::move(taken->facts);
      });
}

}  // namespace plimsoll::store
