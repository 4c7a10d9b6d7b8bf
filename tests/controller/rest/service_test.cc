#include "controller/rest/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "controller/rest/etag.h"
#include "proto/support/field_errors.h"
#include "tests/controller/rest/fake_api.h"

namespace plimsoll::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    spdlog::set_level(spdlog::level::critical);
    api_.AddTo(table_);
    service_ = std::make_unique<RestService>(
        ServiceParts{.methods = table_,
                     .workers = workers_,
                     .authenticate = [](const std::string& name,
                                        const std::string&) -> absl::StatusOr<store::Principal> {
                       if (name == "admin") return store::Principal{"1", name, store::Role::kAdmin};
                       if (name == "vera") return store::Principal{"2", name};
                       if (name == "new") {
                         store::Principal with_one_time_password{"3", name};
                         with_one_time_password.must_change_password = true;
                         return with_one_time_password;
                       }
                       return absl::UnauthenticatedError("no token");
                     },
                     .ready = [this] { return ready_; },
                     .fleet_version = [this] { return version_; },
                     .max_pending = max_pending_},
        std::vector<PlainRoute>{{"GET", "/secret", "", "text/plain",
                                 [](const HttpRequest&, const store::Principal* who) {
                                   HttpResponse response;
                                   response.body = who->name;
                                   return response;
                                 },
                                 access::Permission::kAdminister}});
  }

  HttpResponse Ask(const std::string& method, const std::string& target,
                   std::map<std::string, std::string> headers = {}, std::string body = "") {
    headers.try_emplace("authorization", "admin");
    return AskService(*service_, method, target, std::move(headers), std::move(body));
  }
  static std::string ErrorOf(const HttpResponse& response, const char* member) {
    const auto error = boost::json::parse(response.body).at("error");
    const auto* value = error.as_object().if_contains(member);
    return value == nullptr ? "" : std::string(value->as_string());
  }

  FakeApi api_;
  api::MethodTable table_{support::Clock::Real()};
  absl::Status ready_;
  std::string version_ = "1";
  int max_pending_ = 10;
  std::unique_ptr<RestService> service_;
  support::WorkerPool workers_{1};
};

TEST_F(ServiceTest, AnswersMethodsWithTheirJson) {
  const HttpResponse host = Ask("GET", "/v1/hosts/web-1");
  EXPECT_EQ(host.status, 200);
  EXPECT_EQ(host.body, R"({"id":"web-1","controller":"10.0.0.1"})");
  EXPECT_EQ(Ask("GET", "/v1/hosts?pageSize=5&labels.env=prod").status, 200);
  EXPECT_THAT(api_.asked, HasSubstr("page_size: 5"));
  const HttpResponse schedule = Ask("PUT", "/v1/schedules/nightly", {}, R"({"cron": "@daily"})");
  EXPECT_EQ(schedule.body, R"({"id":"nightly","cron":"@daily"})");
}

TEST_F(ServiceTest, ErrorsHaveOneForm) {
  api_.error = absl::NotFoundError("no host \"x\"");
  const HttpResponse missing = Ask("GET", "/v1/hosts/x");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(ErrorOf(missing, "status"), "NOT_FOUND");
  EXPECT_EQ(ErrorOf(missing, "reason"), "NOT_FOUND");
  EXPECT_EQ(ErrorOf(missing, "requestId"), "r-1");
  const HttpResponse field = Ask("GET", "/v1/hosts?pageSize=x");
  EXPECT_EQ(field.status, 400);
  EXPECT_EQ(ErrorOf(field, "reason"), "INVALID_FIELD");
  EXPECT_THAT(field.body, HasSubstr(R"("fields":[{"field":"pageSize")"));
  EXPECT_EQ(ErrorOf(Ask("GET", "/v1/nosuch"), "reason"), "NO_ROUTE");
  const HttpResponse verb = Ask("POST", "/v1/hosts/x");
  EXPECT_EQ(verb.status, 405);
  EXPECT_EQ(HeaderOf(verb, "Allow"), "DELETE, GET");
  // What the database says stays inside.
  api_.error = absl::UnavailableError("secret host db-7");
  const HttpResponse away = Ask("GET", "/v1/hosts/x");
  EXPECT_EQ(away.status, 503);
  EXPECT_EQ(HeaderOf(away, "Retry-After"), "1");
  EXPECT_THAT(away.body, Not(HasSubstr("db-7")));
}

TEST_F(ServiceTest, CallersAreKnownAndAllowed) {
  const HttpResponse nobody = Ask("GET", "/v1/hosts", {{"authorization", ""}});
  EXPECT_EQ(nobody.status, 401);
  EXPECT_EQ(HeaderOf(nobody, "WWW-Authenticate"), "Bearer");
  EXPECT_EQ(Ask("DELETE", "/v1/hosts/x", {{"authorization", "vera"}}).status, 403);
  EXPECT_EQ(Ask("GET", "/secret", {{"authorization", ""}}).status, 401);
  EXPECT_EQ(Ask("GET", "/secret", {{"authorization", "vera"}}).status, 403);
  EXPECT_EQ(Ask("GET", "/secret").body, "admin");
  EXPECT_EQ(Ask("GET", "/v1/scans/s/events", {{"authorization", ""}}).status, 401);
}

