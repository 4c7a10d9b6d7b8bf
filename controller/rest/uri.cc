#include "controller/rest/uri.h"

#include <boost/url/parse.hpp>

#include "absl/strings/str_cat.h"
#include "proto/support/utf8.h"

namespace plimsoll::rest {
namespace {

constexpr size_t kMaximumParameters = 100;

absl::Status Bad(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("the request's target ", why));
}

}  // namespace

absl::StatusOr<Target> ParseTarget(absl::string_view target) {
  const auto parsed =
      boost::urls::parse_origin_form(boost::urls::string_view(target.data(), target.size()));
  if (parsed.has_error()) return Bad("is not a path with an optional query");
  Target result;
  for (const std::string& segment : parsed->segments()) {
    if (segment.empty() || segment == "." || segment == "..") {
      return Bad("has an empty, \".\" or \"..\" part");
    }
    if (!support::IsPlainUtf8(segment)) return Bad("is not UTF-8 text");
    result.segments.push_back(segment);
  }
  boost::urls::encoding_opts plus_is_space;
  plus_is_space.space_as_plus = true;
  for (const auto& parameter : parsed->params(plus_is_space)) {
    if (result.query.size() == kMaximumParameters) return Bad("has more than 100 parameters");
    if (!support::IsPlainUtf8(parameter.key) || !support::IsPlainUtf8(parameter.value)) {
      return Bad("is not UTF-8 text");
    }
    result.query.emplace_back(parameter.key, parameter.value);
  }
  return result;
}

}  // namespace plimsoll::rest
