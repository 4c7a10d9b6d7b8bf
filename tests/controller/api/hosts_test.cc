#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "controller/api/paging.h"
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
    ASSERT_TRUE(parts_.AddHost(absl::StrCat("h-", i), names[i]).ok());
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
  ASSERT_TRUE(parts_.AddHost("h-1", "web-1", {{"env", "prod"}, {"dc", "x"}}).ok());
  ASSERT_TRUE(parts_.AddHost("h-2", "web-2", {{"env", "test"}}).ok());
  ASSERT_TRUE(parts_.AddHost("h-3", "db-1%", {{"env", "prod"}}).ok());
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
  ASSERT_TRUE(parts_.AddHost("h-2", "twin").ok());
  ASSERT_TRUE(parts_.AddHost("h-3", "twin").ok());
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
  ASSERT_TRUE(parts_.AddHost("h-2", "new").ok());
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

TEST_F(HostsTest, ListsShowWhatIsKnownOfAHost) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1", {{"env", "prod"}}).ok());
  const auto listed = parts_.hosts.List(Viewer(), {});
  ASSERT_TRUE(listed.ok()) << listed.status();
  v1::GetHostRequest request;
  request.set_host("h-1");
  const auto host = parts_.hosts.Get(Viewer(), request);
  ASSERT_TRUE(host.ok()) << host.status();
  ASSERT_EQ(listed->hosts_size(), 1);
  // Maps have no order of their own.
  EXPECT_EQ(listed->hosts(0).DebugString(), host->DebugString());
  EXPECT_EQ(listed->hosts(0).container_count(), 3);
  EXPECT_EQ(listed->hosts(0).counts().at("base").fail(), 2);
}

TEST_F(HostsTest, FiltersBySelectorStateAndAge) {
  ASSERT_TRUE(parts_.AddHost("h-1", "web-1", {{"env", "prod"}}).ok());
  ASSERT_TRUE(parts_.AddHost("h-2", "web-2", {{"env", "test"}}).ok());
  ASSERT_TRUE(parts_.store->enrollment().RevokeHost("h-2", "stolen", store::At(50)).ok());
  ASSERT_TRUE(parts_.Show("h-2").ok());
  parts_.clock.Advance(absl::Hours(1));
  parts_.index.Tick();
  ASSERT_TRUE(parts_.Show("h-1").ok());
  ASSERT_TRUE(parts_.AddHost("h-3", "web-3").ok());
  parts_.index.Seen({{"h-3", parts_.clock.Now()}});
  const auto names = [this](const std::function<void(v1::ListHostsRequest&)>& set) {
    v1::ListHostsRequest request;
    set(request);
    const auto all = AllNames(parts_.hosts, request);
    EXPECT_TRUE(all.ok()) << all.status();
    return all.ok() ? *all : std::vector<std::string>();
  };
  using Names = std::vector<std::string>;
  using Request = v1::ListHostsRequest;
  EXPECT_EQ(names([](Request& r) { r.set_selector("env in (prod, test)"); }),
            (Names{"web-1", "web-2"}));
  EXPECT_EQ(names([](Request& r) { r.add_connections(v1::Host::REVOKED); }), Names{"web-2"});
  EXPECT_EQ(names([](Request& r) { r.set_stale(false); }), Names{"web-3"});
  EXPECT_EQ(names([](Request& r) { r.set_stale(true), r.set_selector("env=prod"); }),
            Names{"web-1"});
  Request bad;
  bad.set_selector("env=");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.hosts.List(Viewer(), bad).status()));
  bad.clear_selector();
  bad.add_connections(v1::Host::CONNECTION_UNSPECIFIED);
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.hosts.List(Viewer(), bad).status()));
  v1::GetHostRequest one;
  one.set_host("h-1");
  EXPECT_TRUE(parts_.hosts.Get(Viewer(), one)->stale());
}

