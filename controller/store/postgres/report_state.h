// What ReportStore remembers of the database between calls.
#pragma once

#include "controller/store/postgres/baseline_catalog.h"
#include "controller/store/postgres/months.h"

namespace plimsoll::store {

// Only what never changes, or whose loss costs a question: thread-safe, as both members are.
struct ReportState {
  BaselineCatalog catalog;
  Months months;
};

}  // namespace plimsoll::store