TEST_F(ServiceTest, AggregatesAreNotSentTwice) {
  const HttpResponse first = Ask("GET", "/v1/baselines/b/summary");
  const std::string etag = HeaderOf(first, "ETag");
  EXPECT_THAT(etag, HasSubstr("W/\""));
  const HttpResponse again = Ask("GET", "/v1/baselines/b/summary", {{"if-none-match", etag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.body, "");
  // Not even made.
  EXPECT_EQ(api_.summaries, 1);
  EXPECT_EQ(Ask("GET", "/v1/baselines/c/summary", {{"if-none-match", etag}}).status, 200);
  EXPECT_EQ(Ask("GET", "/v1/baselines/b/summary?host=h", {{"if-none-match", etag}}).status, 200);
  EXPECT_EQ(Ask("GET", "/v1/baselines/b/summary", {{"if-none-match", etag}, {"authorization", ""}})
                .status,
            401);
  // Who may not have the answer is not told that it is the same.
  EXPECT_EQ(
      Ask("GET", "/v1/baselines/b/summary", {{"if-none-match", etag}, {"authorization", "new"}})
          .status,
      412);
  version_ = "2";
  EXPECT_EQ(Ask("GET", "/v1/baselines/b/summary", {{"if-none-match", etag}}).status, 200);
}

TEST_F(ServiceTest, IdempotencyKeysAreHeadersToo) {
  EXPECT_EQ(Ask("POST", "/v1/scans", {{"idempotency-key", "k"}}, R"({"all": true})").body,
            R"({"id":"k"})");
  EXPECT_EQ(
      Ask("POST", "/v1/scans", {{"idempotency-key", "k"}}, R"({"idempotencyKey": "l"})").status,
      400);
  EXPECT_EQ(Ask("PUT", "/v1/schedules/s", {{"idempotency-key", "k"}}, "{}").status, 400);
}

TEST_F(ServiceTest, LongAnswersAreCompressed) {
  api_.hosts = 1000;
  const HttpResponse packed = Ask("GET", "/v1/hosts", {{"accept-encoding", "gzip"}});
  EXPECT_EQ(HeaderOf(packed, "Content-Encoding"), "gzip");
  EXPECT_LT(packed.body.size(), 1000u);
  EXPECT_EQ(HeaderOf(Ask("GET", "/v1/hosts"), "Content-Encoding"), "");
}

TEST_F(ServiceTest, StreamsAreEventsWithAnEnd) {
  const HttpResponse response = Ask("GET", "/v1/scans/s-1/events");
  ASSERT_NE(response.events, nullptr);
  EXPECT_THAT(EventsOf(*response.events),
              ElementsAre(R"(scan  {"id":"s-1","state":"RUNNING"})",
                          R"(scan  {"id":"s-1","state":"DONE"})", "end  {}"));
  api_.error = absl::NotFoundError("no scan");
  EXPECT_EQ(Ask("GET", "/v1/scans/s-1/events").status, 404);
}

TEST_F(ServiceTest, ProbesAndDocuments) {
  EXPECT_EQ(Ask("GET", "/healthz", {{"authorization", ""}}).body, "ok\n");
  EXPECT_EQ(Ask("GET", "/readyz", {{"authorization", ""}}).status, 200);
  ready_ = absl::UnavailableError("gone");
  EXPECT_EQ(Ask("GET", "/readyz").status, 503);
  EXPECT_EQ(Ask("GET", "/healthz").status, 200);
  const HttpResponse openapi = Ask("GET", "/openapi.json", {{"authorization", ""}});
  EXPECT_THAT(openapi.body, HasSubstr("\"openapi\":\"3.1.0\""));
  EXPECT_EQ(Ask("GET", "/openapi.json", {{"if-none-match", HeaderOf(openapi, "ETag")}}).status,
            304);
  EXPECT_THAT(HeaderOf(Ask("GET", "/docs"), "Content-Security-Policy"),
              HasSubstr("default-src 'none'"));
  EXPECT_EQ(service_->answers().at(503), 1);
}

TEST(Etag, IsComparedWeakly) {
  EXPECT_TRUE(Matches("\"a\"", "\"a\""));
  EXPECT_TRUE(Matches("W/\"a\"", "\"a\""));
  EXPECT_TRUE(Matches("\"b\", W/\"a\"", "W/\"a\""));
  EXPECT_TRUE(Matches("*", "\"a\""));
  EXPECT_FALSE(Matches("", "\"a\""));
  EXPECT_FALSE(Matches("\"ab\"", "\"a\""));
  EXPECT_NE(WeakEtagOf({"ab", "c"}), WeakEtagOf({"a", "bc"}));
}

}  // namespace
}  // namespace plimsoll::rest
