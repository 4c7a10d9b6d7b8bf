#include "collector/spool/records.h"

#include "collector/spool/packing.h"
#include "plimsoll/v1/collector_gateway.pb.h"

namespace plimsoll::spool {

std::string PackSequence(uint64_t sequence) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) {
    bytes.push_back(static_cast<char>(sequence >> shift & 0xff));
  }
  return bytes;
}

bool UnpackSequence(absl::string_view payload, uint64_t& sequence) {
  if (payload.size() != 8) return false;
  sequence = 0;
  for (size_t i = 0; i < 8; ++i) {
    sequence |= static_cast<uint64_t>(static_cast<unsigned char>(payload[i])) << (8 * i);
  }
  return true;
}

absl::StatusOr<std::string> Renumbered(absl::StatusOr<std::string> payload, uint64_t sequence) {
  if (!payload.ok()) return payload;
  v1::FactsDelta delta;
  if (!Unpack(*payload, delta)) return absl::DataLossError("a record of the spool is no delta");
  if (delta.sequence() == sequence) return payload;
  delta.set_sequence(sequence);
  return Pack(delta);
}

}  // namespace plimsoll::spool
