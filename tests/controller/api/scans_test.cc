#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

class ScansTest : public ::testing::Test {
 protected:
  ScansTest() {
    EXPECT_TRUE(parts_.AddHost("h-1", "web-1", {{"env", "prod"}}).ok());
    EXPECT_TRUE(parts_.AddHost("h-2", "web-2", {{"env", "prod"}}).ok());
    EXPECT_TRUE(parts_.AddHost("h-3", "db-1", {{"env", "test"}}).ok());
  }
  Parts parts_;
};

v1::CreateScanRequest Request(bool all, const std::vector<std::string>& hosts = {},
                              const std::map<std::string, std::string>& labels = {}) {
  v1::CreateScanRequest request;
  request.set_all(all);
  for (const std::string& host : hosts) request.add_hosts(host);
  request.mutable_labels()->insert(labels.begin(), labels.end());
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
      {Request(false), absl::StatusCode::kInvalidArgument, {}},
      {Request(true, {"web-1"}), absl::StatusCode::kInvalidArgument, {}},
      {Request(true, {}, {{"env", "prod"}}), absl::StatusCode::kInvalidArgument, {}},
      {Request(false, {"web-1"}, {{"env", "prod"}}), absl::StatusCode::kInvalidArgument, {}},
      {Request(false, {"web-1", "none"}), absl::StatusCode::kNotFound, {}},
      {Request(false, {""}), absl::StatusCode::kNotFound, {}},
      {Request(false, {}, {{"env", "none"}}), absl::StatusCode::kNotFound, {}},
  };
  for (const auto& c : cases) {
    const auto scan = parts_.scans.Create(Operator(), c.request);
    EXPECT_EQ(scan.status().code(), c.code) << c.request.ShortDebugString() << scan.status();
    if (!scan.ok()) continue;
    std::vector<std::string> names;
    for (const v1::ScanHost& host : scan->hosts()) names.push_back(host.hostname());
    EXPECT_EQ(names, c.hosts) << c.request.ShortDebugString();
    EXPECT_EQ(scan->state(), v1::Scan::RUNNING);
    EXPECT_EQ(scan->created_by(), "otto");
    EXPECT_EQ(scan->progress().targeted(), static_cast<int>(c.hosts.size()));
  }
}

TEST_F(ScansTest, NobodyAsksRevokedHosts) {
  ASSERT_TRUE(parts_.store->enrollment().RevokeHost("h-2", "gone", store::At(50)).ok());
  const auto scan = parts_.scans.Create(Operator(), Request(true));
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->hosts_size(), 2);
}

TEST_F(ScansTest, TimeoutsHaveADefaultAndLimits) {
  const struct {
    int64_t seconds;
    int32_t nanos;
    bool good;
  } cases[] = {
      {600, 0, true},    {0, 1, true},          {86400, 0, true},
      {0, 0, false},     {-1, 0, false},        {0, -1, false},
      {86400, 1, false}, {INT64_MAX, 0, false}, {INT64_MIN, 0, false},
  };
  for (const auto& c : cases) {
    v1::CreateScanRequest request = Request(true);
    request.mutable_timeout()->set_seconds(c.seconds);
    request.mutable_timeout()->set_nanos(c.nanos);
    const absl::Status status = parts_.scans.Create(Operator(), request).status();
    EXPECT_EQ(status.code(), c.good ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
        << c.seconds << " " << c.nanos << ": " << status;
  }
  const auto scan = parts_.scans.Create(Operator(), Request(true));
  ASSERT_TRUE(scan.ok());
  EXPECT_EQ(scan->deadline().seconds() - scan->create_time().seconds(), 600);
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
  const auto first = parts_.scans.Create(Operator(), forward);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = parts_.scans.Create(Admin(), backward);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->id(), first->id());
  EXPECT_EQ(second->created_by(), "otto");

  v1::CreateScanRequest other = Request(true);
  other.set_idempotency_key("nightly");
  EXPECT_TRUE(absl::IsAlreadyExists(parts_.scans.Create(Operator(), other).status()));

  parts_.clock.Advance(absl::Hours(25));
  const auto next_day = parts_.scans.Create(Operator(), forward);
  ASSERT_TRUE(next_day.ok()) << next_day.status();
  EXPECT_NE(next_day->id(), first->id());
}

TEST_F(ScansTest, WithoutAKeyEachIsNewAndALongKeyIsRefused) {
  const auto first = parts_.scans.Create(Operator(), Request(true));
  const auto second = parts_.scans.Create(Operator(), Request(true));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->id(), second->id());
  v1::CreateScanRequest request = Request(true);
  request.set_idempotency_key(std::string(128, 'k'));
  EXPECT_TRUE(parts_.scans.Create(Operator(), request).ok());
  request.set_idempotency_key(std::string(129, 'k'));
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.scans.Create(Operator(), request).status()));
}

TEST_F(ScansTest, ReadsAndRoles) {
  for (const Principal& who : {Viewer(), Auditor()}) {
    EXPECT_TRUE(absl::IsPermissionDenied(parts_.scans.Create(who, Request(true)).status()))
        << who.name;
  }
  const auto scan = parts_.scans.Create(Admin(), Request(true));
  ASSERT_TRUE(scan.ok()) << scan.status();
  v1::GetScanRequest get;
  get.set_id(scan->id());
  const auto seen = parts_.scans.Get(Viewer(), get);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->SerializeAsString(), scan->SerializeAsString());
  get.set_id("s-none");
  EXPECT_TRUE(absl::IsNotFound(parts_.scans.Get(Viewer(), get).status()));
}

TEST_F(ScansTest, WatchersAreToldUntilTheyLeave) {
  const auto scan = parts_.scans.Create(Operator(), Request(true));
  ASSERT_TRUE(scan.ok());
  int calls = 0;
  const uint64_t handle = parts_.scans.Watch(scan->id(), [&] { ++calls; });
  parts_.board.Failed(scan->id(), "h-1", "no engine");
  const int told = calls;
  EXPECT_GT(told, 0);
  parts_.scans.Unwatch(scan->id(), handle);
  parts_.board.Failed(scan->id(), "h-2", "no engine");
  EXPECT_EQ(calls, told);
}

}  // namespace
}  // namespace plimsoll::api
