// What is checked of a collector's message before and after it is decoded.
#pragma once

#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::gateway {

// The memory a v1.FromCollector of these bytes would take decoded, estimated without decoding it: a
// few bytes on the wire can ask for thousands in memory. Stops at the first breach:
// RESOURCE_EXHAUSTED above `limit` bytes; INVALID_ARGUMENT for bytes that are no message, or nested
// too deep. Pure.
absl::Status CheckDecodedSize(google::protobuf::io::ZeroCopyInputStream& bytes, int64_t limit);

// RESOURCE_EXHAUSTED names a keyed section of more than `limit` objects.
absl::Status CheckObjectCounts(const v1::HostFacts& facts, int32_t limit);

// Brings the keyed sections of a full snapshot into the order that deltas and digests build on: by
// key, each once (of several the last, as in deltas). Collectors send them so; a walk, then.
void SortKeyedSections(v1::HostFacts& facts);

// Scan ids that name scans: not too many, and nothing in them that is no id. INVALID_ARGUMENT.
absl::Status CheckScanIds(const google::protobuf::RepeatedPtrField<std::string>& ids);

// Text of a host as the database and a terminal can hold it: at most `most` bytes, whole
// characters, no control characters. `hostile` is valid UTF-8, as every decoded proto3 string is.
std::string CleanText(absl::string_view hostile, size_t most);

}  // namespace plimsoll::gateway
