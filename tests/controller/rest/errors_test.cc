#include "controller/rest/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "proto/support/field_errors.h"
#include "tests/controller/rest/fake_api.h"

namespace plimsoll::rest {
namespace {

using ::testing::HasSubstr;

TEST(ErrorResponse, SaysWhatHappenedAndWhenToTryAgain) {
  spdlog::set_level(spdlog::level::off);
  const absl::Status busy = absl::ResourceExhaustedError("too many");
  const struct {
    absl::Status status;
    int code;
    const char* reason;
    const char* message;
    const char* retry_after;
  } cases[] = {
      {absl::InvalidArgumentError("bad"), 400, "INVALID_ARGUMENT", "bad", ""},
      {absl::UnauthenticatedError("who?"), 401, "UNAUTHENTICATED", "who?", ""},
      {absl::PermissionDeniedError("no"), 403, "PERMISSION_DENIED", "no", ""},
      {absl::NotFoundError("none"), 404, "NOT_FOUND", "none", ""},
      {absl::AlreadyExistsError("two"), 409, "ALREADY_EXISTS", "two", ""},
      {absl::FailedPreconditionError("first"), 412, "FAILED_PRECONDITION", "first", ""},
      {busy, 429, "RESOURCE_EXHAUSTED", "too many", "1"},
      {support::WithRetry(busy, absl::Seconds(90)), 429, "RESOURCE_EXHAUSTED", "too many", "90"},
      {support::WithRetry(busy, absl::Milliseconds(2100)), 429, "RESOURCE_EXHAUSTED", "", "3"},
      {support::WithRetry(busy, -absl::Seconds(5)), 429, "RESOURCE_EXHAUSTED", "", "1"},
      {absl::InternalError("row 7"), 500, "INTERNAL", "the controller failed", ""},
      {absl::DataLossError("row 7"), 500, "DATA_LOSS", "the controller failed", ""},
      {absl::UnavailableError("db-7"), 503, "UNAVAILABLE", "database does not answer", "1"},
      {absl::AbortedError("tuple 7"), 503, "ABORTED", "another change came first", "1"},
      {support::PolicyChanged(), 503, "POLICY_CHANGED", "just changed", "1"},
      {support::ShuttingDown(), 503, "SHUTTING_DOWN", "shutting down", "1"},
      {support::ProviderUnavailable("id.example"), 503, "PROVIDER_UNAVAILABLE", "id.example", "1"},
      // It was made: who repeats it makes it twice.
      {support::NotRecorded(), 503, "NOT_RECORDED", "the change was made", ""},
  };
  for (const auto& c : cases) {
    const HttpResponse response = ErrorResponse(c.status, "r-1");
    EXPECT_EQ(response.status, c.code) << c.status;
    EXPECT_EQ(HeaderOf(response, "Retry-After"), c.retry_after) << c.status;
    const auto error = boost::json::parse(response.body).at("error");
    EXPECT_EQ(error.at("code").as_int64(), c.code);
    EXPECT_EQ(error.at("reason").as_string(), c.reason);
    EXPECT_THAT(std::string(error.at("message").as_string()), HasSubstr(c.message));
    EXPECT_EQ(response.body.find(" 7"), std::string::npos) << response.body;
    EXPECT_EQ(response.body.find("db-7"), std::string::npos) << response.body;
  }
}

}  // namespace
}  // namespace plimsoll::rest
