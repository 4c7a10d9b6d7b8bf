#include "controller/rest/etag.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/support/digest.h"

namespace plimsoll::rest {

std::string EtagOf(absl::string_view body) {
  return absl::StrCat("\"", support::Sha256Hex(body).substr(0, 32), "\"");
}

std::string WeakEtagOf(std::initializer_list<absl::string_view> parts) {
  std::string all;
  for (const absl::string_view part : parts) absl::StrAppend(&all, part.size(), ":", part);
  return absl::StrCat("W/", EtagOf(all));
}

bool Matches(absl::string_view header, absl::string_view etag) {
  absl::ConsumePrefix(&etag, "W/");
  for (absl::string_view one : absl::StrSplit(header, ',')) {
    one = absl::StripAsciiWhitespace(one);
    if (one == "*") return true;
    absl::ConsumePrefix(&one, "W/");
    if (one == etag) return true;
  }
  return false;
}

void Tag(const HttpRequest& request, std::string etag, HttpResponse& response) {
  if (Matches(request.Header("if-none-match"), etag)) {
    response.status = 304;
    response.body.clear();
  }
  response.headers.emplace_back("ETag", std::move(etag));
  response.headers.emplace_back("Cache-Control", "private, no-cache");
}

}  // namespace plimsoll::rest
