// What the records of a spool's file mean.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::spool {

// Kinds of records; numbers are never used again for something else.
enum Kind : uint8_t {
  // First record: a packed FactsDelta whose sequence and new digest are those acknowledged, and
  // `changed` the facts; without `changed` the facts are not known.
  kBase = 1,
  // A packed FactsDelta, queued.
  kDelta = 2,
  // A sequence: everything up to it is acknowledged.
  kAcknowledged = 3,
  // A sequence: that is acknowledged now, and what is queued is numbered from the next.
  kRenumbered = 4,
};

// A sequence as payload: 8 bytes, little-endian.
std::string PackSequence(uint64_t sequence);
// False: not 8 bytes.
bool UnpackSequence(absl::string_view payload, uint64_t& sequence);

// `payload`, a packed FactsDelta, with another sequence if it has not that one. DATA_LOSS: it is
// none. Passes an error on.
absl::StatusOr<std::string> Renumbered(absl::StatusOr<std::string> payload, uint64_t sequence);

}  // namespace plimsoll::spool
