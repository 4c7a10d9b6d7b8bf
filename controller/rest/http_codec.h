// Between the HTTP library's messages and ours.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "controller/rest/http_message.h"

namespace plimsoll::rest {

// 16 random hex digits.
std::string NewRequestId();

// The client's X-Request-Id when it is 1 to 64 of [A-Za-z0-9._-], else a new one.
std::string RequestIdOf(
    const boost::beast::http::request<boost::beast::http::string_body>& message);

// INVALID_ARGUMENT: a target or header that is not text; UNIMPLEMENTED: a method HTTP has and we
// have no use for.
absl::StatusOr<HttpRequest> ToRequest(
    boost::beast::http::request<boost::beast::http::string_body> message, const std::string& peer,
    const std::string& id);

// What to answer to a request that could not be read; nothing: the client is gone, or was too slow,
// and its connection is closed.
std::optional<HttpResponse> RefusalOf(const boost::system::error_code& error,
                                      const std::string& id);

// With the headers that every answer has: Content-Type, X-Request-Id, Cache-Control (unless given),
// Strict-Transport-Security, X-Content-Type-Options, Referrer-Policy, a Content-Security-Policy
// that allows nothing (unless given), X-Frame-Options.
boost::beast::http::response<boost::beast::http::string_body> ToMessage(HttpResponse response,
                                                                        const std::string& id,
                                                                        bool keep_alive, bool head);

// The header of a stream of events; the connection ends with it.
boost::beast::http::response<boost::beast::http::empty_body> EventStreamHeader(
    const HttpResponse& response, const std::string& id);

}  // namespace plimsoll::rest
