// How a collector enrols, waits for approval, and enrols again.
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "proto/support/key_files.h"
#include "tests/collector/agent/agent_fixture.h"

namespace plimsoll::agent {
namespace {

class EnrollTest : public AgentTest {
 protected:
  void SetUp() override {
    config_.ca_file = config_.state_dir + "/given-ca";
    config_.enroll_token_file = config_.state_dir + "/given-token";
    ASSERT_TRUE(support::WritePrivateFile(config_.ca_file, authority_.pem()).ok());
    GiveToken("plt_one");
    gateway_.OnEnroll([this](const v1::EnrollRequest& request, v1::EnrollResponse* response) {
      asked_.push_back(request);
      if (!first_asked_.HasBeenNotified()) first_asked_.Notify();
      if (waits_-- > 0) {
        response->mutable_pending()->set_id("e-1");
        return grpc::Status::OK;
      }
      if (!refusal_.ok()) return refusal_;
      response->set_host_id("h-2");
      response->set_certificate_pem(
          authority_.Sign(request.certificate_signing_request(), "URI:plimsoll://host/h-2"));
      response->set_ca_bundle_pem(authority_.pem());
      return grpc::Status::OK;
    });
  }
  void GiveToken(const std::string& token) {
    ASSERT_TRUE(support::WritePrivateFile(config_.enroll_token_file, token + "\n").ok());
  }
  void Forget() {
    for (const char* name : {"host.pem", "host.key", "ca.pem"}) {
      std::filesystem::remove(absl::StrCat(config_.state_dir, "/", name));
    }
  }
  std::string HostId() const {
    const auto identity = uplink::LoadIdentity(config_.state_dir, support::Clock::Real().Now());
    return identity.ok() ? identity->host_id : identity.status().ToString();
  }

  // Of the gateway's thread while the agent runs.
  std::vector<v1::EnrollRequest> asked_;
  absl::Notification first_asked_;
  int waits_ = 0;
  grpc::Status refusal_;
};

TEST_F(EnrollTest, WaitsWithOneKeyUntilItIsApproved) {
  Forget();
  waits_ = 3;
  Start();
  Session();
  EXPECT_TRUE(Stop().ok());
  ASSERT_EQ(asked_.size(), 4u);
  for (const v1::EnrollRequest& request : asked_) {
    EXPECT_TRUE(request.can_wait());
    EXPECT_EQ(request.token(), "plt_one");
  }
  // The key of every request is the host's in the end.
  const std::string key = *support::ReadKeyFile(config_.state_dir + "/host.key", true);
  for (const v1::EnrollRequest& request : asked_) {
    const auto* bytes =
        reinterpret_cast<const unsigned char*>(request.certificate_signing_request().data());
    const support::RequestPtr csr(d2i_X509_REQ(
        nullptr, &bytes, static_cast<long>(request.certificate_signing_request().size())));
    const support::KeyPtr own(
        PEM_read_bio_PrivateKey(support::ReadBio(key).get(), nullptr, nullptr, nullptr));
    EXPECT_EQ(EVP_PKEY_eq(X509_REQ_get0_pubkey(csr.get()), own.get()), 1);
  }
  EXPECT_FALSE(std::filesystem::exists(config_.state_dir + "/enroll.key"));
}

TEST_F(EnrollTest, ARestartAsksWithTheSameKey) {
  Forget();
  waits_ = 1 << 20;
  Start();
  first_asked_.WaitForNotification();
  EXPECT_TRUE(Stop().ok());
  waits_ = 0;
  const std::string kept = *support::ReadKeyFile(config_.state_dir + "/enroll.key", true);
  Start();
  Session();
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(*support::ReadKeyFile(config_.state_dir + "/host.key", true), kept);
}

TEST_F(EnrollTest, ARejectionEndsIt) {
  Forget();
  refusal_ = grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "an operator rejected this");
  Start();
  EXPECT_TRUE(absl::IsPermissionDenied(Join()));
}

TEST_F(EnrollTest, EnrolsAgainOnceForEachToken) {
  ASSERT_EQ(HostId(), "h-1");
  Start();
  Session();
  EXPECT_TRUE(Stop().ok());
  EXPECT_TRUE(asked_.empty());

  config_.enroll_again = true;
  for (int i = 0; i < 2; ++i) {
    Start();
    Session();
    EXPECT_TRUE(Stop().ok());
    EXPECT_EQ(asked_.size(), 1u);
    EXPECT_EQ(HostId(), "h-2");
  }
  GiveToken("plt_two");
  Start();
  Session();
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(asked_.size(), 2u);
  // Used up and taken away: the identity is enough.
  std::filesystem::remove(config_.enroll_token_file);
  Start();
  Session();
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(EnrollTest, ARefusedTokenLeavesTheIdentityThatThereIs) {
  config_.enroll_again = true;
  refusal_ = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "the token is not valid");
  Start();
  EXPECT_TRUE(absl::IsUnauthenticated(Join()));
  EXPECT_EQ(HostId(), "h-1");
}

TEST_F(EnrollTest, WhatIsSecretIsForItsOwnerOnly) {
  Forget();
  Start();
  Session();
  EXPECT_TRUE(Stop().ok());
  for (const char* name : {"host.key", "host.pem", "ca.pem", "token.sha256"}) {
    struct stat info {};
    ASSERT_EQ(stat(absl::StrCat(config_.state_dir, "/", name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 07777, 0600u) << name;
  }
  // Not the token, only what tells that it was this one.
  const std::string noted = *support::ReadKeyFile(config_.state_dir + "/token.sha256", true);
  EXPECT_EQ(noted.find("plt_"), std::string::npos);
}

TEST_F(EnrollTest, ANewIdentityUnaskedIsTakenAndUsed) {
  Start();
  auto session = Session();
  const auto identity = uplink::LoadIdentity(config_.state_dir, support::Clock::Real().Now());
  const auto request = uplink::MakeRequest(identity->key_pem);
  v1::ToCollector message;
  const std::string bundle =
      authority_.pem() + test::TestAuthority(support::Clock::Real().Now()).pem();
  message.mutable_renewed()->set_certificate_pem(
      authority_.Sign(*request, "URI:plimsoll://host/h-1"));
  message.mutable_renewed()->set_ca_bundle_pem(bundle);
  session->Send(message);
  Session();
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(*support::ReadKeyFile(config_.state_dir + "/ca.pem", true), bundle);
}

}  // namespace
}  // namespace plimsoll::agent
