// What the host was known to be, what it is, and the smallest delta between the two.
#pragma once

#include <optional>
#include <string>

#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "proto/support/facts_digest.h"

namespace plimsoll::tracker {

// Holds the current facts and the tree of their digests. Pure: no I/O, no clock. Thread-compatible.
class Tracker {
 public:
  // Nothing known: the first update is a full snapshot.
  Tracker() = default;
  // Goes on from `facts`, a complete collection of earlier.
  explicit Tracker(v1::HostFacts facts);

  // What makes `now` of the facts held, which become `now`; nullopt when nothing differs but when
  // and how long outcomes were read, and then the facts held keep the older of those. The delta has
  // base and new digest (protocol version 2), observed time, collector version, labels, the plain
  // sections that differ, and of keyed sections the objects that came, changed or went; scans,
  // sequence and gap are the caller's. A section that is there no more makes it a full snapshot,
  // for no delta can say so. Objects that are the same are neither copied nor digested.
  //
  // `now` is put in order, keyed lists sorted and of equal keys the last kept, and is otherwise
  // unchanged.
  std::optional<v1::FactsDelta> Update(v1::HostFacts& now);

  // The facts held; empty before the first update.
  const v1::HostFacts& facts() const { return facts_; }
  bool empty() const { return digest_.empty(); }
  // FactsDigestTree's digest of the facts held; empty: none are.
  const std::string& digest() const { return digest_; }

 private:
  v1::FactsDelta Replace(const v1::HostFacts& now);

  v1::HostFacts facts_;
  support::FactsDigestTree tree_;
  std::string digest_;
};

// Puts the keyed lists of `facts` in order: sorted by key, of equal keys the last kept.
void SortKeyedLists(v1::HostFacts& facts);

}  // namespace plimsoll::tracker
