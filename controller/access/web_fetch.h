// Asking an identity provider over HTTPS.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::access {

// One request. With `form` it is a POST of it, else a GET.
struct WebRequest {
  std::string url;
  // application/x-www-form-urlencoded.
  std::string form = {};
  // HTTP basic authentication, both already percent-encoded (RFC 6749, 2.3.1); empty: none.
  std::string user = {};
  std::string password = {};
  // Bearer token; empty: none.
  std::string bearer = {};
};

// What came back, whole.
struct WebReply {
  // HTTP status.
  int status = 0;
  std::string body;
};

// Makes one request. UNAVAILABLE: no answer, or one that is too long; says what was wrong and never
// holds a secret. Any thread; blocks for at most 10 seconds.
using WebFetch = std::function<absl::StatusOr<WebReply>(const WebRequest&)>;

// Through libcurl: certificates are verified, by `ca_pem` or (empty) by the authorities of this
// machine; redirects are not followed, proxies of the surroundings not used; an answer has at most
// 256 KiB.
WebFetch CurlFetch(std::string ca_pem);

// INVALID_ARGUMENT unless `url` is https, or http to this very machine, and names a host and no
// user or fragment. Pure.
absl::Status CheckWebUrl(const std::string& url);

// `text` for a query or a form.
std::string UrlEncode(absl::string_view text);

}  // namespace plimsoll::access
