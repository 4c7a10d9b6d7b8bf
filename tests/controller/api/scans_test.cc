#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "tests/controller/api/scan_parts.h"
#include "tests/support/sample_facts.h"

namespace plimsoll::api {
namespace {

using ::testing::ElementsAre;

class ScansTest : public ::testing::Test {
 protected:
  ScansTest() {
    EXPECT_TRUE(parts_.AddHost("h-1", "web-1", {{"env", "prod"}}).ok());
    EXPECT_TRUE(parts_.AddHost("h-2", "web-2", {{"env", "prod"}}).ok());
    EXPECT_TRUE(parts_.AddHost("h-3", "db-1", {{"env", "test"}}).ok());
  }
  ScanParts parts_;
};

v1::CreateScanRequest Request(bool all, const std::vector<std::string>& hosts = {},
                              const std::map<std::string, std::string>& labels = {},
                              const std::string& selector = "") {
  v1::CreateScanRequest request;
  request.set_all(all);
  for (const std::string& host : hosts) request.add_hosts(host);
  request.mutable_labels()->insert(labels.begin(), labels.end());
  request.set_selector(selector);
  return request;
}

TEST_F(ScansTest, SelectsExactlyWhatIsAsked) {
  const struct {
    v1::CreateScanRequest request;
    absl::StatusCode code;
    std::vector<std::string> hosts;
  } cases[] = {
      {Request(true), absl::StatusCode::kOk, {"db-1", "web-1", "web-2"}},
      {Request(false, {"web-1"}), absl::StatusCode::kOk, {"web-1"}},
      {Request(false, {"web-1", "h-1", "db-1"}), absl::StatusCode::kOk, {"db-1", "web-1"}},
      {Request(false, {}, {{"env", "prod"}}), absl::StatusCode::kOk, {"web-1", "web-2"}},
      {Request(false, {}, {}, "env=test"), absl::StatusCode::kOk, {"db-1"}},
      {Request(false, {"web-1", "db-1"}, {{"env", "prod"}}), absl::StatusCode::kOk, {"web-1"}},
      {Request(false, {}, {{"env", "prod"}}, "env=test"), absl::StatusCode::kNotFound, {}},
      {Request(false), absl::StatusCode::kInvalidArgument, {}},
      {Request(true, {"web-1"}), absl::StatusCode::kInvalidArgument, {}},
      {Request(true, {}, {{"env", "prod"}}), absl::StatusCode::kInvalidArgument, {}},
      {Request(true, {}, {}, "env=prod"), absl::StatusCode::kInvalidArgument, {}},
      {Request(false, {}, {}, "=="), absl::StatusCode::kInvalidArgument, {}},
      {Request(false, {std::string(257, 'x')}), absl::StatusCode::kInvalidArgument, {}},
      {Request(false, {}, {}, std::string(4097, 'x')), absl::StatusCode::kInvalidArgument, {}},
      {Request(false, {"web-1", "none"}), absl::StatusCode::kNotFound, {}},
      {Request(false, {}, {{"env", "none"}}), absl::StatusCode::kNotFound, {}},
  };
  for (const auto& c : cases) {
    const auto scan = parts_.scans.Create(parts_.otto, c.request);
    EXPECT_EQ(scan.status().code(), c.code) << c.request.ShortDebugString() << scan.status();
    if (!scan.ok()) continue;
    std::vector<std::string> names;
    for (const v1::ScanHost& host : scan->hosts()) names.push_back(host.hostname());
    EXPECT_EQ(names, c.hosts) << c.request.ShortDebugString();
    EXPECT_EQ(scan->state(), v1::Scan::RUNNING);
    EXPECT_EQ(scan->created_by(), "otto");
    EXPECT_EQ(scan->selector().all(), c.request.all());
    EXPECT_EQ(scan->selector().expression(), c.request.selector());
    EXPECT_EQ(scan->progress().targeted(), static_cast<int>(c.hosts.size()));
  }
}

TEST_F(ScansTest, FieldsHaveLimits) {
  const struct {
    int64_t seconds;
    int32_t nanos;
    bool good;
  } cases[] = {
      {600, 0, true},        {1, 0, true},          {86400, 0, true}, {0, 999999999, false},
      {0, 0, false},         {-1, 0, false},        {0, -1, false},   {86400, 1, false},
      {INT64_MAX, 0, false}, {INT64_MIN, 0, false},
  };
  for (const auto& c : cases) {
    v1::CreateScanRequest request = Request(true);
    request.mutable_timeout()->set_seconds(c.seconds);
    request.mutable_timeout()->set_nanos(c.nanos);
    const absl::Status status = parts_.scans.Create(parts_.otto, request).status();
    EXPECT_EQ(status.code(), c.good ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
        << c.seconds << " " << c.nanos << ": " << status;
  }
  const auto scan = parts_.scans.Create(parts_.otto, Request(true));
  ASSERT_TRUE(scan.ok());
  EXPECT_EQ(scan->deadline().seconds() - scan->create_time().seconds(), 600);
  v1::CreateScanRequest request = Request(true);
  request.set_idempotency_key(std::string(128, 'k'));
  request.set_reason(std::string(512, 'r'));
  EXPECT_TRUE(parts_.scans.Create(parts_.otto, request).ok());
  request.set_reason(std::string(513, 'r'));
  EXPECT_TRUE(absl::StrContains(parts_.scans.Create(parts_.otto, request).status().message(),
                                "reason: longer than 512"));
  request.clear_reason();
  request.set_idempotency_key(std::string(129, 'k'));
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.scans.Create(parts_.otto, request).status()));
}

TEST_F(ScansTest, OneKeyIsOneScanForADay) {
  // Labels are a map: however its members were added, the request is the same.
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back(absl::StrCat("key-", i));
  std::map<std::string, std::string> labels;
  for (const std::string& key : keys) labels[key] = "v";
  ASSERT_TRUE(parts_.AddHost("h-4", "labelled", labels).ok());
  v1::CreateScanRequest forward;
  for (auto key = keys.begin(); key != keys.end(); ++key) (*forward.mutable_labels())[*key] = "v";
  v1::CreateScanRequest backward;
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    (*backward.mutable_labels())[*key] = "v";
  }
  forward.set_idempotency_key("nightly");
  backward.set_idempotency_key("nightly");
  const auto first = parts_.scans.Create(parts_.otto, forward);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = parts_.scans.Create(parts_.admin, backward);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->id(), first->id());
  EXPECT_EQ(second->created_by(), "otto");

  v1::CreateScanRequest other = Request(true);
  other.set_idempotency_key("nightly");
  EXPECT_TRUE(absl::IsAlreadyExists(parts_.scans.Create(parts_.otto, other).status()));

  parts_.clock.Advance(absl::Hours(25));
  const auto next_day = parts_.scans.Create(parts_.otto, forward);
  ASSERT_TRUE(next_day.ok()) << next_day.status();
  EXPECT_NE(next_day->id(), first->id());
  forward.clear_idempotency_key();
  EXPECT_NE(parts_.scans.Create(parts_.otto, forward)->id(), next_day->id());
}

