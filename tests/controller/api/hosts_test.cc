#include <gtest/gtest.h>

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

class HostsTest : public ::testing::Test {
 protected:
  Parts parts_;
};

// Names of all hosts that `request` selects, read page by page.
absl::StatusOr<std::vector<std::string>> AllNames(Hosts& hosts, v1::ListHostsRequest request) {
  std::vector<std::string> names;
  for (int pages = 0; pages < 100; ++pages) {
    auto page = hosts.List(Viewer(), request);
    if (!page.ok()) return page.status();
    for (const v1::Host& host : page->hosts()) names.push_back(host.hostname());
    if (page->next_page_token().empty()) return names;
    request.set_page_token(page->next_page_token());
  }
  return absl::InternalError("the pages do not end");
}

TEST_F(HostsTest, PagesOfAnySizeHoldEachHostOnce) {
  // Two hosts have one name: the page breaks between them too.
  const std::vector<std::string> names = {"a", "b", "b", "c", "d", "e", "f"};
  for (size_t i = 0; i < names.size(); ++i) {
    ASSERT_TRUE(store::AddHost(*parts_.store, absl::StrCat("h-", i), names[i]).ok());
  }
  for (int size = 1; size <= 8; ++size) {
    v1::ListHostsRequest request;
    request.set_page_size(size);
    EXPECT_EQ(*AllNames(parts_.hosts, request), names) << size;
  }
  // A page that ends with the last host knows that it is the last.
  v1::ListHostsRequest exact;
  exact.set_page_size(7);
  EXPECT_EQ(parts_.hosts.List(Viewer(), exact)->next_page_token(), "");
}

TEST_F(HostsTest, FiltersByLabelsAndName) {
  ASSERT_TRUE(store::AddHost(*parts_.store, "h-1", "web-1", {{"env", "prod"}, {"dc", "x"}}).ok());
  ASSERT_TRUE(store::AddHost(*parts_.store, "h-2", "web-2", {{"env", "test"}}).ok());
  ASSERT_TRUE(store::AddHost(*parts_.store, "h-3", "db-1%", {{"env", "prod"}}).ok());
  const struct {
    std::map<std::string, std::string> labels;
    std::string name;
    std::vector<std::string> expected;
  } cases[] = {
      {{}, "", {"db-1%", "web-1", "web-2"}},
      {{{"env", "prod"}}, "", {"db-1%", "web-1"}},
      {{{"env", "prod"}, {"dc", "x"}}, "", {"web-1"}},
      {{{"env", "none"}}, "", {}},
      {{}, "WEB", {"web-1", "web-2"}},
      {{}, "%", {"db-1%"}},
      {{}, "_", {}},
      {{}, "'; DROP TABLE host; --", {}},
      {{{"env", "prod"}}, "web", {"web-1"}},
  };
  for (const auto& c : cases) {
    v1::ListHostsRequest request;
    request.mutable_labels()->insert(c.labels.begin(), c.labels.end());
    request.set_name_contains(c.name);
    const auto names = AllNames(parts_.hosts, request);
    ASSERT_TRUE(names.ok()) << names.status();
    EXPECT_EQ(*names, c.expected) << c.name;
  }
}

TEST_F(HostsTest, RefusesBadPages) {
  v1::ListHostsRequest request;
  for (const char* token : {"garbage!", "AAAA", "d2ViLTE="}) {
    request.set_page_token(token);
    EXPECT_TRUE(absl::IsInvalidArgument(parts_.hosts.List(Viewer(), request).status())) << token;
  }
  // A token of the right shape over bytes that are no text: nothing breaks.
  request.set_page_token(absl::WebSafeBase64Escape(absl::string_view("\xff\xfe\0\xff", 4)));
  EXPECT_TRUE(parts_.hosts.List(Viewer(), request).ok());
  request.clear_page_token();
  request.set_page_size(1001);
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.hosts.List(Viewer(), request).status()));
}

TEST_F(HostsTest, GetsByIdAndByUniqueName) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1", {{"env", "prod"}}).ok());
  ASSERT_TRUE(store::AddHost(*parts_.store, "h-2", "twin").ok());
  ASSERT_TRUE(store::AddHost(*parts_.store, "h-3", "twin").ok());
  const struct {
    std::string host;
    absl::StatusCode code;
  } cases[] = {
      {"h-1", absl::StatusCode::kOk},
      {"web-1", absl::StatusCode::kOk},
      {"h-2", absl::StatusCode::kOk},
      {"twin", absl::StatusCode::kFailedPrecondition},
      {"none", absl::StatusCode::kNotFound},
      {"", absl::StatusCode::kNotFound},
      {std::string("web-1\0x", 7), absl::StatusCode::kNotFound},
  };
  for (const auto& c : cases) {
    v1::GetHostRequest request;
    request.set_host(c.host);
    EXPECT_EQ(parts_.hosts.Get(Viewer(), request).status().code(), c.code) << c.host;
  }
  v1::GetHostRequest request;
  request.set_host("web-1");
  const auto host = parts_.hosts.Get(Viewer(), request);
  ASSERT_TRUE(host.ok());
  EXPECT_EQ(host->connection(), v1::Host::CONNECTED);
  EXPECT_EQ(host->labels().at("env"), "prod");
  EXPECT_EQ(host->counts().at("base").fail(), 2);
}

TEST_F(HostsTest, ReportsOfKnownHostsAndBaselines) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  ASSERT_TRUE(store::AddHost(*parts_.store, "h-2", "new").ok());
  const struct {
    const char* host;
    const char* baseline;
    absl::StatusCode code;
  } cases[] = {
      {"web-1", "base", absl::StatusCode::kOk},       {"h-1", "base", absl::StatusCode::kOk},
      {"web-1", "none", absl::StatusCode::kNotFound}, {"new", "base", absl::StatusCode::kNotFound},
      {"none", "base", absl::StatusCode::kNotFound},
  };
  for (const auto& c : cases) {
    v1::GetHostReportRequest request;
    request.set_host(c.host);
    request.set_baseline(c.baseline);
    const auto report = parts_.hosts.GetReport(Viewer(), request);
    EXPECT_EQ(report.status().code(), c.code) << c.host << " " << c.baseline;
    if (report.ok()) {
      EXPECT_EQ(report->verdicts_size(), 4);
    }
  }
}

}  // namespace
}  // namespace plimsoll::api