TEST_F(HostsTest, AReportIsWhatIngestionJudged) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  v1::GetHostReportRequest request;
  request.set_host("web-1");
  request.set_baseline("base");
  const auto report = parts_.hosts.GetReport(Viewer(), request);
  ASSERT_TRUE(report.ok()) << report.status();
  v1::HostFacts facts = JudgedFacts();
  facts.set_collector_version("facts 1");
  facts.mutable_observed_time()->set_seconds(absl::ToUnixSeconds(store::At(10)));
  const std::string digest = absl::BytesToHexString(support::FactsDigest(facts));
  const v1::HostReport expected =
      evaluate::Evaluate(facts, parts_.baselines[0],
                         {.as_of = store::At(10), .host_id = "h-1", .facts_digest = digest});
  EXPECT_EQ(report->DebugString(), expected.DebugString());
}

TEST_F(HostsTest, ARemovedHostIsInNoListAndItsSessionEnds) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  ASSERT_TRUE(parts_.AddJudgedHost("h-2", "web-2").ok());
  std::vector<std::string> ended;
  parts_.revocations.Add([&ended](const std::string& id) { ended.push_back(id); });
  v1::RemoveHostRequest request;
  request.set_host("web-1");
  request.set_reason("scrapped");
  const auto removed = parts_.hosts.Remove(Admin(), request);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(removed->host_id(), "h-1");
  EXPECT_EQ(ended, std::vector<std::string>{"h-1"});
  EXPECT_EQ(*AllNames(parts_.hosts, {}), std::vector<std::string>{"web-2"});
  // By its id it can be removed again, and its history read.
  request.set_host("h-1");
  EXPECT_TRUE(parts_.hosts.Remove(Admin(), request).ok());
  v1::ListTransitionsRequest history;
  history.set_host("h-1");
  EXPECT_EQ(parts_.hosts.ListTransitions(Viewer(), history)->transitions_size(), 4);
  request.set_host("none");
  EXPECT_TRUE(absl::IsNotFound(parts_.hosts.Remove(Admin(), request).status()));
  request.set_reason(std::string(513, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.hosts.Remove(Admin(), request).status()));
}

TEST_F(HostsTest, ARevokedHostIsShownAsSuchAndItsSessionEnds) {
  ASSERT_TRUE(parts_.AddHost("h-1", "web-1").ok());
  std::vector<std::string> told;
  const int handle = parts_.revocations.Add([&](const std::string& id) { told.push_back(id); });
  v1::RevokeHostRequest request;
  request.set_host("none");
  EXPECT_TRUE(absl::IsNotFound(parts_.hosts.Revoke(Admin(), request).status()));
  request.set_host("web-1");
  request.set_reason(std::string(513, 'r'));
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.hosts.Revoke(Admin(), request).status()));
  EXPECT_TRUE(told.empty());
  EXPECT_TRUE(parts_.store->enrollment().CheckCertificate("serial of h-1", "h-1").ok());

  request.set_reason("stolen");
  const auto revoked = parts_.hosts.Revoke(Admin(), request);
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->host_id(), "h-1");
  EXPECT_EQ(told, std::vector<std::string>{"h-1"});
  EXPECT_FALSE(parts_.store->enrollment().CheckCertificate("serial of h-1", "h-1").ok());
  EXPECT_EQ(parts_.hosts.List(Viewer(), {})->hosts(0).connection(), v1::Host::REVOKED);
  // Again by id: the same answer.
  request.set_host("h-1");
  EXPECT_TRUE(parts_.hosts.Revoke(Admin(), request).ok());
  parts_.revocations.Remove(handle);
}

TEST_F(HostsTest, OnlyAQuarantinedHostIsReleased) {
  ASSERT_TRUE(parts_.AddHost("h-1", "web-1").ok());
  v1::ReleaseHostRequest request;
  request.set_host("h-1");
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.hosts.Release(Admin(), request).status()));
  // Boots that come back: two machines share the identity.
  for (const char* boot : {"one", "two", "one"}) {
    store::SessionStart start;
    start.host_id = "h-1";
    start.hostname = "web-1";
    start.boot_id = boot;
    start.time = store::At(20);
    (void)parts_.store->hosts().BeginSession(start);
  }
  ASSERT_TRUE(parts_.Show("h-1").ok());
  v1::ListHostsRequest quarantined;
  quarantined.add_connections(v1::Host::QUARANTINED);
  const auto listed = parts_.hosts.List(Viewer(), quarantined);
  ASSERT_EQ(listed->hosts_size(), 1);
  EXPECT_FALSE(listed->hosts(0).quarantine_reason().empty());
  EXPECT_TRUE(listed->hosts(0).has_quarantine_time());
  // The host may be back before the answer is: nobody ends that session.
  int ended = 0;
  const int handle = parts_.revocations.Add([&ended](const std::string&) { ++ended; });
  const auto released = parts_.hosts.Release(Admin(), request);
  parts_.revocations.Remove(handle);
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_EQ(ended, 0);
  EXPECT_NE(released->connection(), v1::Host::QUARANTINED);
  EXPECT_EQ(parts_.hosts.List(Viewer(), quarantined)->hosts_size(), 0);
}

