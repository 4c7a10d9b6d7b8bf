#include "controller/rest/errors.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/str_cat.h"
#include "proto/support/field_errors.h"
#include "proto/support/logging.h"

namespace plimsoll::rest {

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
      return 409;
    case absl::StatusCode::kFailedPrecondition:
      return 412;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    // A conflict of transactions: repeating it helps, as with a database that is away.
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

HttpResponse ErrorResponse(const absl::Status& status, const std::string& request_id,
                           int http_status) {
  HttpResponse response;
  response.status = http_status != 0 ? http_status : HttpStatusOf(status.code());
  std::string message = support::PublicMessage(status);
  if (response.status == 500) {
    spdlog::error("request failed id={} error=\"{}\"", request_id,
                  support::LogSafe(status.ToString()));
    message = "the controller failed; its log has this request's id";
  } else if (response.status == 503 && !support::IsForCaller(status)) {
    spdlog::error("request failed id={} error=\"{}\"", request_id,
                  support::LogSafe(status.ToString()));
  }
  const std::string reason = support::ReasonOf(status);
  // What was done already must not be done again.
  if ((response.status == 429 || response.status == 503) && reason != support::kNotRecorded) {
    const absl::Duration wait = absl::Ceil(support::RetryOf(status), absl::Seconds(1));
    response.headers.emplace_back("Retry-After",
                                  absl::StrCat(std::max<int64_t>(absl::ToInt64Seconds(wait), 1)));
  }
  boost::json::object error;
  error["code"] = response.status;
  error["status"] = absl::StatusCodeToString(status.code());
  error["reason"] = reason;
  error["message"] = message;
  error["requestId"] = request_id;
  boost::json::array fields;
  for (const support::FieldError& field : support::FieldErrorsOf(status)) {
    fields.push_back({{"field", field.field}, {"message", field.message}});
  }
  if (!fields.empty()) error["fields"] = std::move(fields);
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  response.body = boost::json::serialize(boost::json::object{{"error", std::move(error)}});
  return response;
}

}  // namespace plimsoll::rest
