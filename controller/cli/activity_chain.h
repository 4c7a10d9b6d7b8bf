// Whether the activity log is whole, from what the API says row by row.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plimsoll/v1/activity_service.pb.h"

namespace plimsoll::cli {

// An end of the chain that somebody noted down.
struct NotedHead {
  int64_t sequence = 0;
  // 64 hex digits, lower case.
  std::string hash;
};

// Reads "SEQUENCE:HASH". INVALID_ARGUMENT.
absl::StatusOr<NotedHead> ParseHead(absl::string_view text);

// Takes entries newest first, each once, and trusts none of them: every hash is computed again.
// Not thread-safe.
class ActivityChain {
 public:
  // `head` is what the controller said before the entries were read; `noted` what is known from
  // elsewhere, each with a sequence of its own.
  ActivityChain(v1::ActivityHead head, std::vector<NotedHead> noted);

  void Take(const v1::Activity& entry);
  // After the last entry.
  void Finish();

  // What is wrong, one line each, newest row first; empty: nothing. At most 100.
  const std::vector<std::string>& problems() const { return problems_; }
  int64_t count() const { return count_; }

 private:
  void Problem(std::string text);
  void CompareWithNoted(int64_t sequence, const std::string& hash);

  const v1::ActivityHead head_;
  const std::vector<NotedHead> noted_;
  std::vector<bool> seen_;
  std::vector<std::string> problems_;
  int64_t count_ = 0;
  // What the next entry, which is older, must be; 0: it is the newest.
  int64_t expected_ = 0;
  std::string expected_hash_;
};

}  // namespace plimsoll::cli
