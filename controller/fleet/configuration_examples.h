// One container to show for each failing configuration.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "controller/store/report_store.h"
#include "plimsoll/v1/summary_service.pb.h"

namespace plimsoll::fleet {

// Sets image and example_container of each row from the newest facts of its example_host_id, which
// are read a hundred hosts at a time. A row whose host has changed since it was counted, or whose
// facts are damaged, keeps both empty. Errors as the store's.
absl::Status AddExamples(store::ReportStore& reports,
                         const std::vector<v1::FailingConfiguration*>& rows);

}  // namespace plimsoll::fleet
