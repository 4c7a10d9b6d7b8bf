// Reads baseline documents.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plimsoll/v1/baseline.pb.h"

namespace plimsoll::evaluate {

// Decodes a YAML document into a typed baseline, with parameter defaults filled in and `digest`
// set. Errors: INVALID_ARGUMENT, one line "file:line: what is wrong, what was expected" for each
// problem: unknown key, wrong type, duplicate id or slug, unknown check, bad parameter, dangling
// alias. Pure.
absl::StatusOr<v1::Baseline> LoadBaseline(absl::string_view yaml, absl::string_view file_name);

// SHA-256 over the canonical form of a document, `digest` itself left out; lower-case hex. Pure.
std::string BaselineDigest(const v1::Baseline& baseline);

// The baselines compiled into the program (controller/baselines/*.yaml), by id.
std::vector<std::string> ShippedBaselineIds();

// A shipped baseline. NOT_FOUND names those that exist.
absl::StatusOr<v1::Baseline> ShippedBaseline(absl::string_view id);

}  // namespace plimsoll::evaluate
