// Waivers over judged hosts, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "controller/api/waivers.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {

using store::At;

// Under ScoredBaseline, r2 fails on a judged host for the containers a and b.
class WaiversTest : public ::testing::Test {
 protected:
  static v1::CreateWaiverRequest Request(const std::string& rule = "r2") {
    v1::CreateWaiverRequest request;
    v1::Waiver& waiver = *request.mutable_waiver();
    v1::RuleRef& ref = *waiver.add_rules();
    ref.set_baseline("base");
    ref.set_rule(rule);
    waiver.mutable_selector()->set_all(true);
    waiver.set_reason("accepted");
    waiver.set_owner("storage");
    waiver.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(At(1000)));
    return request;
  }
  std::string Propose(const v1::CreateWaiverRequest& request = Request()) {
    auto waiver = parts_.waivers.Create(Operator(), request);
    EXPECT_TRUE(waiver.ok()) << waiver.status();
    return waiver.ok() ? waiver->id() : "";
  }
  absl::StatusOr<v1::Waiver> Approve(const std::string& id, const Principal& who = Admin()) {
    v1::DecideWaiverRequest request;
    request.set_waiver(id);
    request.set_note("looked at it");
    return parts_.waivers.Approve(who, request);
  }
  v1::Waiver Get(const std::string& id) {
    v1::GetWaiverRequest request;
    request.set_waiver(id);
    auto waiver = parts_.waivers.Get(Viewer(), request);
    EXPECT_TRUE(waiver.ok()) << waiver.status();
    return waiver.value_or(v1::Waiver());
  }
  v1::PreviewWaiverResponse Preview(const v1::Waiver& waiver, int size = 0,
                                    const std::string& token = "") {
    v1::PreviewWaiverRequest request;
    *request.mutable_waiver() = waiver;
    request.set_page_size(size);
    request.set_page_token(token);
    auto preview = parts_.waivers.Preview(Operator(), request);
    EXPECT_TRUE(preview.ok()) << preview.status();
    return preview.value_or(v1::PreviewWaiverResponse());
  }

  Parts parts_;
};

}  // namespace plimsoll::api
