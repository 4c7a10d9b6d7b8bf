#include "controller/cli/activity_chain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/activity_hash.h"

namespace plimsoll::cli {
namespace {
constexpr size_t kMostProblems = 100;
constexpr size_t kHashDigits = 64;

std::string Rows(int64_t first, int64_t last) {
  return first == last ? absl::StrCat("row ", first, " is")
                       : absl::StrCat("rows ", first, " to ", last, " are");
}
}  // namespace

absl::StatusOr<NotedHead> ParseHead(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  NotedHead head;
  head.hash = absl::AsciiStrToLower(parts.second);
  const bool hex = head.hash.size() == kHashDigits &&
                   std::all_of(head.hash.begin(), head.hash.end(),
                               [](char c) { return absl::ascii_isxdigit(c); });
  if (!hex || !absl::SimpleAtoi(parts.first, &head.sequence) || head.sequence < 1) {
    return absl::InvalidArgumentError(
        "expected SEQUENCE:HASH, as `plimsoll activity head` prints it");
  }
  return head;
}

ActivityChain::ActivityChain(v1::ActivityHead head, std::vector<NotedHead> noted)
    : head_(std::move(head)), noted_(std::move(noted)), seen_(noted_.size()) {}

void ActivityChain::Problem(std::string text) {
  if (problems_.size() < kMostProblems) problems_.push_back(std::move(text));
}

void ActivityChain::CompareWithNoted(int64_t sequence, const std::string& hash) {
  for (size_t i = 0; i < noted_.size(); ++i) {
    if (noted_[i].sequence != sequence) continue;
    seen_[i] = true;
    if (noted_[i].hash != hash) {
      Problem(absl::StrCat("row ", sequence, " is not the one that was noted down: its hash is ",
                           hash, ", noted was ", noted_[i].hash));
    }
  }
}

void ActivityChain::Take(const v1::Activity& entry) {
  const int64_t row = entry.sequence();
  if (expected_ == 0) {
    // Rows may have come since the head was asked for.
    if (row < head_.sequence()) {
      Problem(absl::StrCat(Rows(row + 1, head_.sequence()), " missing at the end"));
    }
  } else if (row > expected_) {
    Problem(absl::StrCat("row ", row, " stands twice or out of order"));
  } else if (row < expected_) {
    Problem(absl::StrCat(Rows(row + 1, expected_), " missing"));
  }
  const std::string computed = support::ActivityHash(entry);
  if (computed != entry.hash()) {
    Problem(absl::StrCat("row ", row, " was altered: its hash is not that of what it says"));
  }
  if (expected_ == row && expected_hash_ != entry.hash()) {
    Problem(
        absl::StrCat("row ", row, " was replaced: row ", row + 1, " was chained to another one"));
  }
  if (row == head_.sequence() && entry.hash() != head_.hash()) {
    Problem(
        absl::StrCat("row ", row, " was replaced: the controller's end of the chain is another"));
  }
  CompareWithNoted(row, entry.hash());
  expected_ = row - 1;
  expected_hash_ = entry.previous_hash();
  ++count_;
}

void ActivityChain::Finish() {
  const int64_t dropped = head_.dropped_sequence();
  if (count_ == 0) {
    if (head_.sequence() > dropped) {
      Problem(absl::StrCat(Rows(dropped + 1, head_.sequence()), " missing at the end"));
    }
  } else if (expected_ > dropped) {
    Problem(absl::StrCat(Rows(dropped + 1, expected_), " missing at the beginning"));
  } else if (expected_ == dropped &&
             expected_hash_ != (dropped == 0 ? support::kNoActivityHash : head_.dropped_hash())) {
    Problem(absl::StrCat("row ", dropped + 1, " does not follow what came before it"));
  }
  if (dropped > 0) CompareWithNoted(dropped, head_.dropped_hash());
  for (size_t i = 0; i < noted_.size(); ++i) {
    if (seen_[i]) continue;
    if (noted_[i].sequence < dropped) {
      Problem(absl::StrCat("row ", noted_[i].sequence,
                           ", which was noted down, has been dropped by ", "retention (up to row ",
                           dropped, "): it cannot be compared any more"));
    } else {
      Problem(absl::StrCat("row ", noted_[i].sequence,
                           ", which was noted down, is missing: the log was cut off"));
    }
  }
}

}  // namespace plimsoll::cli
