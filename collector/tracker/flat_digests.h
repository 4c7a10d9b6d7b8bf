// Deltas for controllers that speak protocol version 1.
#pragma once

#include <string>

#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::tracker {

// Follows the facts through the deltas sent and gives each the flat digests of version 1
// (support::FactsDigest), which cost the whole host a delta. Pure; thread-compatible.
class FlatDigests {
 public:
  // `base`: the facts that the next delta applies to; empty facts when that is a full snapshot.
  explicit FlatDigests(v1::HostFacts base);

  // Makes `delta`, the next one of protocol version 2, one of version 1: both digests replaced, no
  // gap. False: it does not apply, and a full snapshot is needed.
  bool Rewrite(v1::FactsDelta& delta);

  // Of the facts reached.
  const std::string& digest() const { return digest_; }

 private:
  v1::HostFacts facts_;
  std::string digest_;
};

}  // namespace plimsoll::tracker
