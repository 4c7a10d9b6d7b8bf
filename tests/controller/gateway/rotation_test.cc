// What connected hosts get when other authorities are trusted.
#include "controller/access/authorities.h"
#include "controller/access/certificates.h"
#include "tests/controller/gateway/gateway_fixture.h"

namespace plimsoll::gateway {
namespace {

class RotationTest : public GatewayTest {
 protected:
  void SetUp() override {
    authorities_ = *access::Authorities::Open(
        store_->authorities(), *access::SecretBox::LoadOrCreate(dir_ + "/secrets.key"),
        dir_ + "/rotating", clock_, false);
    rotating_ = std::make_unique<TestController>("c-rotating", url_, *authorities_, baselines_,
                                                 clock_, options_);
  }
  uplink::Identity Enrol(const std::string& hostname) {
    auto identity = uplink::Enroll(rotating_->address, authorities_->BundlePem(), Token(), hostname,
                                   absl::StrCat(dir_, "/", hostname));
    EXPECT_TRUE(identity.ok()) << identity.status();
    return identity.ok() ? *identity : uplink::Identity();
  }
  // Until the session counts as begun, which is a moment after its Welcome was sent.
  void Connect(TestCollector& collector) {
    const int64_t before = rotating_->stats.sessions_begun;
    Greet(collector);
    for (int i = 0; i < 10'000 && rotating_->stats.sessions_begun == before; ++i) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    ASSERT_GT(rotating_->stats.sessions_begun, before);
  }
  // Twice: when it is seen, and when it is due.
  void Tick() {
    rotating_->service->Tick();
    clock_.Advance(absl::Seconds(1));
    rotating_->service->Tick();
    rotating_->Settle();
  }
  static bool IsSilent(TestCollector& collector) {
    return absl::IsDeadlineExceeded(collector.Receive(absl::Milliseconds(300)).status());
  }
  // The host's next identity, after what it was sent.
  static uplink::Identity After(uplink::Identity identity, const v1::ToCollector& message) {
    EXPECT_TRUE(message.has_renewed()) << message.ShortDebugString();
    identity.certificate_pem = message.renewed().certificate_pem();
    identity.ca_pem = message.renewed().ca_bundle_pem();
    return identity;
  }

  std::unique_ptr<access::Authorities> authorities_;
  std::unique_ptr<TestController> rotating_;
};

TEST_F(RotationTest, AConnectedHostGetsTheNewBundleOnce) {
  uplink::Identity identity = Enrol("web-1");
  {
    TestCollector collector(rotating_->address, identity);
    Connect(collector);
    Tick();
    EXPECT_TRUE(IsSilent(collector));
    ASSERT_TRUE(authorities_->Begin("", "").ok());
    Tick();
    identity = After(identity, Next(collector));
    EXPECT_EQ(identity.ca_pem, authorities_->BundlePem());
    EXPECT_EQ(access::ReadCertificates(identity.ca_pem).size(), 2u);
    Tick();
    EXPECT_TRUE(IsSilent(collector));
  }
  EXPECT_EQ(authorities_->Describe()->outdated_host_count(), 1);
  // For the key that it has: it connects with it, and that is what counts.
  TestCollector again(rotating_->address, identity);
  Connect(again);
  Tick();
  EXPECT_TRUE(IsSilent(again));
  EXPECT_EQ(authorities_->Describe()->outdated_host_count(), 0);

  ASSERT_TRUE(authorities_->Switch(false).ok());
  Tick();
  const uplink::Identity next = After(identity, Next(again));
  EXPECT_EQ(next.ca_pem, identity.ca_pem);
  const auto own = access::ReadCertificates(next.certificate_pem);
  const auto before = access::ReadCertificates(identity.certificate_pem);
  EXPECT_NE(next.certificate_pem, identity.certificate_pem);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(own[0].get()), X509_get0_pubkey(before[0].get())), 1);
}

TEST_F(RotationTest, AHostThatWasAwayGetsItWhenItConnects) {
  const uplink::Identity identity = Enrol("web-1");
  ASSERT_TRUE(authorities_->Begin("", "").ok());
  TestCollector collector(rotating_->address, identity);
  Connect(collector);
  Tick();
  EXPECT_EQ(After(identity, Next(collector)).ca_pem, authorities_->BundlePem());
}

TEST_F(RotationTest, ARevokedHostGetsNothing) {
  const uplink::Identity identity = Enrol("web-1");
  TestCollector collector(rotating_->address, identity);
  Connect(collector);
  ASSERT_TRUE(store_->enrollment().RevokeHost(identity.host_id, "stolen", clock_.Now()).ok());
  ASSERT_TRUE(authorities_->Begin("", "").ok());
  Tick();
  // Nobody announced it here: that its lease is gone is found out beside.
  EXPECT_TRUE(absl::IsUnavailable(collector.Receive(absl::Seconds(30)).status()));
  EXPECT_TRUE(absl::IsAborted(collector.Finish()));
}

}  // namespace
}  // namespace plimsoll::gateway
