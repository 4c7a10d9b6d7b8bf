#include "controller/access/authorities.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/access/certificates.h"
#include "controller/store/store.h"
#include "tests/controller/access/signing_requests.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::access {
namespace {

constexpr char kHost[] = "h-abcdefghijklmnopqrstuvwxyz";

std::string Content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Two controllers on one database, with copies of one pki/.
class AuthoritiesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/plimsoll-authorities-XXXXXX";
    ASSERT_NE(mkdtemp(dir), nullptr);
    root_ = dir;
    one_ = root_ + "/one";
    two_ = root_ + "/two";
    std::filesystem::create_directory(one_);
    auto opened = Open(one_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    authorities_ = *std::move(opened);
    std::filesystem::copy(one_, two_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  absl::StatusOr<std::unique_ptr<Authorities>> Open(const std::string& dir, bool replace = false) {
    auto box = SecretBox::LoadOrCreate(dir + "/secrets.key");
    if (!box.ok()) return box.status();
    return Authorities::Open(store_->authorities(), *std::move(box), dir, clock_, replace);
  }
  static size_t Roots(const Authorities& authorities) {
    return ReadCertificates(authorities.BundlePem()).size();
  }
  // States of the authorities, the current one first.
  std::vector<v1::Authority::State> States(const Authorities& authorities) {
    const auto status = authorities.Describe();
    EXPECT_TRUE(status.ok()) << status.status();
    std::vector<v1::Authority::State> states;
    for (const v1::Authority& each : status->authorities()) states.push_back(each.state());
    return states;
  }
  std::string IssuerOf(const Authorities& authorities) {
    const auto issued = authorities.SignHost(GoodRequest(), kHost, clock_.Now(), absl::Hours(1));
    EXPECT_TRUE(issued.ok()) << issued.status();
    EXPECT_EQ(issued->bundle_pem, authorities.BundlePem());
    EXPECT_TRUE(issued->trust == authorities.trust());
    return issued->trust.issuer;
  }

  support::FakeClock clock_{absl::FromUnixSeconds(1800000000)};
  std::string root_;
  std::string one_;
  std::string two_;
  std::unique_ptr<store::Store> store_ = plimsoll::testing::FreshStore();
  std::unique_ptr<Authorities> authorities_;
};

TEST_F(AuthoritiesTest, AloneItIsTheOneOnTheDisk) {
  const auto alone = CertificateAuthority::LoadOrCreate(one_, clock_.Now());
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(authorities_->BundlePem(), (*alone)->BundlePem());
  EXPECT_TRUE(authorities_->trust() == (*alone)->trust());
  EXPECT_EQ(States(*authorities_), std::vector{v1::Authority::CURRENT});
  const auto status = authorities_->Describe();
  EXPECT_EQ(status->ca_bundle_pem(), authorities_->BundlePem());
  EXPECT_EQ(status->authorities(0).fingerprint().size(), 32u * 3 - 1);
  EXPECT_EQ(status->authorities(0).subject(), "CN=Plimsoll collector CA");
}

TEST_F(AuthoritiesTest, AnotherControllerFollowsEveryStep) {
  auto second = *Open(two_);
  int changes = 0;
  second->OnChanged([&changes] { ++changes; });
  const std::string first_issuer = IssuerOf(*authorities_);
  EXPECT_TRUE(second->Reload().ok());
  EXPECT_EQ(changes, 0);

  ASSERT_TRUE(authorities_->Begin("", "").ok());
  EXPECT_EQ(Roots(*authorities_), 2u);
  ASSERT_TRUE(second->Reload().ok());
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(second->BundlePem(), authorities_->BundlePem());
  EXPECT_EQ(States(*second), (std::vector{v1::Authority::CURRENT, v1::Authority::NEXT}));
  EXPECT_EQ(IssuerOf(*second), first_issuer);
  const std::string both = second->BundlePem();
  const uint64_t generation = second->generation();

  ASSERT_TRUE(authorities_->Switch(false).ok());
  ASSERT_TRUE(second->Reload().ok());
  EXPECT_EQ(changes, 2);
  EXPECT_GT(second->generation(), generation);
  EXPECT_EQ(second->BundlePem(), both);
  EXPECT_EQ(IssuerOf(*second), IssuerOf(*authorities_));
  EXPECT_NE(IssuerOf(*second), first_issuer);
  EXPECT_EQ(States(*second), (std::vector{v1::Authority::CURRENT, v1::Authority::PREVIOUS}));
  // On both disks, for their owner only.
  for (const std::string& dir : {one_, two_}) {
    EXPECT_EQ(Issuer::FingerprintOnDisk(dir), IssuerOf(*second));
    struct stat info {};
    ASSERT_EQ(stat((dir + "/ca.key").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u);
  }

  ASSERT_TRUE(authorities_->Finish(false).ok());
  ASSERT_TRUE(second->Reload().ok());
  EXPECT_EQ(Roots(*second), 1u);
  EXPECT_EQ(second->BundlePem(), authorities_->BundlePem());
  // And on from there.
  EXPECT_TRUE(second->Begin("", "").ok());
}

TEST_F(AuthoritiesTest, ARotationThatWasBegunCanBeCancelled) {
  const std::string before = authorities_->BundlePem();
  ASSERT_TRUE(authorities_->Begin("", "").ok());
  ASSERT_TRUE(authorities_->Cancel().ok());
  EXPECT_EQ(authorities_->BundlePem(), before);
  EXPECT_TRUE(Open(two_).ok());
}

TEST_F(AuthoritiesTest, TheDatabaseHoldsNoKeyInClear) {
  ASSERT_TRUE(authorities_->Begin("", "").ok());
  for (const store::AuthorityRecord& record : *store_->authorities().List()) {
    EXPECT_FALSE(record.sealed.empty());
    EXPECT_FALSE(absl::StrContains(record.sealed, "KEY"));
  }
}

TEST_F(AuthoritiesTest, AControllerThatWasAwayGetsWhatItMissed) {
  ASSERT_TRUE(authorities_->Begin("", "").ok());
  ASSERT_TRUE(authorities_->Switch(false).ok());
  // The old authority on its disk; and a crash between the two files.
  auto second = Open(two_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(IssuerOf(**second), IssuerOf(*authorities_));
  EXPECT_EQ(Content(two_ + "/ca.pem"), Content(one_ + "/ca.pem"));
  std::filesystem::remove(two_ + "/ca.key");
  EXPECT_TRUE(Open(two_).ok());
  std::filesystem::remove(two_ + "/ca.pem");
  EXPECT_TRUE(Open(two_).ok());
  EXPECT_EQ(Content(two_ + "/ca.key"), Content(one_ + "/ca.key"));
}

TEST_F(AuthoritiesTest, ALostCertificateIsNotMadeAnew) {
  const std::string file = one_ + "/ca.pem";
  const std::string before = Content(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(Open(one_).ok());
  EXPECT_EQ(Content(file), before);
  // While it runs, too.
  std::filesystem::remove(file);
  EXPECT_TRUE(authorities_->Reload().ok());
  EXPECT_EQ(Content(file), before);
  // Nor is there one for a key that is another's.
  ASSERT_TRUE((*Issuer::Create(clock_.Now()))->Save(two_).ok());
  std::filesystem::remove(two_ + "/ca.pem");
  const absl::Status status = Open(two_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "ca.pem is missing")) << status;
  EXPECT_FALSE(std::filesystem::exists(two_ + "/ca.pem"));
  EXPECT_TRUE(Open(two_, true).ok());
}

TEST_F(AuthoritiesTest, WhoHasAnotherKeyOrAnotherAuthorityIsTurnedAway) {
  const std::string other = root_ + "/other";
  std::filesystem::create_directory(other);
  const absl::Status before = Open(other).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(before)) << before;
  EXPECT_TRUE(absl::StrContains(before.message(), "another certificate authority")) << before;

  ASSERT_TRUE(authorities_->Begin("", "").ok());
  const absl::Status meanwhile = Open(other).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(meanwhile)) << meanwhile;
  EXPECT_TRUE(absl::StrContains(meanwhile.message(), "move ca.pem and ca.key away")) << meanwhile;
  std::filesystem::remove(other + "/ca.pem");
  std::filesystem::remove(other + "/ca.key");
  const absl::Status sealed = Open(other).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(sealed)) << sealed;
  EXPECT_TRUE(absl::StrContains(sealed.message(), "pki/secrets.key")) << sealed;
  EXPECT_FALSE(std::filesystem::exists(other + "/ca.pem"));

  const auto replaced = Open(other, true);
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_EQ(Roots(**replaced), 1u);
  EXPECT_EQ(Issuer::FingerprintOnDisk(other), IssuerOf(**replaced));
}

TEST_F(AuthoritiesTest, OneThatIsBroughtIsCheckedFirst) {
  const auto other = Issuer::Create(clock_.Now());
  const std::string text = (*other)->Secret();
  const std::tuple<std::string, std::string, const char*> cases[] = {
      {"garbage", text, "ca_chain_pem"},
      {text, "garbage", "secret_key_pem"},
      {text, "", "secret_key_pem"},
      {std::string(70'000, 'x'), text, "ca_chain_pem"},
      {text, std::string(20'000, 'x'), "secret_key_pem"}};
  for (const auto& [chain, key, words] : cases) {
    const absl::Status status = authorities_->Begin(chain, key);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(absl::StartsWith(status.message(), words)) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), "PRIVATE")) << status;
  }
  // One that the controller has no use for.
  authorities_->CheckNext([&other](const CertificateAuthority& next) {
    return next.BundlePem() == (*other)->BundlePem() ? absl::InvalidArgumentError("not for --name")
                                                     : absl::OkStatus();
  });
  EXPECT_EQ(authorities_->Begin(text, text).message(), "not for --name");
  EXPECT_EQ(Roots(*authorities_), 1u);
  authorities_->CheckNext({});
  ASSERT_TRUE(authorities_->Begin(text, text).ok());
  EXPECT_TRUE(absl::StrContains(authorities_->BundlePem(), (*other)->BundlePem()));
  ASSERT_TRUE(authorities_->Cancel().ok());
  const auto own = Issuer::LoadOrCreate(one_, clock_.Now());
  EXPECT_TRUE(absl::IsAlreadyExists(authorities_->Begin((*own)->Secret(), (*own)->Secret())));
}

}  // namespace
}  // namespace plimsoll::access
