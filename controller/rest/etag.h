// Tags of answers: what a client shows to learn that nothing changed.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "controller/rest/http_message.h"

namespace plimsoll::rest {

// A strong tag made of the body.
std::string EtagOf(absl::string_view body);
// A weak one, of the texts that decide what the answer is.
std::string WeakEtagOf(std::initializer_list<absl::string_view> parts);

// Whether an If-None-Match header names `etag`, weakly compared; "*" names all.
bool Matches(absl::string_view header, absl::string_view etag);

// Adds `etag`; a client that has this very answer gets 304 and no body.
void Tag(const HttpRequest& request, std::string etag, HttpResponse& response);

}  // namespace plimsoll::rest
