#include "controller/access/enrollment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "controller/access/certificates.h"
#include "controller/access/tokens.h"
#include "controller/store/store.h"
#include "proto/support/digest.h"
#include "tests/controller/access/signing_requests.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::access {
namespace {

class EnrollmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/plimsoll-enrol-XXXXXX";
    ASSERT_NE(mkdtemp(dir), nullptr);
    dir_ = dir;
    authority_ = *CertificateAuthority::LoadOrCreate(dir_ + "/pki", clock_.Now());
    enrollment_ = std::make_unique<Enrollment>(
        store_->enrollment(), *authority_, clock_,
        EnrollmentOptions{
            .certificate_lifetime = absl::Hours(2),
            .refused_per_minute = 3,
            .enrolled = [this](v1::Activity entry) { told_.push_back(std::move(entry)); },
            .began_anew = [this](const std::string& id) { began_anew_.push_back(id); }});
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // A token that lives for an hour.
  std::string Token(const std::string& id, int uses = 1, v1::EnrollmentToken token = {}) {
    const std::string secret = NewSecret(kEnrollmentPrefix);
    token.set_id(id);
    token.set_max_uses(uses);
    token.mutable_create_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()));
    token.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) + 3600);
    EXPECT_TRUE(store_->enrollment().CreateToken(token, HashSecret(secret)).ok());
    return secret;
  }

  absl::StatusOr<v1::EnrollResponse> Enroll(const std::string& token,
                                            const std::string& hostname = "web-1",
                                            const std::string& csr = GoodRequest()) {
    v1::EnrollRequest request;
    request.set_token(token);
    request.set_hostname(hostname);
    request.set_certificate_signing_request(csr);
    request.set_can_wait(true);
    return enrollment_->Enroll(request, "ipv4:192.0.2.7:40000");
  }

  static std::string SerialOf(const std::string& pem) {
    support::CertificatePtr certificate(
        PEM_read_bio_X509(support::ReadBio(pem).get(), nullptr, nullptr, nullptr));
    support::BignumPtr number(
        ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.get()), nullptr));
    char* hex = BN_bn2hex(number.get());
    std::string serial = hex;
    OPENSSL_free(hex);
    for (char& c : serial) c = static_cast<char>(tolower(c));
    return serial;
  }

  std::string dir_;
  support::FakeClock clock_{absl::FromUnixSeconds(1800000000)};
  std::unique_ptr<store::Store> store_ = plimsoll::testing::FreshStore();
  std::unique_ptr<CertificateAuthority> authority_;
  std::unique_ptr<Enrollment> enrollment_;
  std::vector<v1::Activity> told_;
  std::vector<std::string> began_anew_;
};

TEST_F(EnrollmentTest, AGoodTokenMakesAHostWithACertificateOnRecord) {
  auto enrolled = Enroll(Token("t"), "web-1");
  ASSERT_TRUE(enrolled.ok()) << enrolled.status();
  EXPECT_EQ(enrolled->ca_bundle_pem(), authority_->BundlePem());
  const auto host = store_->hosts().Get("web-1");
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->id(), enrolled->host_id());
  const std::string serial = SerialOf(enrolled->certificate_pem());
  EXPECT_TRUE(store_->enrollment().CheckCertificate(serial, enrolled->host_id()).ok());
}

TEST_F(EnrollmentTest, EveryBadTokenIsRefusedInTheSameWords) {
  const std::string exhausted = Token("exhausted");
  ASSERT_TRUE(Enroll(exhausted, "first").ok());
  const std::string revoked = Token("revoked");
  ASSERT_TRUE(store_->enrollment().RevokeToken("revoked").ok());
  const std::string expired = Token("expired");
  clock_.Advance(absl::Hours(1));

  const absl::Status unknown = Enroll(NewSecret(kEnrollmentPrefix)).status();
  EXPECT_TRUE(absl::IsUnauthenticated(unknown)) << unknown;
  clock_.Advance(absl::Minutes(1));
  for (const std::string& token : {exhausted, revoked, expired}) {
    EXPECT_EQ(Enroll(token).status(), unknown);
  }
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Enroll("").status(), unknown);
  EXPECT_TRUE(absl::IsNotFound(store_->hosts().Get("web-1").status()));
}

TEST_F(EnrollmentTest, ABadRequestTakesNoUseOfTheToken) {
  const std::string token = Token("t");
  v1::EnrollRequest request;
  request.set_token(token);
  request.set_certificate_signing_request("garbage");
  EXPECT_TRUE(absl::IsInvalidArgument(enrollment_->Enroll(request, "peer").status()));
  EXPECT_TRUE(Enroll(token).ok());
}

