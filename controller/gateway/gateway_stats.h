// What the collectors' side counts.
#pragma once

#include <prometheus/histogram.h>

#include <atomic>
#include <cstdint>

namespace plimsoll::gateway {

// Counters since the start, each one only growing, and a few gauges. Read and written from any
// thread; two of them read one after the other need not agree. Outlives everything that counts.
struct GatewayStats {
  using Counter = std::atomic<int64_t>;

  // Sessions welcomed, and those of them that are over.
  Counter sessions_begun{0};
  Counter sessions_ended{0};
  // Streams ended before Welcome: certificate, version, quarantine, database away.
  Counter sessions_refused{0};
  // Ended for three heartbeat intervals without a word.
  Counter sessions_silent{0};
  // Ended because they lost the host's lease: to another controller, a later session, a quarantine.
  Counter sessions_fenced{0};

  // From collectors, of every kind.
  Counter messages{0};
  Counter message_bytes{0};
  Counter heartbeats{0};
  // Deltas looked at, full snapshots among them, and those of them that were committed before.
  Counter deltas{0};
  Counter snapshots{0};
  Counter repeated{0};
  // Resync sent.
  Counter resyncs{0};

  // Limits exceeded.
  Counter over_message_bytes{0};
  Counter over_decoded_bytes{0};
  Counter over_objects{0};
  Counter over_deltas{0};
  Counter over_heartbeats{0};
  // Messages that are not the protocol's.
  Counter malformed{0};
  // Collectors that did not read their answers.
  Counter slow_readers{0};

  // Messages that had to wait for room, sessions ended because too much waited already.
  Counter budget_waits{0};
  Counter budget_refusals{0};
  Counter slow_downs{0};

  // Facts found beside the session, or read from the database.
  Counter cache_hits{0};
  Counter cache_misses{0};

  // Transactions that committed, hosts' changes in them, tries that failed and were repeated,
  // changes that could not be committed at all.
  Counter batches{0};
  Counter committed{0};
  Counter commit_retries{0};
  Counter commit_failures{0};

  // Now: bytes of messages under way, sessions waiting for room, changes waiting for a commit.
  Counter budget_in_use{0};
  Counter budget_waiting{0};
  Counter commits_waiting{0};
  // Judging one host by all baselines; one transaction; from a change's
  // observation on the host to its committed verdict (by two clocks: no less than 0).
  prometheus::Histogram evaluation_seconds{
      {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1}};
  prometheus::Histogram commit_seconds{
      {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}};
  prometheus::Histogram event_to_verdict_seconds{
      {0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600}};

  // Now: bytes and hosts in the cache of facts (estimated).
  Counter cache_bytes{0};
  Counter cache_hosts{0};
};

}  // namespace plimsoll::gateway
