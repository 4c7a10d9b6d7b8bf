// What requests have in common.
#pragma once

#include <google/protobuf/duration.pb.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "plimsoll/v1/selector.pb.h"

namespace plimsoll::api {

// INVALID_ARGUMENT, with the field, unless `selector` says which hosts, and says it in bounds: all
// alone, or hosts, labels and an expression in any combination. `expression_field` is the name of
// that member in the request.
absl::Status CheckSelector(const v1::HostSelector& selector, absl::string_view prefix,
                           absl::string_view expression_field);

// A deadline of a scan: 1 second to 24 hours. Absent (null): the default. INVALID_ARGUMENT.
absl::StatusOr<absl::Duration> ScanTimeout(const google::protobuf::Duration* timeout);

// INVALID_ARGUMENT: `text` is longer than `most` bytes.
absl::Status CheckLength(absl::string_view field, absl::string_view text, size_t most);

// INVALID_ARGUMENT: not a name that a person gives to a thing: 1 to 63 of a-z, 0-9 and -.
absl::Status CheckName(absl::string_view field, absl::string_view name);
// The same for one that need not be given.
absl::Status CheckOptionalName(absl::string_view field, absl::string_view name);

// An id that nobody guesses: `prefix` and 16 hex digits.
std::string NewId(absl::string_view prefix);

}  // namespace plimsoll::api