TEST_F(EnrollmentTest, TooManyRefusalsCloseTheDoorForTheMinute) {
  const std::string good = Token("good", 2);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(absl::IsUnauthenticated(Enroll("guess").status()));
  EXPECT_TRUE(absl::IsResourceExhausted(Enroll("guess").status()));
  EXPECT_TRUE(absl::IsResourceExhausted(Enroll(good).status()));
  clock_.Advance(absl::Seconds(59));
  EXPECT_TRUE(absl::IsResourceExhausted(Enroll(good).status()));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Enroll(good).ok());
}

TEST_F(EnrollmentTest, SuccessesAreNotCounted) {
  const std::string token = Token("t", 10);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Enroll(token).ok()) << i;
}

TEST_F(EnrollmentTest, ATokenThatNeedsApprovalGivesACertificateToTheApprovedKeyOnly) {
  v1::EnrollmentToken wish;
  wish.set_requires_approval(true);
  const std::string token = Token("t", 2, wish);
  const std::string csr = GoodRequest();
  const auto waits = Enroll(token, "web-1", csr);
  ASSERT_TRUE(waits.ok()) << waits.status();
  EXPECT_TRUE(waits->certificate_pem().empty());
  EXPECT_EQ(waits->pending().key_fingerprint(), support::Sha256Hex(*RequestedKey(csr)));
  EXPECT_EQ(Enroll(token, "web-1", csr)->pending().id(), waits->pending().id());
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].object(), "enrollments/" + waits->pending().id());
  EXPECT_EQ(told_[0].actor_kind(), v1::Activity::NOBODY);
  EXPECT_EQ(told_[0].peer(), "192.0.2.7");

  v1::Enrollment decision;
  decision.set_id(waits->pending().id());
  decision.set_state(v1::Enrollment::APPROVED);
  const absl::Time now = clock_.Now();
  ASSERT_TRUE(store_->enrollment().Decide(decision, now, now + absl::Hours(1)).ok());
  // Somebody else with the same token waits for an approval of its own.
  const auto other = Enroll(token, "web-1", GoodRequest());
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(other->pending().id(), waits->pending().id());

  const auto enrolled = Enroll(token, "web-1", csr);
  ASSERT_TRUE(enrolled.ok()) << enrolled.status();
  EXPECT_FALSE(enrolled->has_pending());
  const support::CertificatePtr certificate(PEM_read_bio_X509(
      support::ReadBio(enrolled->certificate_pem()).get(), nullptr, nullptr, nullptr));
  EXPECT_EQ(*PublicKeyDer(X509_get0_pubkey(certificate.get())), *RequestedKey(csr));
  // The approval is used up, and the answer may have been lost.
  const auto retried = Enroll(token, "web-1", csr);
  ASSERT_TRUE(retried.ok()) << retried.status();
  EXPECT_EQ(retried->host_id(), enrolled->host_id());
  EXPECT_FALSE(retried->has_pending());
}

TEST_F(EnrollmentTest, WhoseAnswerWasLostAsksAgainWithItsKey) {
  const std::string token = Token("t");
  const std::string csr = GoodRequest();
  const auto lost = Enroll(token, "web-1", csr);
  ASSERT_TRUE(lost.ok()) << lost.status();
  clock_.Advance(absl::Hours(1));  // The token has expired, too.
  const auto retried = Enroll(token, "web-1", csr);
  ASSERT_TRUE(retried.ok()) << retried.status();
  EXPECT_EQ(retried->host_id(), lost->host_id());
  EXPECT_EQ(told_.back().message(), "asked again for its certificate");
  EXPECT_TRUE(began_anew_.empty());
  EXPECT_EQ(store_->enrollment().ListTokens()->front().use_count(), 1);
  for (const std::string& pem : {lost->certificate_pem(), retried->certificate_pem()}) {
    EXPECT_TRUE(store_->enrollment().CheckCertificate(SerialOf(pem), lost->host_id()).ok());
  }
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll(token, "web-1", GoodRequest()).status()));

  // With a token for one host nothing is revoked by the second time.
  v1::EnrollmentToken wish;
  wish.set_host_id(lost->host_id());
  const std::string anew = Token("anew", 1, wish);
  const std::string next = GoodRequest();
  const auto first = Enroll(anew, "web-1", next);
  const auto second = Enroll(anew, "web-1", next);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(began_anew_.size(), 1u);
  EXPECT_TRUE(store_->enrollment()
                  .CheckCertificate(SerialOf(first->certificate_pem()), lost->host_id())
                  .ok());
  // And it ends what the first token and key were good for.
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll(token, "web-1", csr).status()));
  ASSERT_TRUE(store_->enrollment().RevokeHost(lost->host_id(), "stolen", clock_.Now()).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll(anew, "web-1", next).status()));
}