TEST_F(ScansTest, EverybodySeesIt) {
  const auto scan = parts_.scans.Create(parts_.admin, Request(true));
  ASSERT_TRUE(scan.ok()) << scan.status();
  v1::GetScanRequest get;
  get.set_id(scan->id());
  v1::CancelScanRequest cancel;
  cancel.set_id(scan->id());
  for (const store::Principal& who : {parts_.viewer, parts_.auditor}) {
    EXPECT_TRUE(parts_.scans.List(who, {}).ok());
    const auto seen = parts_.scans.Get(who, get);
    ASSERT_TRUE(seen.ok()) << seen.status();
    EXPECT_EQ(seen->DebugString(), scan->DebugString());
  }
  const auto cancelled = parts_.scans.Cancel(parts_.otto, cancel);
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::Scan::CANCELLED);
  EXPECT_EQ(parts_.scans.Cancel(parts_.otto, cancel)->state(), v1::Scan::CANCELLED);
  get.set_id("s-none");
  EXPECT_TRUE(absl::IsNotFound(parts_.scans.Get(parts_.viewer, get).status()));
}

TEST_F(ScansTest, PagesOfScansAndOfHosts) {
  std::vector<std::string> expected;
  for (int i = 0; i < 5; ++i) {
    expected.insert(expected.begin(), parts_.scans.Create(parts_.otto, Request(true))->id());
    parts_.clock.Advance(absl::Seconds(1));
  }
  std::vector<std::string> ids;
  v1::ListScansRequest scans;
  scans.set_page_size(2);
  do {
    const auto page = parts_.scans.List(parts_.viewer, scans);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Scan& scan : page->scans()) ids.push_back(scan.id());
    scans.set_page_token(page->next_page_token());
  } while (!scans.page_token().empty());
  EXPECT_EQ(ids, expected);
  v1::ListScanHostsRequest hosts;
  hosts.set_scan_id(expected[0]);
  hosts.set_page_size(1);
  std::vector<std::string> names;
  do {
    const auto page = parts_.scans.ListHosts(parts_.viewer, hosts);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::ScanHost& host : page->hosts()) names.push_back(host.hostname());
    hosts.set_page_token(page->next_page_token());
  } while (!hosts.page_token().empty());
  EXPECT_THAT(names, ElementsAre("db-1", "web-1", "web-2"));
  hosts.add_states(v1::ScanHost::MISSED);
  EXPECT_EQ(parts_.scans.ListHosts(parts_.viewer, hosts)->hosts_size(), 0);
  hosts.add_states(static_cast<v1::ScanHost::State>(99));
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.scans.ListHosts(parts_.viewer, hosts).status()));
  scans.set_page_token("!");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.scans.List(parts_.viewer, scans).status()));
}

