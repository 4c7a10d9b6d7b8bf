// Status of Abseil and of gRPC are the same thing in two types.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace plimsoll::support {

// Trailing metadata of the API's errors: support::ReasonOf, and a field of the request that is
// wrong.
inline constexpr char kReasonKey[] = "plimsoll-reason";
inline constexpr char kFieldKey[] = "plimsoll-field";

// Clients refuse metadata of more than 8 KiB, and a byte of a message may take three.
inline constexpr size_t kLongestMessage = 2048;

// `message` as it is, or its first 2 KiB of whole characters and " … (cut)".
inline std::string CutMessage(absl::string_view message) {
  if (message.size() <= kLongestMessage) return std::string(message);
  size_t end = kLongestMessage;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xc0) == 0x80) --end;
  return absl::StrCat(message.substr(0, end), " … (cut)");
}

// The codes have the same numbers. INTERNAL loses its message: what broke inside is for our log
// only. Long messages are cut.
inline grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  if (status.code() == absl::StatusCode::kInternal) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "internal error; see the controller's log");
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), CutMessage(status.message()));
}

inline absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace plimsoll::support
