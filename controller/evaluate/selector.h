// Label selectors: which hosts a person means.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::evaluate {

// One condition on one label.
struct Requirement {
  enum class Kind {
    // The label has one of `values`.
    kIn,
    // It has none of `values`, or the host does not have the label.
    kNotIn,
    // The host has the label, whatever its value; `values` is empty.
    kExists,
    // It has not; `values` is empty.
    kNotExists,
    // What the saved selector named `key` requires; `values` is empty. No host fits until Expand
    // has put its requirements here.
    kSaved,
  };
  std::string key;
  Kind kind = Kind::kIn;
  // At least one where there are any; sorted, each once.
  std::vector<std::string> values;
};

// All of which must hold. Empty: every host.
using Selector = std::vector<Requirement>;

// Saved selectors by name; none of them names another.
using SavedSelectors = std::map<std::string, Selector>;

// Reads the grammar of proto/plimsoll/v1/selector.proto. Text of blanks only is the empty selector.
// Pure, and bounded in time and memory whatever `text` holds: at most 4 KiB, 64 requirements and 64
// values each. INVALID_ARGUMENT names the column (bytes, from 1), what was expected and what stands
// there.
absl::StatusOr<Selector> ParseSelector(absl::string_view text);

// A selector for hosts that carry all of `labels`, and to which `expression` applies as well.
// INVALID_ARGUMENT as above.
absl::StatusOr<Selector> SelectorOf(const std::map<std::string, std::string>& labels,
                                    absl::string_view expression);

// Puts the requirements of saved selectors where they are named. INVALID_ARGUMENT: there is no such
// saved selector, or the requirements become too many; `selector` stays as it was and means nobody.
absl::Status Expand(const SavedSelectors& saved, Selector& selector);

// Both of them.
absl::StatusOr<Selector> SelectorOf(const std::map<std::string, std::string>& labels,
                                    absl::string_view expression, const SavedSelectors& saved);

// `text` with what those saved selectors require that are in `saved`, by name, in place of their
// names; others stay as they are. INVALID_ARGUMENT: `text` does not parse, or the result is more
// than a selector may be.
absl::StatusOr<std::string> WriteOut(absl::string_view text,
                                     const std::map<std::string, std::string>& saved);

// Whether the saved selector of this name is named.
bool Names(const Selector& selector, absl::string_view saved);

// Whether a host with these labels is meant. The index answers the same from its columns.
bool Matches(const Selector& selector, const std::map<std::string, std::string>& labels);

}  // namespace plimsoll::evaluate