TEST(HostsOfTwoBaselinesTest, HistoryByASlugIsOfOneRule) {
  v1::Baseline first = ScoredBaseline();
  first.mutable_rules(3)->clear_slug();
  first.set_digest(support::Sha256Hex(first.SerializeAsString()));
  Parts parts({first, RenumberedBaseline()});
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1").ok());
  const struct {
    const char* baseline;
    const char* rule;
    // "baseline rule" of all changes; "?" when the rule is ambiguous.
    std::vector<std::string> expected;
  } cases[] = {
      // Only one document has it; the other's r2 is another rule.
      {"", "slug-of-r4", {"renumbered r2"}},    {"", "slug-of-r2", {"?"}},
      {"base", "slug-of-r2", {"base r2"}},      {"", "slug-of-r1", {"base r1", "renumbered r1"}},
      {"", "r2", {"base r2", "renumbered r2"}},
  };
  for (const auto& c : cases) {
    v1::ListTransitionsRequest request;
    request.set_host("h-1");
    request.set_baseline(c.baseline);
    request.set_rule(c.rule);
    const auto page = parts.hosts.ListTransitions(Viewer(), request);
    std::vector<std::string> changes;
    if (absl::IsInvalidArgument(page.status())) changes.push_back("?");
    if (page.ok()) {
      for (const v1::Transition& change : page->transitions()) {
        changes.push_back(absl::StrCat(change.baseline_id(), " ", change.rule_id()));
      }
    }
    EXPECT_EQ(changes, c.expected) << c.baseline << " " << c.rule << ": " << page.status();
  }
}

TEST_F(HostsTest, HistoryIsByRuleAndPaged) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  v1::HostFacts better = JudgedFacts();
  for (v1::Container& container : *better.mutable_containers()->mutable_containers()) {
    container.set_privileged(false);
  }
  ASSERT_TRUE(parts_.Judge("h-1", 2, better).ok());
  v1::ListTransitionsRequest request;
  request.set_host("web-1");
  request.set_rule("slug-of-r2");
  const auto r2 = parts_.hosts.ListTransitions(Viewer(), request);
  ASSERT_TRUE(r2.ok()) << r2.status();
  ASSERT_EQ(r2->transitions_size(), 2);
  EXPECT_EQ(r2->transitions(0).to(), v1::Verdict::PASS);
  EXPECT_EQ(r2->transitions(0).from(), v1::Verdict::FAIL);
  EXPECT_EQ(r2->transitions(0).cause(), v1::Transition::FACTS);
  EXPECT_EQ(r2->transitions(0).hostname(), "web-1");
  EXPECT_EQ(r2->transitions(1).cause(), v1::Transition::FIRST);
  EXPECT_EQ(r2->next_page_token(), "");
  request.clear_rule();
  request.set_page_size(2);
  int count = 0;
  do {
    const auto page = parts_.hosts.ListTransitions(Viewer(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    count += page->transitions_size();
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && count < 100);
  EXPECT_EQ(count, 5);
  for (const char* token : {"garbage!", "Z2FyYmFnZQ=="}) {
    request.set_page_token(token);
    EXPECT_EQ(parts_.hosts.ListTransitions(Viewer(), request).status(), BadPageToken()) << token;
  }
  v1::ListTransitionsRequest nobody;
  nobody.set_host("none");
  EXPECT_TRUE(absl::IsNotFound(parts_.hosts.ListTransitions(Viewer(), nobody).status()));
}

}  // namespace
}  // namespace plimsoll::api
