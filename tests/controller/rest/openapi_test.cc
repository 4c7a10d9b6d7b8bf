#include "controller/rest/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <set>

#include "absl/strings/match.h"
#include "controller/rest/descriptors.h"
#include "controller/rest/docs_page.h"
#include "plimsoll/v1/host_service.pb.h"
#include "plimsoll/v1/schedule_service.pb.h"
#include "tests/controller/rest/fake_api.h"

namespace plimsoll::rest {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::Not;

json::value Document() {
  FakeApi fake;
  api::MethodTable table(support::Clock::Real());
  fake.AddTo(table);
  return json::parse(OpenApiDocument(
      table, {{"GET", "/healthz", "The program runs.", "text/plain", nullptr},
              {"GET", "/metrics", "Numbers.", "text/plain", nullptr, access::Permission::kRead}}));
}

// Every "$ref" anywhere in `value`.
void References(const json::value& value, std::set<std::string>& out) {
  if (value.is_object()) {
    for (const auto& member : value.get_object()) {
      if (member.key() == "$ref") {
        out.insert(std::string(member.value().as_string()));
      } else {
        References(member.value(), out);
      }
    }
  } else if (value.is_array()) {
    for (const json::value& element : value.get_array()) References(element, out);
  }
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const json::value document = Document();
  std::set<std::string> references;
  References(document, references);
  EXPECT_TRUE(references.contains("#/components/schemas/HostReport"));
  EXPECT_TRUE(references.contains("#/components/schemas/Finding"));
  for (const std::string& reference : references) {
    boost::system::error_code error;
    EXPECT_NE(document.find_pointer(reference.substr(1), error), nullptr) << reference;
  }
}

TEST(OpenApi, ParametersComeFromTheMessages) {
  const json::value document = Document();
  const json::object& list = document.at("paths").at("/v1/hosts").at("get").as_object();
  std::set<std::string> names;
  for (const json::value& parameter : list.at("parameters").as_array()) {
    names.insert(std::string(parameter.at("name").as_string()));
    EXPECT_FALSE(parameter.at("description").as_string().empty()) << json::serialize(parameter);
  }
  EXPECT_EQ(names, (std::set<std::string>{"pageSize", "pageToken", "labels.{key}", "nameContains",
                                          "selector", "connections", "stale"}));
  EXPECT_THAT(std::string(list.at("description").as_string()),
              HasSubstr("viewer, auditor, operator, admin"));

  const json::object& report =
      document.at("paths").at("/v1/hosts/{host}/report").at("get").as_object();
  EXPECT_EQ(report.at("parameters").as_array().size(), 2u);
  EXPECT_EQ(report.at("parameters").at(0).at("in").as_string(), "path");
  EXPECT_EQ(report.at("parameters").at(1).at("name").as_string(), "baseline");

  const json::object& update =
      document.at("paths").at("/v1/schedules/{schedule.id}").at("put").as_object();
  EXPECT_EQ(update.at("requestBody").at("content").at("application/json").at("schema").at("$ref"),
            "#/components/schemas/Schedule");
  const json::array& beside = update.at("parameters").as_array();
  EXPECT_EQ(beside.size(), 2u);
  EXPECT_EQ(beside.back().at("name").as_string(), "validateOnly");
  EXPECT_EQ(beside.back().at("in").as_string(), "query");
}

// What the protos say of every field stands in the document.
TEST(OpenApi, DescriptionsAreTheProtosComments) {
  const json::value document = Document();
  const auto* host = DocumentedPool().FindMessageTypeByName("plimsoll.v1.Host");
  ASSERT_NE(host, nullptr);
  const json::object& properties =
      document.at("components").at("schemas").at("Host").at("properties").as_object();
  ASSERT_EQ(static_cast<int>(properties.size()), host->field_count());
  for (int i = 0; i < host->field_count(); ++i) {
    const json::object& schema = properties.at(host->field(i)->json_name()).as_object();
    const std::string comment = CommentOf(*host->field(i));
    EXPECT_FALSE(comment.empty());
    EXPECT_THAT(std::string(schema.at("description").as_string()), HasSubstr(comment));
  }
  EXPECT_EQ(properties.at("enrollTime").at("format").as_string(), "date-time");
  EXPECT_EQ(properties.at("counts").at("additionalProperties").at("$ref").as_string(),
            "#/components/schemas/StatusCounts");
}

TEST(OpenApi, SaysWhatIsOpenToAnybodyAndWhatHeadersThereAre) {
  const json::value document = Document();
  const json::object& paths = document.at("paths").as_object();
  EXPECT_TRUE(paths.at("/healthz").at("get").at("security").as_array().empty());
  EXPECT_FALSE(paths.at("/metrics").at("get").as_object().contains("security"));
  EXPECT_THAT(json::serialize(paths.at("/v1/baselines/{baseline}/summary")),
              AllOf(HasSubstr("If-None-Match"), HasSubstr("\"304\"")));
  EXPECT_THAT(json::serialize(paths.at("/v1/scans").at("post")), HasSubstr("Idempotency-Key"));
  EXPECT_THAT(json::serialize(paths.at("/v1/scans/{id}/events")), HasSubstr("text/event-stream"));
}

TEST(DocsPage, ShowsEverythingAndRunsNothing) {
  const HttpResponse page = DocsPage(json::serialize(Document()));
  EXPECT_THAT(page.body, HasSubstr("/v1/hosts/{host}/report"));
  EXPECT_THAT(page.body, HasSubstr("id=\"HostReport\""));
  EXPECT_THAT(page.body, Not(HasSubstr("<script")));
}

}  // namespace
}  // namespace plimsoll::rest
