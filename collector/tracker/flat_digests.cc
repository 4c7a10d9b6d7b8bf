#include "collector/tracker/flat_digests.h"

#include <utility>

#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"

namespace plimsoll::tracker {

FlatDigests::FlatDigests(v1::HostFacts base)
    : facts_(std::move(base)), digest_(support::FactsDigest(facts_)) {}

bool FlatDigests::Rewrite(v1::FactsDelta& delta) {
  if (!support::ApplyDelta(delta, facts_).ok()) return false;
  if (!delta.base_digest().empty()) delta.set_base_digest(digest_);
  digest_ = support::FactsDigest(facts_);
  delta.set_new_digest(digest_);
  delta.clear_gap();
  return true;
}

}  // namespace plimsoll::tracker
