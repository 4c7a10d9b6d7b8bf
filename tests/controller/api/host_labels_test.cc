#include "controller/api/host_labels.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/api/listed_hosts.h"

namespace plimsoll::api {
namespace {

class HostLabelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(parts_.AddHost("h-1", "shop-1", {{"team", "shop"}, {"env", "prod"}}).ok());
    ASSERT_TRUE(parts_.AddHost("h-2", "shop-2", {{"team", "shop"}}).ok());
    ASSERT_TRUE(parts_.AddHost("h-3", "bank-1", {{"team", "bank"}}).ok());
  }
  static v1::SetHostLabelsRequest Request(const std::string& expression) {
    v1::SetHostLabelsRequest request;
    if (absl::StartsWith(expression, "h-")) {
      request.mutable_selector()->add_hosts(expression);
    } else {
      request.mutable_selector()->set_expression(expression);
    }
    return request;
  }
  static v1::SetHostLabelsRequest Giving(const std::string& expression, const std::string& key,
                                         const std::string& value) {
    v1::SetHostLabelsRequest request = Request(expression);
    (*request.mutable_set())[key] = value;
    return request;
  }
  absl::Status Set(const v1::SetHostLabelsRequest& request, const Principal& who = Operator()) {
    return parts_.host_labels.Set(who, request).status();
  }
  std::string Listed(const std::string& expression) { return ListedHosts(parts_, expression); }
  Principal Limited() {
    Principal limited = Operator();
    limited.scope = "team=shop";
    return limited;
  }

  Parts parts_;
};

TEST_F(HostLabelsTest, SelectWhatTheyAreGivenTo) {
  v1::SetHostLabelsRequest request = Giving("team=shop", "tier", "web");
  request.set_managed_by("platform");
  const auto answer = parts_.host_labels.Set(Operator(), request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->changed_host_count(), 2);
  EXPECT_EQ(answer->selected_host_count(), 2);
  EXPECT_EQ(answer->changes(0).after().at("tier"), "web");
  EXPECT_EQ(Listed("tier=web"), "shop-1 shop-2 ");
  EXPECT_EQ(parts_.wakes, 1);
  v1::ListHostsRequest list;
  list.set_selector("tier=web");
  const v1::Host host = parts_.hosts.List(Viewer(), list)->hosts(0);
  EXPECT_EQ(host.central_labels().at("tier"), "web");
  EXPECT_EQ(host.label_managers().at("tier"), "platform");
  // The same again is no change, and nobody is judged again.
  EXPECT_EQ(parts_.host_labels.Set(Operator(), request)->changed_host_count(), 0);
  EXPECT_EQ(parts_.wakes, 1);
  request = Request("h-1");
  request.add_remove("tier");
  EXPECT_EQ(parts_.host_labels.Set(Operator(), request)->host_id(), "h-1");
  EXPECT_EQ(Listed("tier=web"), "shop-2 ");
  EXPECT_EQ(Listed("team=shop"), "shop-1 shop-2 ");
}

TEST_F(HostLabelsTest, ValidatingChangesNothing) {
  v1::SetHostLabelsRequest request = Giving("team", "tier", "web");
  request.set_validate_only(true);
  EXPECT_EQ(parts_.host_labels.Set(Operator(), request)->changed_host_count(), 3);
  EXPECT_EQ(Listed("tier=web"), "");
  EXPECT_EQ(parts_.wakes, 0);
}

TEST_F(HostLabelsTest, RefuseWhatIsWrong) {
  const auto remove = [](const std::string& key) {
    v1::SetHostLabelsRequest request = Request("team");
    request.add_remove(key);
    return request;
  };
  const auto many = [](int count) {
    v1::SetHostLabelsRequest request = Request("h-1");
    for (int i = 0; i < count; ++i) (*request.mutable_set())[absl::StrCat("k", i)] = "v";
    return request;
  };
  v1::SetHostLabelsRequest both = Giving("team", "tier", "web");
  both.add_remove("tier");
  v1::SetHostLabelsRequest nobody = Giving("team", "tier", "web");
  nobody.clear_selector();
  v1::SetHostLabelsRequest manager = Giving("team", "tier", "web");
  manager.set_managed_by("No Name");
  const struct {
    v1::SetHostLabelsRequest request;
    const char* says;
  } rows[] = {
      {Request("team"), "set: says nothing"},
      {Giving("team", "Tier", "web"), "set: label \"Tier=web\": expected key=value"},
      {Giving("team", std::string(64, 'k'), ""), "set: label"},
      {Giving("team", "tier", std::string(256, 'v')), "at most 255 bytes"},
      {Giving("team", "tier", "M\xfcnchen"), "UTF-8 without control characters"},
      {Giving("team", "tier", "a\nb"), "UTF-8 without control characters"},
      {remove("Tier"), "remove: label"},
      {both, "remove: tier is set as well"},
      {many(65), "set: more than 64"},
      {nobody, "say which hosts"},
      {manager, "managed_by: "},
      {Giving("team in (", "tier", "web"), "selector"},
      {Giving("@gone", "tier", "web"), "no saved selector \"gone\""},
  };
  for (const auto& row : rows) {
    const absl::Status status = Set(row.request);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << row.says << ": " << status;
    EXPECT_TRUE(absl::StrContains(status.message(), row.says)) << row.says << ": " << status;
  }
  EXPECT_TRUE(absl::IsNotFound(Set(Giving("h-9", "tier", "web"))));
  ASSERT_TRUE(Set(many(64)).ok());
  const absl::Status full = Set(Giving("h-1", "one-more", ""));
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
}

