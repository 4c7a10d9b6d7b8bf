// Version numbers as Docker engines print them (rules.md S9).
#pragma once

#include <compare>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace plimsoll::evaluate {

// "v?MAJOR.MINOR[.PATCH]" and whatever follows: "20.10.24+dfsg1", "19.03.15-ce", "23.0.0-rc.1".
struct VersionNumber {
  int major = 0;
  int minor = 0;
  int patch = 0;
  // "-alpha", "-beta" and "-rc" builds sort before the release, by kind, then by number.
  // 0 for a release; else negative, the nearer to 0 the later.
  int pre_release = 0;
  // The rest, with its first character: "+dfsg1". Empty: none. Plays no part in comparisons.
  std::string suffix;

  // A distribution's build ("+..." or "~..."): fixes may be back-ported without a new number.
  bool is_vendor_build() const;
  // Built from a development branch ("-dev", "-master..."); its number says nothing.
  bool is_development() const;
  // True when `branch` names this version's MAJOR.MINOR: "20.10", "19.03".
  bool is_of_branch(absl::string_view branch) const;

  std::strong_ordering operator<=>(const VersionNumber& other) const;
  bool operator==(const VersionNumber& other) const;
};

// Absent: not a version number.
std::optional<VersionNumber> ParseVersion(absl::string_view text);

// True when `text` is a version of at least major.minor; absent when it is none.
std::optional<bool> VersionAtLeast(absl::string_view text, int major, int minor);

}  // namespace plimsoll::evaluate
