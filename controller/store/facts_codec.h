// Messages as the store keeps them: serialised and compressed with zstd.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::store {

// Deterministic serialisation, compressed. Equal messages give equal bytes for one version of zstd.
// Thread-safe. Errors: INTERNAL (out of memory, more than 2 GiB).
absl::StatusOr<std::string> Compress(const google::protobuf::MessageLite& message);

// The reverse. Errors: DATA_LOSS when `bytes` are not what Compress made, or hold more than
// 512 MiB; `message` is then cleared. Thread-safe.
absl::Status Decompress(absl::string_view bytes, google::protobuf::MessageLite& message);

}  // namespace plimsoll::store
