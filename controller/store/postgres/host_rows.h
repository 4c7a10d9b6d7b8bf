// Rows of the host table as messages of the API.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "plimsoll/v1/host_service.pb.h"

namespace plimsoll::store {

// What selectors see of the labels of `host h`: those given centrally lie over the collector's.
#define PLIMSOLL_LABELS_UNDER(central) "(h.labels || " central ")"
#define PLIMSOLL_HOST_LABELS PLIMSOLL_LABELS_UNDER("h.central_labels")

// The columns HostOf reads, from `host h` and, for the controller's name, kHostFrom.
#define PLIMSOLL_HOST_COLUMNS                                                                  \
  "h.id, h.hostname, " PLIMSOLL_HOST_LABELS                                                    \
  ", h.collector_version, h.engine_version, h.operating_system,"                               \
  " h.container_count, h.clock_skew_us, h.connected, micros(h.enrolled), micros(h.last_seen)," \
  " micros(h.observed), h.revoked IS NOT NULL, micros(h.quarantined), h.quarantine_reason,"    \
  " h.boot_id, h.removed IS NOT NULL, h.ordinal, c.name, h.central_labels, h.label_managers"
#define PLIMSOLL_HOST_FROM " FROM host h LEFT JOIN controller c ON c.id = h.session_controller "
inline constexpr int kHostColumnCount = 21;

// What host.labels becomes when the collector says `said` (SQL): what enrolment gave holds over it.
#define PLIMSOLL_LABELS(said) said " || enrolled_labels"

// Counts and stale are not set.
v1::Host HostOf(const pqxx::row& row);
bool RemovedOf(const pqxx::row& row);
int64_t OrdinalOf(const pqxx::row& row);

// A JSON object of strings as PostgreSQL writes jsonb. What is not one gives the members before the
// flaw.
void ParseLabels(absl::string_view json, google::protobuf::Map<std::string, std::string>& labels);

}  // namespace plimsoll::store
