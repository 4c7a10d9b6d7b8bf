#include "controller/evaluate/checks/glob_list.h"

#include <fnmatch.h>

#include <algorithm>

#include "absl/strings/strip.h"
#include "absl/time/civil_time.h"

namespace plimsoll::evaluate {
namespace {

constexpr char kUntil[] = " until ";

// True while the last day of the entry is not over.
bool StillCounts(absl::string_view day, absl::Time as_of) {
  absl::CivilDay last;
  if (!absl::ParseCivilTime(absl::StripAsciiWhitespace(day), &last)) return false;
  return as_of < absl::FromCivil(last + 1, absl::UTCTimeZone());
}

}  // namespace

GlobList::GlobList(const google::protobuf::RepeatedPtrField<std::string>& entries,
                   absl::Time as_of) {
  for (const std::string& entry : entries) {
    const size_t until = entry.rfind(kUntil);
    if (until == std::string::npos) {
      globs_.push_back(entry.c_str());
    } else if (StillCounts(absl::string_view(entry).substr(until + sizeof(kUntil) - 1), as_of)) {
      globs_.push_back(trimmed_.emplace_front(entry, 0, until).c_str());
    }
  }
}

bool GlobList::Matches(const std::string& text) const {
  return std::any_of(globs_.begin(), globs_.end(),
                     [&](const char* glob) { return GlobMatches(glob, text); });
}

bool GlobMatches(const char* glob, const std::string& text) {
  return fnmatch(glob, text.c_str(), FNM_NOESCAPE) == 0;
}

}  // namespace plimsoll::evaluate
