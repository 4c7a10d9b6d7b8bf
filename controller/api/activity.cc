#include "controller/api/activity.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/api/paging.h"
#include "controller/api/scope.h"
#include "proto/support/times.h"

namespace plimsoll::api {

absl::StatusOr<v1::ListActivityResponse> Activities::List(const Principal& who,
                                                          const v1::ListActivityRequest& request) {
  if (auto status = RequireWholeFleet(who, "the activity log"); !status.ok()) return status;
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  store::ActivityQuery query;
  query.actor = request.actor();
  query.action = request.action();
  query.object = request.object();
  if (request.has_start_time()) query.start = support::FromTimestamp(request.start_time());
  if (request.has_end_time()) query.end = support::FromTimestamp(request.end_time());
  if (!(*after)[0].empty() && !absl::SimpleAtoi((*after)[0], &query.before_sequence)) {
    return BadPageToken();
  }
  // One more than asked tells whether there is a next page.
  query.limit = *size + 1;
  auto entries = store_.List(query);
  if (!entries.ok()) return entries.status();
  v1::ListActivityResponse response;
  if (entries->size() > static_cast<size_t>(*size)) {
    entries->pop_back();
    response.set_next_page_token(EncodePageToken({absl::StrCat(entries->back().sequence())}));
  }
  for (v1::Activity& entry : *entries) *response.add_entries() = std::move(entry);
  return response;
}

absl::StatusOr<v1::ActivityHead> Activities::GetHead(const Principal& who,
                                                     const v1::GetActivityHeadRequest&) {
  if (auto status = RequireWholeFleet(who, "the activity log"); !status.ok()) return status;
  return store_.Head();
}

}  // namespace plimsoll::api