TEST_F(HostLabelsTest, NobodyMovesAHostOutOfOrIntoTheirPartOfTheFleet) {
  EXPECT_EQ(parts_.host_labels.Set(Limited(), Giving("!tier", "tier", "web"))->changed_host_count(),
            2);
  EXPECT_EQ(Listed("tier=web"), "shop-1 shop-2 ");
  EXPECT_TRUE(absl::IsNotFound(Set(Giving("h-3", "team", "shop"), Limited())));
  const absl::Status out = Set(Giving("h-1", "team", "bank"), Limited());
  EXPECT_TRUE(absl::IsPermissionDenied(out)) << out;
  EXPECT_EQ(Listed("team=shop"), "shop-1 shop-2 ");
  // Nor by taking away what somebody else gave.
  ASSERT_TRUE(Set(Giving("h-3", "team", "shop")).ok());
  v1::SetHostLabelsRequest request = Request("h-3");
  request.add_remove("team");
  EXPECT_TRUE(absl::IsPermissionDenied(Set(request, Limited())));
  EXPECT_EQ(Listed("team=shop"), "bank-1 shop-1 shop-2 ");
}

TEST_F(HostLabelsTest, AreWrittenDownBeforeAndAfter) {
  const Method& method = *parts_.methods.Find("plimsoll.v1.HostService.SetHostLabels");
  v1::SetHostLabelsRequest request = Giving("h-1", "tier", "web");
  request.set_validate_only(true);
  ASSERT_TRUE(parts_.methods.Call(Operator(), method, request).ok());
  request.set_validate_only(false);
  ASSERT_TRUE(parts_.methods.Call(Operator(), method, request).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.methods.Call(Viewer(), method, request).status()));
  ASSERT_TRUE(parts_.log.Flush(absl::Seconds(30)));
  const auto entries = parts_.store->activity().List({});
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2u) << "what was only validated is not there";
  const v1::Activity& made = entries->back();
  EXPECT_EQ(made.object(), "hosts/h-1");
  EXPECT_TRUE(absl::StrContains(made.after_json(), "\"after\":{\"tier\":\"web\"}"))
      << made.after_json();
}

// A host that is labelled is judged by what it is labelled now.
TEST_F(HostLabelsTest, DecideByWhatAHostIsJudged) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-4", "build-1").ok());
  v1::SetTailoringRequest tailoring;
  tailoring.mutable_tailoring()->set_name("build");
  tailoring.mutable_tailoring()->set_baseline("base");
  tailoring.mutable_tailoring()->mutable_selector()->set_expression("role=build");
  v1::RuleTailoring& rule = *tailoring.mutable_tailoring()->add_rules();
  rule.set_rule("r2");
  rule.set_switched_off("builds images");
  ASSERT_TRUE(parts_.tailorings.Set(Admin(), tailoring).ok());
  const auto outdated = [this] { return parts_.index.CountOutdated(*parts_.book.current()); };
  EXPECT_EQ(outdated(), 0);
  ASSERT_TRUE(Set(Giving("h-4", "role", "build")).ok());
  EXPECT_EQ(outdated(), 1);
  v1::GetHostReportRequest request;
  request.set_host("h-4");
  request.set_baseline("base");
  EXPECT_EQ(parts_.hosts.GetReport(Viewer(), request)->verdicts(1).status(),
            v1::Verdict::NOT_APPLICABLE);
}

}  // namespace
}  // namespace plimsoll::api
