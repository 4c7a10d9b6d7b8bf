// The path of an HTTP request: bytes, header, target, route, message. What is taken must be text,
// and what is answered must be JSON.
// Links: controller/api
// Sources: controller/rest/uri.cc controller/rest/http_codec.cc controller/rest/route.cc
// Sources: controller/rest/transcode.cc controller/rest/errors.cc controller/rest/boost_json.cc
#include <spdlog/spdlog.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdlib>

#include "controller/rest/errors.h"
#include "controller/rest/http_codec.h"
#include "controller/rest/route.h"
#include "controller/rest/transcode.h"
#include "proto/support/utf8.h"
#include "tests/controller/rest/fake_api.h"

namespace plimsoll::rest {
namespace {

namespace http = boost::beast::http;

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
  if (error) (void)RefusalOf(error, "id");
  if (error || !parser.is_done()) return;
  auto request = ToRequest(parser.release(), "peer", "id");
  if (!request.ok()) return;
  for (const std::string& segment : request->target.segments) {
    if (segment.empty() || segment == ".." || !support::IsPlainUtf8(segment)) std::abort();
  }
  std::string allowed;
  const auto match = router->Find(request->method, request->target.segments, allowed);
  if (!match.ok()) return;
  api::AnyMessage message = match->method->make_request();
  const absl::Status status =
      DecodeRequest(*request, match->variables, match->method->spec.body, *message);
  if (!status.ok()) {
    if (HttpStatusOf(status.code()) != 400) std::abort();
    (void)ErrorResponse(status, "id");
    return;
  }
  if (!EncodeJson(*message).ok()) std::abort();
}

}  // namespace
}  // namespace plimsoll::rest

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plimsoll::rest::Fuzz(reinterpret_cast<const char*>(data), size);
  return 0;
}
