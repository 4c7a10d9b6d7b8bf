// The path of an HTTP request: bytes, header, target, route, message. What is taken must be text,
// and what is answered must be JSON.
// Links: controller/api
// Sources: controller/rest/uri.cc controller/rest/http_codec.cc controller/rest/route.cc
// Sources: controller/rest/transcode.cc controller/rest/errors.cc controller/rest/boost_json.cc
#include <spdlog/spdlog.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/parse.hpp>

#include "controller/rest/errors.h"
#include "controller/rest/http_codec.h"
#include "controller/rest/route.h"
#include "controller/rest/transcode.h"
#include "proto/support/utf8.h"
#include "tests/controller/rest/fake_api.h"
#include "tests/fuzz/invariants.h"

namespace plimsoll::rest {
namespace {

namespace http = boost::beast::http;

// Every error is JSON that can be read back, and says what it is.
void RequireReadable(const HttpResponse& response) {
  boost::system::error_code error;
  const boost::json::value body = boost::json::parse(response.body, error);
  fuzz::Require(!error && body.is_object() && body.as_object().contains("error"),
                "an error that is not JSON");
  fuzz::Require(support::IsPlainUtf8(response.body), "an error that is not text");
}

void Fuzz(const char* data, size_t size) {
  static auto* const api = new FakeApi;
  static auto* const table = [] {
    spdlog::set_level(spdlog::level::off);
    auto* made = new api::MethodTable(support::Clock::Real());
    api->AddTo(*made);
    return made;
  }();
  static const auto* const router = new Router(*table, {});
  http::request_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(16 << 10);
  parser.body_limit(1 << 20);
  boost::system::error_code error;
  size_t used = 0;
  while (!error && !parser.is_done() && used < size) {
    const size_t took = parser.put(boost::asio::buffer(data + used, size - used), error);
    if (took == 0) break;
    used += took;
  }
  if (error) {
    if (const auto refusal = RefusalOf(error, "id")) RequireReadable(*refusal);
  }
  if (error || !parser.is_done()) return;
  auto request = ToRequest(parser.release(), "peer", "id");
  if (!request.ok()) {
    RequireReadable(ErrorResponse(request.status(), "id"));
    return;
  }
  for (const std::string& segment : request->target.segments) {
    fuzz::Require(!segment.empty() && segment != ".." && support::IsPlainUtf8(segment),
                  "a segment that is no name");
  }
  std::string allowed;
  const auto match = router->Find(request->method, request->target.segments, allowed);
  if (!match.ok()) {
    RequireReadable(ErrorResponse(match.status(), "id"));
    return;
  }
  api::AnyMessage message = match->method->make_request();
  const absl::Status status =
      DecodeRequest(*request, match->variables, match->method->spec.body, *message);
  if (!status.ok()) {
    fuzz::Require(HttpStatusOf(status.code()) == 400, "the error's code");
    RequireReadable(ErrorResponse(status, "id"));
    return;
  }
  const auto json = EncodeJson(*message);
  fuzz::Require(json.ok(), "a message without JSON");
  boost::json::parse(*json, error);
  fuzz::Require(!error, "an answer that is not JSON");
}

}  // namespace
}  // namespace plimsoll::rest

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plimsoll::rest::Fuzz(reinterpret_cast<const char*>(data), size);
  return 0;
}
