#include "controller/api/authorities.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "controller/access/issuer.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

// States of the authorities, the current one first.
std::vector<v1::Authority::State> StatesOf(const absl::StatusOr<v1::AuthorityStatus>& status) {
  EXPECT_TRUE(status.ok()) << status.status();
  std::vector<v1::Authority::State> states;
  if (!status.ok()) return states;
  for (const v1::Authority& each : status->authorities()) states.push_back(each.state());
  return states;
}

TEST(AuthoritiesTest, EveryStepAnswersWithWhatFollows) {
  Parts parts;
  Authorities& api = *parts.authority_api;
  const auto before = api.Get(Admin(), {});
  EXPECT_EQ(StatesOf(before), std::vector{v1::Authority::CURRENT});
  EXPECT_EQ(StatesOf(api.Begin(Admin(), {})),
            (std::vector{v1::Authority::CURRENT, v1::Authority::NEXT}));
  EXPECT_EQ(StatesOf(api.Cancel(Admin(), {})), std::vector{v1::Authority::CURRENT});
  EXPECT_TRUE(absl::IsFailedPrecondition(api.Switch(Admin(), {}).status()));
  ASSERT_TRUE(api.Begin(Admin(), {}).ok());
  EXPECT_EQ(StatesOf(api.Switch(Admin(), {})),
            (std::vector{v1::Authority::CURRENT, v1::Authority::PREVIOUS}));
  const auto after = api.Finish(Admin(), {});
  EXPECT_EQ(StatesOf(after), std::vector{v1::Authority::CURRENT});
  EXPECT_NE(after->ca_bundle_pem(), before->ca_bundle_pem());
}

TEST(AuthoritiesTest, AKeyThatIsBroughtIsShownToNobody) {
  Parts parts;
  const auto issuer = access::Issuer::Create(parts.clock.Now());
  v1::BeginRotationRequest request;
  request.set_ca_chain_pem((*issuer)->BundlePem());
  request.set_secret_key_pem((*issuer)->Secret());
  const Method* method = parts.methods.Find("plimsoll.v1.AuthorityService.BeginRotation");
  ASSERT_NE(method, nullptr);
  const auto answer = parts.methods.Call(Admin(), *method, request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(absl::StrContains((*answer)->SerializeAsString(), "PRIVATE"));
  const auto entries = parts.store->activity().List({});
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().action(), "AuthorityService.BeginRotation");
  EXPECT_FALSE(absl::StrContains(entries->front().SerializeAsString(), "PRIVATE"));
}

}  // namespace
}  // namespace plimsoll::api
