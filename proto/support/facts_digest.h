// The digest of facts as a tree: a change costs what changed, not the whole host.
#pragma once

#include <map>
#include <string>

#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::support {

// Digests of the parts of one HostFacts, and of the whole; keyed sections must be sorted by key,
// as collectors and ApplyDelta leave them. Protocol version 2 of the collector's
// stream, on both sides:
//
//   object  SHA-256 of the object, serialised deterministically without volatile fields (digest.h)
//   section SHA-256 of the section likewise, its objects taken out; keyed sections (facts_delta.h)
//           append for each object, in the order of keys: key, NUL, digest of the object
//   whole   SHA-256 of collector version, NUL, labels as "key=value" NUL in the order of keys, and
//           for each section present, in the order of field numbers: number, NUL, its digest
//
// Not thread-safe. Copies are independent.
class FactsDigestTree {
 public:
  // Of no facts at all.
  FactsDigestTree() = default;
  explicit FactsDigestTree(const v1::HostFacts& facts);

  // Follows ApplyDelta(delta, facts): `after` are the facts it led to. Looks only at what `delta`
  // names.
  void Apply(const v1::FactsDelta& delta, const v1::HostFacts& after);

  // 32 raw bytes.
  std::string Digest() const;

 private:
  struct Section {
    // Serialised without objects and volatile fields.
    std::string rest;
    // Key -> digest of the object; empty for sections without keys.
    std::map<std::string, std::string> objects;
    std::string digest;
    void Finish();
  };
  void SetHead(const v1::HostFacts& facts);

  std::string head_;
  // By field number in HostFacts.
  std::map<int, Section> sections_;
};

}  // namespace plimsoll::support
