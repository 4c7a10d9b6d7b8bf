// Facts of hosts that have a session, so that a delta costs what changed.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "controller/evaluate/failing_containers.h"
#include "controller/gateway/gateway_stats.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "proto/support/facts_digest.h"

namespace plimsoll::gateway {

// A host's facts as they are committed, with what is derived from them piece by piece.
struct CachedFacts {
  // Lease of the session that brought or read them.
  int64_t epoch = 0;
  // As committed (32 raw bytes).
  std::string digest;
  v1::HostFacts facts;
  // Kept only for sessions of protocol version 2 and later.
  bool has_tree = false;
  support::FactsDigestTree tree;
  evaluate::ContainerFingerprints fingerprints;
  // Memory of all this, estimated.
  int64_t bytes = 0;

  // Estimates `bytes` from the facts. Costs a walk over all of them.
  void Measure();
};

// Least recently used first out. An entry is taken out while its session works on it and put back
// when the result is committed; whatever fails is simply not put back. Thread-safe.
class FactsCache {
 public:
  // `limit` is for the sum of CachedFacts::bytes.
  FactsCache(int64_t limit, GatewayStats& stats) : limit_(limit), stats_(stats) {}

  // The host's facts, out of the cache. Null: there are none of this lease with this digest; what
  // there was is dropped.
  std::unique_ptr<CachedFacts> Take(const std::string& host_id, int64_t epoch,
                                    const std::string& digest) ABSL_LOCKS_EXCLUDED(mutex_);
  // Unless a later lease has an entry.
  void Put(const std::string& host_id, std::unique_ptr<CachedFacts> facts)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The lease ended.
  void Drop(const std::string& host_id, int64_t epoch) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::string host_id;
    std::unique_ptr<CachedFacts> facts;
  };
  // Most recently used first.
  using List = std::list<Entry>;
  // Moves an entry to `out`, to be destroyed without the lock.
  void Remove(List::iterator it, List& out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t limit_;
  GatewayStats& stats_;
  absl::Mutex mutex_;
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  List entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, List::iterator> by_host_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::gateway
