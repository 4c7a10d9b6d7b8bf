// Who may do what to a waiver, and what one call can cost.
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/match.h"
#include "tests/controller/api/waivers_fixture.h"

namespace plimsoll::api {
namespace {

TEST_F(WaiversTest, APersonAndTheTokensOfThatPersonAreOne) {
  Principal ann = {"ses-1", "ann", store::Role::kAdmin};
  ann.kind = store::CallerKind::kUser;
  ann.user_id = "u-1";
  Principal bot = {"tok-1", "bot", store::Role::kAdmin};
  bot.maker_id = "u-1";
  Principal other = {"tok-2", "bot-2", store::Role::kAdmin};
  other.maker_id = "u-2";
  for (const auto& [proposer, approver] : {std::pair{bot, ann}, std::pair{ann, bot}}) {
    const auto waiver = parts_.waivers.Create(proposer, Request());
    ASSERT_TRUE(waiver.ok()) << waiver.status();
    EXPECT_TRUE(absl::IsPermissionDenied(Approve(waiver->id(), approver).status()));
    EXPECT_TRUE(Approve(waiver->id(), other).ok());
  }
}

TEST_F(WaiversTest, ARevokedHostIsNobodyAndNotEverybody) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  ASSERT_TRUE(parts_.AddJudgedHost("h-2", "web-2").ok());
  v1::RevokeHostRequest revoke;
  revoke.set_host("h-1");
  ASSERT_TRUE(parts_.hosts.Revoke(Admin(), revoke).ok());
  ASSERT_TRUE(parts_.Show("h-1").ok());
  v1::CreateWaiverRequest request = Request();
  request.mutable_waiver()->mutable_selector()->Clear();
  request.mutable_waiver()->mutable_selector()->add_hosts("h-1");
  const absl::Status status = parts_.waivers.Create(Operator(), request).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "revoked")) << status;
}

TEST_F(WaiversTest, ARenewalIsForItsProposerAndForApprovers) {
  const std::string id = Propose();
  ASSERT_TRUE(Approve(id).ok());
  v1::RenewWaiverRequest renew;
  renew.set_waiver(id);
  renew.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(At(2000)));
  // It would cover nothing until it is approved again: a revocation by whoever may not revoke.
  EXPECT_TRUE(absl::IsPermissionDenied(
      parts_.waivers.Renew({"8", "olga", store::Role::kOperator}, renew).status()));
  EXPECT_EQ(Get(id).state(), v1::Waiver::APPROVED);
  // Where one person suffices, who may not approve does not prolong it either.
  Waivers single(*parts_.store, parts_.index, parts_.book, parts_.clock, {.two_persons = false});
  EXPECT_EQ(single.Renew(Operator(), renew)->state(), v1::Waiver::PROPOSED);
  ASSERT_TRUE(Approve(id).ok());
  EXPECT_EQ(single.Renew(Admin(), renew)->state(), v1::Waiver::APPROVED);
}

// A clock that goes on by three seconds whenever it is looked at.
class HastyClock : public support::Clock {
 public:
  explicit HastyClock(absl::Time now) : now_(now) {}
  absl::Time Now() const override { return now_ += absl::Seconds(3); }

 private:
  mutable absl::Time now_;
};

TEST_F(WaiversTest, CountingForOnePageHasAnEnd) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  std::set<std::string> proposed;
  for (int i = 0; i < 3; ++i) proposed.insert(Propose());
  const HastyClock clock(parts_.clock.Now());
  Waivers hasty(*parts_.store, parts_.index, parts_.book, clock);
  v1::ListWaiversRequest request;
  request.set_with_counts(true);
  std::set<std::string> listed;
  int pages = 0;
  do {
    const auto page = hasty.List(Viewer(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->waivers_size(), 1);
    for (const v1::Waiver& waiver : page->waivers()) listed.insert(waiver.id());
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < 10);
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(listed, proposed);
}

}  // namespace
}  // namespace plimsoll::api
