// What operators may set of the collectors' side.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "plimsoll/v1/collector_gateway.pb.h"

namespace plimsoll::gateway {

// Bounds and paces of one controller. The defaults suit two cores and 10,000 hosts.
struct GatewayOptions {
  // --- What one collector may do; told in Welcome where it can obey, enforced here in any case.

  // Largest message, in bytes, looked at before it is decoded.
  int64_t max_message_bytes = int64_t{32} << 20;
  // Objects in any one keyed section of a host's facts.
  int32_t max_objects_per_section = 20'000;
  // Averages, with as many at once as there are in a minute.
  int32_t max_deltas_per_minute = 600;
  int32_t max_heartbeats_per_minute = 120;
  // Longest silence of a collector before it must send a heartbeat; after three of them its session
  // is ended.
  absl::Duration heartbeat_interval = absl::Seconds(30);

  // --- What all collectors together may take.

  // Messages being decoded, judged and committed, as the memory they take: kDecodedFactor times
  // their length.
  int64_t budget_bytes = int64_t{256} << 20;
  // Messages received, not decoded and waiting for room, in bytes. Beyond it a session is ended
  // with UNAVAILABLE; its collector keeps what it has and comes again later.
  int64_t max_waiting_bytes = int64_t{128} << 20;
  // Facts of hosts with a session, kept so that a delta need not read them from the database.
  int64_t cache_bytes = int64_t{512} << 20;

  // --- Commits.

  int committer_threads = 2;
  // Hosts, and bytes, in one transaction at most.
  int max_batch_hosts = 256;
  int64_t max_batch_bytes = int64_t{16} << 20;

  // --- Overload.

  // A collector whose message is not committed after this long is told SlowDown, and again after
  // each pause.
  absl::Duration slow_down_after = absl::Seconds(2);
  // The pause is this long, or up to twice as long: collectors must not all come back at once.
  absl::Duration slow_down_pause = absl::Seconds(5);
  // Sessions waiting for room before every further one is told SlowDown at once.
  int slow_down_waiters = 256;

  // --- Database work beside commits.

  // How often last-seen times are written.
  absl::Duration last_seen_interval = absl::Seconds(10);
  // Worker threads that beginnings and ends of sessions, answers to scans, and enrolments may take
  // at one time. The workers must be more than all three together: the rest judges facts.
  int session_workers = 4;
  int answer_workers = 2;
  int enroll_workers = 2;
  // Enrolments and renewals waiting for a worker before RESOURCE_EXHAUSTED.
  int max_waiting_enrollments = 1000;
};

// Facts decoded take about this many times their length on the wire.
inline constexpr int64_t kDecodedFactor = 4;

// The part of `options` that collectors are told.
inline v1::Limits LimitsOf(const GatewayOptions& options) {
  v1::Limits limits;
  limits.set_max_message_bytes(options.max_message_bytes);
  limits.set_max_unacknowledged_deltas(1);
  limits.set_max_objects_per_section(options.max_objects_per_section);
  limits.set_max_deltas_per_minute(options.max_deltas_per_minute);
  return limits;
}

}  // namespace plimsoll::gateway
