#include "controller/rest/transcode.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "google/protobuf/text_format.h"
#include "plimsoll/v1/finding_service.pb.h"
#include "plimsoll/v1/host_service.pb.h"
#include "plimsoll/v1/scan_service.pb.h"
#include "plimsoll/v1/schedule_service.pb.h"
#include "proto/support/field_errors.h"

namespace plimsoll::rest {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

HttpRequest Get(Query query) {
  HttpRequest request;
  request.method = "GET";
  request.target.query = std::move(query);
  return request;
}

HttpRequest Post(std::string body) {
  HttpRequest request;
  request.method = "POST";
  request.body = std::move(body);
  return request;
}

template <class T>
T Expect(const char* text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

TEST(DecodeRequest, FillsEveryKindOfParameter) {
  v1::ListFindingsRequest findings;
  ASSERT_TRUE(DecodeRequest(Get({{"pageSize", "5"},
                                 {"baseline", "azure-docker"},
                                 {"rules", "5.04"},
                                 {"rules", "5.05"},
                                 {"statuses", "FAIL"},
                                 {"statuses", "unknown"},
                                 {"minimum_severity", "4"},
                                 {"labels.env", "prod"},
                                 {"labels.team.x", "a=b"}}),
                            {}, "", findings)
                  .ok());
  const auto expected = Expect<v1::ListFindingsRequest>(
      "page_size: 5 baseline: 'azure-docker' rules: '5.04' rules: '5.05' statuses: FAIL "
      "statuses: UNKNOWN minimum_severity: HIGH labels { key: 'env' value: 'prod' } "
      "labels { key: 'team.x' value: 'a=b' }");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(findings, expected))
      << findings.ShortDebugString();

  v1::ListHostsRequest hosts;
  ASSERT_TRUE(DecodeRequest(Get({{"stale", "true"}}), {}, "", hosts).ok());
  EXPECT_TRUE(hosts.has_stale() && hosts.stale());
}

TEST(DecodeRequest, NamesTheFieldThatIsWrong) {
  const auto field = [](Query query, auto message) {
    const absl::Status status = DecodeRequest(Get(std::move(query)), {}, "", message);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    const auto fields = support::FieldErrorsOf(status);
    return fields.size() == 1 ? fields[0].field : "none";
  };
  const v1::ListFindingsRequest findings;
  EXPECT_EQ(field({{"pageSize", "x"}}, findings), "pageSize");
  EXPECT_EQ(field({{"pageSize", "99999999999"}}, findings), "pageSize");
  EXPECT_EQ(field({{"pageSize", "1"}, {"pageSize", "2"}}, findings), "pageSize");
  EXPECT_EQ(field({{"pageSize", "1"}, {"page_size", "2"}}, findings), "page_size");
  EXPECT_EQ(field({{"labels.env", "a"}, {"labels.env", "b"}}, findings), "labels.env");
  EXPECT_EQ(field({{"nosuch", "1"}}, findings), "nosuch");
  EXPECT_EQ(field({{"statuses", "GOOD"}}, findings), "statuses");
  EXPECT_EQ(field({{"labels", "env=prod"}}, findings), "labels");
  EXPECT_EQ(field({{"labels.", "x"}}, findings), "labels.");
  EXPECT_EQ(field({{"baseline.id", "x"}}, findings), "baseline.id");
  EXPECT_EQ(field({{"stale", "yes"}}, v1::ListHostsRequest()), "stale");
  EXPECT_EQ(field({{"timeout", "5m"}}, v1::CreateScanRequest()), "timeout");
  EXPECT_EQ(field({{"timeout", "5s\"}"}}, v1::CreateScanRequest()), "timeout");
}

TEST(DecodeRequest, ReadsBodies) {
  v1::CreateScanRequest scan;
  ASSERT_TRUE(
      DecodeRequest(Post(R"({"labels": {"env": "prod"}, "timeout": "60s"})"), {}, "", scan).ok());
  EXPECT_EQ(scan.timeout().seconds(), 60);
  EXPECT_EQ(scan.labels().at("env"), "prod");

  v1::UpdateScheduleRequest update;
  ASSERT_TRUE(DecodeRequest(Post(R"({"cron": "@daily"})"), {{"schedule.name", "nightly"}},
                            "schedule", update)
                  .ok());
  EXPECT_EQ(update.schedule().cron(), "@daily");
  EXPECT_EQ(update.schedule().name(), "nightly");
  ASSERT_TRUE(DecodeRequest(Post(R"({"name": "other"})"), {{"schedule.name", "nightly"}},
                            "schedule", update)
                  .ok());
  EXPECT_EQ(update.schedule().name(), "nightly");

  // Beside a body that is one field, the others may stand in the query.
  HttpRequest beside = Post(R"({"cron": "@daily"})");
  beside.target.query = {{"validateOnly", "true"}};
  ASSERT_TRUE(DecodeRequest(beside, {{"schedule.name", "nightly"}}, "schedule", update).ok());
  EXPECT_TRUE(update.validate_only());
  beside.target.query = {{"schedule.cron", "@hourly"}};
  EXPECT_FALSE(DecodeRequest(beside, {}, "schedule", update).ok());
  beside.target.query = {{"reason", "x"}};
  EXPECT_FALSE(DecodeRequest(beside, {}, "", scan).ok());

  HttpRequest typed = Post("{}");
  typed.headers["content-type"] = "text/plain";
  EXPECT_FALSE(DecodeRequest(typed, {}, "", scan).ok());
  typed.headers["content-type"] = "application/json; charset=utf-8";
  EXPECT_TRUE(DecodeRequest(typed, {}, "", scan).ok());
}

TEST(DecodeRequest, RefusesBodiesThatAreNotTheMessage) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "[";
  for (const std::string& body :
       {std::string("{"), std::string("[]"), std::string("null"), std::string("{\"nosuch\": 1}"),
        std::string("{\"all\": \"maybe\"}"), std::string("{\"hosts\": [1, {}]}"),
        std::string("{\"reason\": \"\xff\"}"), std::string("{}{}"), deep,
        "{\"hosts\": " + deep + "}"}) {
    v1::CreateScanRequest scan;
    const absl::Status status = DecodeRequest(Post(body), {}, "", scan);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << body.substr(0, 40) << " " << status;
    EXPECT_LT(status.message().size(), 2000u);
  }
}

TEST(DecodeRequest, ThePathHasTheLastWord) {
  v1::GetHostReportRequest report;
  ASSERT_TRUE(DecodeRequest(Get({{"baseline", "b"}}), {{"host", "web-1"}}, "", report).ok());
  EXPECT_EQ(report.host(), "web-1");
  EXPECT_FALSE(DecodeRequest(Get({{"host", "web-2"}}), {{"host", "web-1"}}, "", report).ok());
  HttpRequest with_body = Get({});
  with_body.body = "{}";
  EXPECT_FALSE(DecodeRequest(with_body, {}, "", report).ok());
  HttpRequest with_query = Post("{}");
  with_query.target.query = {{"host", "x"}};
  EXPECT_FALSE(DecodeRequest(with_query, {}, "", report).ok());
}

TEST(EncodeJson, IsTheProtosMapping) {
  v1::Host host;
  host.set_id("h-1");
  host.set_connection(v1::Host::CONNECTED);
  host.mutable_enroll_time()->set_seconds(0);
  const auto json = EncodeJson(host);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(*json, R"({"id":"h-1","connection":"CONNECTED","enrollTime":"1970-01-01T00:00:00Z"})");
}

}  // namespace
}  // namespace plimsoll::rest
