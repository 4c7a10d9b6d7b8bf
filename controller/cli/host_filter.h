// Options that narrow an answer to some hosts, of the commands that read.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "controller/cli/command.h"

namespace plimsoll::cli {

// What --label and --selector said; empty: every host.
struct HostFilter {
  std::map<std::string, std::string> labels;
  std::string selector;

  // Sets both members of a request that has them.
  template <class Request>
  void ApplyTo(Request& request) const {
    request.mutable_labels()->insert(labels.begin(), labels.end());
    request.set_selector(selector);
  }
};

// Adds both options. `filter` outlives the parse.
void AddHostFilter(Command command, HostFilter& filter);

// Adds --limit, "at most this many; 0 for all", with its default in `limit`.
void AddLimitOption(Command command, int& limit);

// Says under a list that it was cut off, where it was.
void SayMore(bool more, Session& session);

// Calls `get(page_size, page_token)` for one page after the other and `take(page)` with each, until
// there are `limit` rows (0: all of them); `rows()` counts those taken. Returns whether there are
// more, or the first error.
template <class Get, class Take, class Rows>
absl::StatusOr<bool> ReadPages(int limit, const Get& get, const Take& take, const Rows& rows) {
  std::string token;
  while (true) {
    auto page = get(limit == 0 ? 1000 : std::min(1000, limit - rows()), token);
    if (!page.ok()) return page.status();
    token = page->next_page_token();
    take(*page);
    if (token.empty()) return false;
    if (limit != 0 && rows() >= limit) return true;
  }
}

}  // namespace plimsoll::cli
