// Digests of facts and documents.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/strings/string_view.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::support {

// SHA-256 of `bytes`: 32 raw bytes.
std::string Sha256(absl::string_view bytes);

// SHA-256 as 64 lower-case hex digits.
std::string Sha256Hex(absl::string_view bytes);

// Clears what changes without the host changing: observed times and durations, everywhere in
// `facts`.
void ClearVolatile(plimsoll::v1::HostFacts& facts);

// The same for a part of the facts: the two volatile fields of every SourceOutcome in `message`,
// which is of a type that HostFacts is made of.
void ClearVolatileOutcomes(google::protobuf::Message& message);

// Serialised so that equal messages give equal bytes.
std::string SerializeStable(const google::protobuf::MessageLite& message);

// Digest of facts, 32 raw bytes: equal for facts that differ only in what ClearVolatile removes.
// Both sides of the collector's stream compute it in protocol version 1; version 2 has
// FactsDigestTree.
std::string FactsDigest(const plimsoll::v1::HostFacts& facts);

}  // namespace plimsoll::support
