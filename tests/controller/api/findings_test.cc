#include <gtest/gtest.h>

#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

class FindingsTest : public ::testing::Test {
 protected:
  FindingsTest() {
    EXPECT_TRUE(parts_.AddJudgedHost("h-1", "web-1", {{"env", "prod"}}).ok());
    EXPECT_TRUE(parts_.AddJudgedHost("h-2", "web-2", {{"env", "test"}}).ok());
  }

  // "rule host object" of every finding that `request` selects, read page by page.
  absl::StatusOr<std::vector<std::string>> All(v1::ListFindingsRequest request) {
    std::vector<std::string> all;
    for (int pages = 0; pages < 100; ++pages) {
      auto page = parts_.findings.List(Viewer(), request);
      if (!page.ok()) return page.status();
      for (const v1::FleetFinding& finding : page->findings()) {
        // Objects are "name (short id)".
        const std::string& object = finding.finding().object();
        all.push_back(absl::StrCat(finding.rule_id(), " ", finding.hostname(), " ",
                                   object.substr(0, object.find(' '))));
      }
      if (page->next_page_token().empty()) return all;
      request.set_page_token(page->next_page_token());
    }
    return absl::InternalError("the pages do not end");
  }

  Parts parts_;
};

// r3 is critical and unknown, r2 high, r4 medium.
const std::vector<std::string>& WorstFirst() {
  static const auto& all = *new std::vector<std::string>{
      "r3 web-1 /never/looked/at",
      "r3 web-2 /never/looked/at",
      "r2 web-1 a",
      "r2 web-1 b",
      "r2 web-2 a",
      "r2 web-2 b",
      "r4 web-1 c",
      "r4 web-2 c",
  };
  return all;
}

TEST_F(FindingsTest, PagesOfAnySizeHoldEachFindingOnceWorstFirst) {
  for (int size = 1; size <= 9; ++size) {
    v1::ListFindingsRequest request;
    request.set_page_size(size);
    const auto all = All(request);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(*all, WorstFirst()) << size;
  }
}

TEST_F(FindingsTest, CarriesWhatAReaderNeeds) {
  v1::ListFindingsRequest request;
  request.set_page_size(1);
  const auto page = parts_.findings.List(Viewer(), request);
  ASSERT_TRUE(page.ok()) << page.status();
  const v1::FleetFinding& finding = page->findings(0);
  EXPECT_EQ(finding.host_id(), "h-1");
  EXPECT_EQ(finding.baseline_id(), "base");
  EXPECT_EQ(finding.rule_title(), "Rule 3");
  EXPECT_EQ(finding.severity(), v1::CRITICAL);
  EXPECT_EQ(finding.finding().status(), v1::Verdict::UNKNOWN);
  EXPECT_FALSE(finding.finding().observed().empty());
  EXPECT_EQ(finding.observed_time().seconds(), absl::ToUnixSeconds(store::At(10)));
}

TEST_F(FindingsTest, EveryFilterHolds) {
  const auto request = [](const std::function<void(v1::ListFindingsRequest&)>& set) {
    v1::ListFindingsRequest made;
    set(made);
    return made;
  };
  using Request = v1::ListFindingsRequest;
  const struct {
    Request request;
    std::vector<std::string> expected;
  } cases[] = {
      {request([](Request& r) { r.add_statuses(v1::Verdict::UNKNOWN); }),
       {"r3 web-1 /never/looked/at", "r3 web-2 /never/looked/at"}},
      {request([](Request& r) { r.add_rules("slug-of-r4"); }), {"r4 web-1 c", "r4 web-2 c"}},
      {request([](Request& r) { r.set_host("web-2"), r.set_minimum_severity(v1::HIGH); }),
       {"r3 web-2 /never/looked/at", "r2 web-2 a", "r2 web-2 b"}},
      {request([](Request& r) { r.set_host("h-1"), r.add_statuses(v1::Verdict::FAIL); }),
       {"r2 web-1 a", "r2 web-1 b", "r4 web-1 c"}},
      {request([](Request& r) { (*r.mutable_labels())["env"] = "prod", r.add_rules("r2"); }),
       {"r2 web-1 a", "r2 web-1 b"}},
      {request([](Request& r) { (*r.mutable_labels())["env"] = "none"; }), {}},
      {request([](Request& r) { r.set_selector("env!=prod"), r.add_rules("r2"); }),
       {"r2 web-2 a", "r2 web-2 b"}},
      {request([](Request& r) { r.set_baseline("base"), r.add_rules("r1"); }), {}},
      {request([](Request& r) { r.add_statuses(static_cast<v1::Verdict::Status>(99)); }), {}},
  };
  for (const auto& c : cases) {
    const auto all = All(c.request);
    ASSERT_TRUE(all.ok()) << all.status() << c.request.ShortDebugString();
    EXPECT_EQ(*all, c.expected) << c.request.ShortDebugString();
  }
}

TEST(FindingsOfTwoBaselinesTest, ASlugNamesItsRuleInEach) {
  Parts parts({ScoredBaseline(), RenumberedBaseline()});
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1").ok());
  const auto found = [&parts](const std::string& rule) {
    v1::ListFindingsRequest request;
    request.add_rules(rule);
    const auto page = parts.findings.List(Viewer(), request);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<std::string> all;
    for (const v1::FleetFinding& finding : page->findings()) {
      all.push_back(absl::StrCat(finding.baseline_id(), " ", finding.rule_id(), " ",
                                 finding.finding().object().substr(0, 1)));
    }
    return all;
  };
  EXPECT_EQ(found("slug-of-r4"), (std::vector<std::string>{"renumbered r2 c", "base r4 c"}));
  EXPECT_EQ(found("r4"),
            (std::vector<std::string>{"renumbered r4 a", "renumbered r4 b", "base r4 c"}));
}

TEST_F(FindingsTest, RefusesWhatDoesNotExist) {
  const struct {
    const char* baseline;
    const char* rule;
    const char* host;
    const char* token;
    int size;
    absl::StatusCode code;
  } cases[] = {
      {"none", "", "", "", 0, absl::StatusCode::kNotFound},
      {"", "r9", "", "", 0, absl::StatusCode::kNotFound},
      {"base", "r9", "", "", 0, absl::StatusCode::kNotFound},
      {"", "", "none", "", 0, absl::StatusCode::kNotFound},
      {"", "", "", "garbage!", 0, absl::StatusCode::kInvalidArgument},
      {"", "", "", "Z2FyYmFnZQ==", 0, absl::StatusCode::kInvalidArgument},
      {"", "", "", "", 1001, absl::StatusCode::kInvalidArgument},
      {"", "", "", "", -1, absl::StatusCode::kInvalidArgument},
  };
  for (const auto& c : cases) {
    v1::ListFindingsRequest request;
    request.set_baseline(c.baseline);
    if (*c.rule != '\0') request.add_rules(c.rule);
    request.set_host(c.host);
    request.set_page_token(c.token);
    request.set_page_size(c.size);
    const absl::Status status = parts_.findings.List(Viewer(), request).status();
    EXPECT_EQ(status.code(), c.code) << request.ShortDebugString() << ": " << status;
  }
  v1::ListFindingsRequest request;
  request.set_selector("env=");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.findings.List(Viewer(), request).status()));
}

}  // namespace
}  // namespace plimsoll::api
