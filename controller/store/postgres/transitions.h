// Current verdicts and their history, as part of storing an evaluation.
#pragma once

#include "absl/time/time.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {

// Writes the verdicts whose status differs from the stored one, and a transition for each. Verdicts
// of rules and baselines that `evaluation.reports` does not name are removed without a transition:
// the rule is gone, its status did not change. Throws what libpqxx throws; the host's row is locked
// by the caller, and the month of `evaluation.recorded` exists.
void UpdateVerdicts(Transaction& tx, const Evaluation& evaluation);

// Tables that are partitioned by month have their partition for this time.
bool MonthExists(Transaction& tx, absl::Time recorded);

// Makes that partition, in a transaction of its own: it must not wait for, or hold up, a host's.
// Idempotent.
absl::Status EnsureMonth(ConnectionPool& pool, absl::Time recorded);

}  // namespace plimsoll::store
