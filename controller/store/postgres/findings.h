// The table of current findings, as part of storing an evaluation.
#pragma once

#include "controller/store/postgres/connection_pool.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {

// Makes the findings of `evaluation.host_id` those of `evaluation.reports`, writing only rows that
// differ. A verdict FAIL, UNKNOWN or MANUAL without findings counts as one finding on the host
// itself: empty object, the verdict's reason and its message as what was observed. Severities come
// from `evaluation.baselines`. Throws what libpqxx throws; the host's row is locked by the caller.
void UpdateFindings(Transaction& tx, const Evaluation& evaluation);

}  // namespace plimsoll::store