TEST_F(ScansTest, AnAnswerIsJudgedAgainAsItWasThen) {
  // A document with a real rule, so that facts decide.
  v1::Baseline baseline = store::MakeBaseline();
  baseline.mutable_rules(1)->mutable_check()->mutable_container_not_privileged();
  baseline.set_digest("d1");
  ASSERT_TRUE(parts_.store->reports().PutBaselines({baseline}).ok());
  const auto scan = parts_.scans.Create(parts_.otto, Request(false, {"web-1"}));
  ASSERT_TRUE(scan.ok()) << scan.status();
  const auto put = [&](uint64_t sequence, bool privileged, std::vector<std::string> scan_ids) {
    store::TestEvaluation evaluation("h-1", sequence, {baseline});
    evaluation.facts = plimsoll::testing::SampleHost(1, plimsoll::testing::Habit::kHardened);
    evaluation.facts.mutable_containers()->mutable_containers(0)->set_privileged(privileged);
    evaluation.value.scan_ids = std::move(scan_ids);
    const absl::Status status = parts_.store->reports().Put(evaluation.Done());
    EXPECT_TRUE(status.ok()) << status;
  };
  put(1, true, {scan->id()});
  v1::GetScanReportRequest request;
  request.set_scan_id(scan->id());
  request.set_host("web-1");
  request.set_baseline("base");
  const auto then = parts_.scans.GetReport(parts_.viewer, request);
  ASSERT_TRUE(then.ok()) << then.status();
  EXPECT_EQ(then->verdicts(1).status(), v1::Verdict::FAIL) << then->verdicts(1).DebugString();
  EXPECT_EQ(then->baseline().digest(), "d1");
  // The host changes, and so does the document in force.
  put(2, false, {});
  v1::Baseline newer = baseline;
  newer.set_digest("d2");
  newer.mutable_rules()->RemoveLast();
  ASSERT_TRUE(parts_.store->reports().PutBaselines({newer}).ok());
  const auto later = parts_.scans.GetReport(parts_.viewer, request);
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_EQ(later->SerializeAsString(), then->SerializeAsString());
  request.set_baseline("other");
  EXPECT_TRUE(absl::IsNotFound(parts_.scans.GetReport(parts_.viewer, request).status()));
}

TEST_F(ScansTest, WatchersAreToldUntilTheyLeave) {
  const auto scan = parts_.scans.Create(parts_.otto, Request(true));
  ASSERT_TRUE(scan.ok());
  int calls = 0;
  const uint64_t handle = parts_.scans.Watch(scan->id(), [&] { ++calls; });
  parts_.board.Failed(scan->id(), "h-1", "no engine");
  const int told = calls;
  EXPECT_GT(told, 0);
  v1::WatchScanRequest watch;
  watch.set_id(scan->id());
  EXPECT_EQ(parts_.scans.Observe(parts_.viewer, watch)->progress().failed(), 1);
  parts_.scans.Unwatch(scan->id(), handle);
  parts_.board.Failed(scan->id(), "h-2", "no engine");
  EXPECT_EQ(calls, told);
}

}  // namespace
}  // namespace plimsoll::api