TEST_F(EnrollmentTest, ACollectorThatCannotWaitIsToldSo) {
  v1::EnrollmentToken wish;
  wish.set_requires_approval(true);
  v1::EnrollRequest request;
  request.set_token(Token("t", 1, wish));
  request.set_certificate_signing_request(GoodRequest());
  const auto refused = enrollment_->Enroll(request, "peer");
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
}

TEST_F(EnrollmentTest, AHostThatEnrolsAgainKeepsItsIdAndLosesItsSession) {
  const auto first = Enroll(Token("t"));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(began_anew_.empty());
  v1::EnrollmentToken wish;
  wish.set_host_id(first->host_id());
  const auto again = Enroll(Token("again", 1, wish), "renamed");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->host_id(), first->host_id());
  EXPECT_EQ(began_anew_, std::vector<std::string>{first->host_id()});
  EXPECT_EQ(store_->hosts().Get("renamed")->id(), first->host_id());
  EXPECT_EQ(told_.back().message(), "enrolled again, with a new key");
  v1::RenewRequest request;
  request.set_certificate_signing_request(GoodRequest());
  EXPECT_TRUE(absl::IsUnauthenticated(
      enrollment_->Renew(first->host_id(), SerialOf(first->certificate_pem()), request).status()));
  EXPECT_TRUE(
      enrollment_->Renew(again->host_id(), SerialOf(again->certificate_pem()), request).ok());
}

TEST_F(EnrollmentTest, ACertificateIsReissuedForTheKeyItHas) {
  const std::string csr = GoodRequest();
  const auto enrolled = Enroll(Token("t"), "web-1", csr);
  ASSERT_TRUE(enrolled.ok()) << enrolled.status();
  const auto reissued = enrollment_->Reissue(
      enrolled->host_id(), SerialOf(enrolled->certificate_pem()), *RequestedKey(csr));
  ASSERT_TRUE(reissued.ok()) << reissued.status();
  EXPECT_EQ(reissued->ca_bundle_pem(), authority_->BundlePem());
  const std::string serial = SerialOf(reissued->certificate_pem());
  EXPECT_NE(serial, SerialOf(enrolled->certificate_pem()));
  EXPECT_TRUE(store_->enrollment().CheckCertificate(serial, enrolled->host_id()).ok());
  ASSERT_TRUE(store_->enrollment().RevokeHost(enrolled->host_id(), "", clock_.Now()).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(
      enrollment_->Reissue(enrolled->host_id(), serial, *RequestedKey(csr)).status()));
}

TEST_F(EnrollmentTest, RenewalIsForWhoIsKnownAndWelcome) {
  auto enrolled = Enroll(Token("t"));
  ASSERT_TRUE(enrolled.ok()) << enrolled.status();
  const std::string id = enrolled->host_id();
  const std::string serial = SerialOf(enrolled->certificate_pem());
  v1::RenewRequest request;
  request.set_certificate_signing_request(GoodRequest());
  auto renewed = enrollment_->Renew(id, serial, request);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  const std::string next = SerialOf(renewed->certificate_pem());
  EXPECT_NE(next, serial);
  EXPECT_TRUE(enrollment_->Renew(id, next, request).ok());

  EXPECT_TRUE(absl::IsUnauthenticated(enrollment_->Renew(id, "00", request).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(enrollment_->Renew(NewHostId(), serial, request).status()));
  v1::RenewRequest garbage;
  garbage.set_certificate_signing_request("garbage");
  EXPECT_TRUE(absl::IsInvalidArgument(enrollment_->Renew(id, serial, garbage).status()));
  ASSERT_TRUE(store_->enrollment().RevokeHost(id, "stolen", clock_.Now()).ok());
  for (const std::string& revoked : {serial, next}) {
    EXPECT_TRUE(absl::IsPermissionDenied(enrollment_->Renew(id, revoked, request).status()));
  }
}

}  // namespace
}  // namespace plimsoll::access
