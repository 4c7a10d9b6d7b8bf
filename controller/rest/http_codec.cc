#include "controller/rest/http_codec.h"

#include <openssl/rand.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/http/error.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/rest/errors.h"
#include "proto/support/field_errors.h"
#include "proto/support/utf8.h"

namespace plimsoll::rest {
namespace {

namespace http = boost::beast::http;

// Nobody else's business, and never stale.
constexpr std::pair<const char*, const char*> kDefaults[] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Strict-Transport-Security", "max-age=31536000"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
};

template <class Message>
void SetHeaders(const HttpResponse& response, const std::string& id, Message& message) {
  message.set("X-Request-Id", id);
  for (const auto& [name, value] : kDefaults) message.set(name, value);
  for (const auto& [name, value] : response.headers) {
    // Several are several headers.
    if (name == "Set-Cookie") {
      message.insert(name, value);
    } else {
      message.set(name, value);
    }
  }
}

absl::string_view View(boost::beast::string_view text) {
  return absl::string_view(text.data(), text.size());
}

}  // namespace

std::string NewRequestId() {
  unsigned char bytes[8];
  RAND_bytes(bytes, sizeof bytes);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
}

std::string RequestIdOf(const http::request<http::string_body>& message) {
  const absl::string_view given = View(message["X-Request-Id"]);
  const bool plain = std::all_of(given.begin(), given.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
  return plain && !given.empty() && given.size() <= 64 ? std::string(given) : NewRequestId();
}

absl::StatusOr<HttpRequest> ToRequest(http::request<http::string_body> message,
                                      const std::string& peer, const std::string& id) {
  HttpRequest request;
  request.method = std::string(View(message.method_string()));
  static const char* const kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  if (std::find(std::begin(kMethods), std::end(kMethods), request.method) == std::end(kMethods)) {
    return absl::UnimplementedError("this method is not used here");
  }
  auto target = ParseTarget(View(message.target()));
  if (!target.ok()) return target.status();
  request.target = *std::move(target);
  for (const auto& field : message) {
    const std::string name = absl::AsciiStrToLower(View(field.name_string()));
    const absl::string_view value = View(field.value());
    if (!support::IsPlainUtf8(value)) {
      return absl::InvalidArgumentError(absl::StrCat("header ", name, " is not UTF-8 text"));
    }
    std::string& all = request.headers[name];
    absl::StrAppend(&all, all.empty() ? "" : ", ", value);
  }
  if (request.headers.contains("content-encoding")) {
    return support::WithReason(
        absl::InvalidArgumentError("a request's body must not be compressed"), "BODY_ENCODED");
  }
  request.body = std::move(message.body());
  request.peer = peer;
  request.id = id;
  return request;
}

std::optional<HttpResponse> RefusalOf(const boost::system::error_code& error,
                                      const std::string& id) {
  const auto refuse = [&id](int status, absl::string_view reason, const absl::Status& why) {
    return ErrorResponse(support::WithReason(why, reason), id, status);
  };
  if (error == http::error::body_limit) {
    return refuse(413, "BODY_TOO_LARGE",
                  absl::InvalidArgumentError("the request's body is too large"));
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return refuse(431, "HEADERS_TOO_LARGE",
                  absl::InvalidArgumentError("the request's headers are too large"));
  }
  // Everything else of that category is HTTP that is none; other categories are broken connections.
  if (error.category() == make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return refuse(400, "NOT_HTTP", absl::InvalidArgumentError("this is not HTTP/1.1"));
  }
  return std::nullopt;
}

http::response<http::string_body> ToMessage(HttpResponse response, const std::string& id,
                                            bool keep_alive, bool head) {
  http::response<http::string_body> message(static_cast<http::status>(response.status), 11);
  SetHeaders(response, id, message);
  if (response.status != 304 && response.status != 204) {
    message.set(http::field::content_type, response.content_type);
  }
  message.set(http::field::vary, "Accept-Encoding, Authorization, Cookie");
  message.keep_alive(keep_alive);
  const size_t size = response.body.size();
  message.body() = std::move(response.body);
  message.prepare_payload();
  // HEAD says how long the answer to GET would be.
  if (head) message.content_length(size);
  return message;
}

http::response<http::empty_body> EventStreamHeader(const HttpResponse& response,
                                                   const std::string& id) {
  http::response<http::empty_body> message(http::status::ok, 11);
  SetHeaders(response, id, message);
  message.set(http::field::content_type, "text/event-stream; charset=utf-8");
  message.chunked(true);
  message.keep_alive(false);
  return message;
}

}  // namespace plimsoll::rest
