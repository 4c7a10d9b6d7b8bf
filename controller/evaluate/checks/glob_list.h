// Lists of globs that operators write: exemptions and allowed things, each with an optional expiry.
#pragma once

#include <forward_list>
#include <set>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "plimsoll/v1/baseline.pb.h"

namespace plimsoll::evaluate {

// The entries of a list that count at a given time. An entry is a glob as fnmatch(3) reads it, with
// "/" matched like any other character, and may end in " until YYYY-MM-DD": it counts up to the end
// of that day in UTC. An entry whose date cannot be read never counts, so a slip of the pen exempts
// nothing. Borrows `entries`, which must outlive it. An empty list costs nothing.
class GlobList {
 public:
  GlobList(const google::protobuf::RepeatedPtrField<std::string>& entries, absl::Time as_of);
  GlobList(const GlobList&) = delete;
  GlobList& operator=(const GlobList&) = delete;

  bool empty() const { return globs_.empty(); }
  // The whole text matches one of the globs.
  bool Matches(const std::string& text) const;
  // The entries that count, without their dates.
  const absl::InlinedVector<const char*, 8>& globs() const { return globs_; }

 private:
  absl::InlinedVector<const char*, 8> globs_;
  std::forward_list<std::string> trimmed_;
};

// When an entry with this last day no longer counts.
absl::Time EndOf(absl::CivilDay last_day);

// Last days of the entries in all lists of the document's checks: verdicts on unchanged facts may
// be others after each.
std::set<absl::CivilDay> LastDaysOf(const v1::Baseline& baseline);

// One glob against a whole text.
bool GlobMatches(const char* glob, const std::string& text);

}  // namespace plimsoll::evaluate
