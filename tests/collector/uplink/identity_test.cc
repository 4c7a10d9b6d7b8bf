#include "collector/uplink/identity.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::uplink {
namespace {

using support::CertificatePtr;
using support::KeyPtr;

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

// A certificate for the key of `key_pem` that names `uri`, signed by that key: the collector does
// not check chains, TLS does.
std::string CertificateFor(const std::string& key_pem, const std::string& uri,
                           absl::Duration lifetime = absl::Hours(3)) {
  KeyPtr key(PEM_read_bio_PrivateKey(support::ReadBio(key_pem).get(), nullptr, nullptr, nullptr));
  CertificatePtr certificate(X509_new());
  X509* const x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_TIME_set(X509_getm_notBefore(x), absl::ToTimeT(kNow));
  ASN1_TIME_set(X509_getm_notAfter(x), absl::ToTimeT(kNow + lifetime));
  X509_set_pubkey(x, key.get());
  if (!uri.empty()) {
    X509_EXTENSION* name =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("URI:" + uri).c_str());
    X509_add_ext(x, name, -1);
    X509_EXTENSION_free(name);
  }
  X509_sign(x, key.get(), EVP_sha256());
  support::BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), x);
  return support::BioText(bio.get());
}

class IdentityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/plimsoll-identity-XXXXXX";
    ASSERT_NE(mkdtemp(dir), nullptr);
    root_ = dir;
    dir_ = root_ + "/state";
    key_ = MakeKeyAndRequest()->key_pem;
    certificate_ = CertificateFor(key_, "plimsoll://host/h-1");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  absl::Status Save() { return SaveIdentity(dir_, key_, certificate_, "the CA"); }

  std::string root_;
  std::string dir_;
  std::string key_;
  std::string certificate_;
};

TEST_F(IdentityTest, ARequestIsSignedByItsOwnP256Key) {
  const auto made = MakeKeyAndRequest();
  ASSERT_TRUE(made.ok()) << made.status();
  const auto again = MakeRequest(made->key_pem);
  ASSERT_TRUE(again.ok()) << again.status();
  KeyPtr key(
      PEM_read_bio_PrivateKey(support::ReadBio(made->key_pem).get(), nullptr, nullptr, nullptr));
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(EVP_PKEY_get_bits(key.get()), 256);
  for (const std::string& der : {made->request_der, *again}) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    support::RequestPtr request(d2i_X509_REQ(nullptr, &bytes, static_cast<long>(der.size())));
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(X509_REQ_verify(request.get(), key.get()), 1);
  }
  EXPECT_NE(MakeKeyAndRequest()->key_pem, made->key_pem);
  EXPECT_TRUE(absl::IsFailedPrecondition(MakeRequest("garbage").status()));
}

TEST_F(IdentityTest, WhatWasSavedIsLoaded) {
  ASSERT_TRUE(Save().ok());
  const auto loaded = LoadIdentity(dir_, kNow);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->host_id, "h-1");
  EXPECT_EQ(loaded->key_pem, key_);
  EXPECT_EQ(loaded->certificate_pem, certificate_);
  EXPECT_EQ(loaded->ca_pem, "the CA");
  EXPECT_EQ(loaded->not_before, kNow);
  EXPECT_EQ(loaded->not_after, kNow + absl::Hours(3));
  struct stat info {};
  ASSERT_EQ(stat((dir_ + "/host.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(dir_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(IdentityTest, RenewalIsDueInTheLastThird) {
  ASSERT_TRUE(Save().ok());
  const auto loaded = LoadIdentity(dir_, kNow);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_FALSE(loaded->RenewalDue(kNow + absl::Hours(2)));
  EXPECT_TRUE(loaded->RenewalDue(kNow + absl::Hours(2) + absl::Seconds(1)));
}

TEST_F(IdentityTest, NothingIsSavedOfWhatDoesNotBelongTogether) {
  const std::string other = MakeKeyAndRequest()->key_pem;
  const struct {
    const char* name;
    std::string key;
    std::string certificate;
  } cases[] = {
      {"key of another", other, certificate_},
      {"no certificate", key_, "garbage"},
      {"no key", "garbage", certificate_},
      {"no name", key_, CertificateFor(key_, "")},
      {"name of something else", key_, CertificateFor(key_, "https://h-1/")},
      {"empty id", key_, CertificateFor(key_, "plimsoll://host/")},
  };
  for (const auto& c : cases) {
    const absl::Status status = SaveIdentity(dir_, c.key, c.certificate, "ca");
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << c.name << status;
    EXPECT_TRUE(absl::IsNotFound(LoadIdentity(dir_, kNow).status())) << c.name;
  }
}

TEST_F(IdentityTest, DamageIsToldFromNotEnrolled) {
  EXPECT_TRUE(absl::IsNotFound(LoadIdentity(dir_, kNow).status()));
  const struct {
    const char* name;
    std::function<void()> damage;
    absl::Duration later;
    const char* words;
  } cases[] = {
      {"key gone", [&] { unlink((dir_ + "/host.key").c_str()); }, {}, "host.key"},
      {"CA gone", [&] { unlink((dir_ + "/ca.pem").c_str()); }, {}, "ca.pem"},
      {"key for all", [&] { chmod((dir_ + "/host.key").c_str(), 0644); }, {}, "chmod 600"},
      {"certificate damaged",
       [&] { std::ofstream(dir_ + "/host.pem") << "garbage"; },
       {},
       "--enroll-again"},
      {"expired", [] {}, absl::Hours(3), "expired"},
  };
  for (const auto& c : cases) {
    ASSERT_TRUE(Save().ok());
    c.damage();
    const absl::Status status = LoadIdentity(dir_, kNow + c.later).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << c.name << status;
    EXPECT_TRUE(absl::StrContains(status.message(), c.words)) << status;
  }
  ASSERT_TRUE(Save().ok());
  unlink((dir_ + "/host.pem").c_str());
  EXPECT_TRUE(absl::IsNotFound(LoadIdentity(dir_, kNow).status()));
}

TEST_F(IdentityTest, TheKeyToEnrollIsKeptForItsOwnerOnlyUntilItIsTheHosts) {
  const auto first = KeyToEnroll(dir_);
  ASSERT_TRUE(first.ok()) << first.status();
  struct stat info {};
  ASSERT_EQ(stat((dir_ + "/enroll.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const auto again = KeyToEnroll(dir_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->key_pem, first->key_pem);
  EXPECT_EQ(*KeyFingerprint(again->key_pem), *KeyFingerprint(first->key_pem));
  EXPECT_EQ(KeyFingerprint(first->key_pem)->size(), 64u);

  // Where the token cannot be noted, the key stays.
  ASSERT_EQ(mkdir((dir_ + "/token.sha256").c_str(), 0700), 0);
  EXPECT_FALSE(NoteEnrolled(dir_, "plt_one").ok());
  EXPECT_EQ(KeyToEnroll(dir_)->key_pem, first->key_pem);
  ASSERT_EQ(rmdir((dir_ + "/token.sha256").c_str()), 0);

  EXPECT_FALSE(EnrolledWith(dir_, "plt_one"));
  ASSERT_TRUE(NoteEnrolled(dir_, "plt_one").ok());
  EXPECT_TRUE(EnrolledWith(dir_, "plt_one"));
  EXPECT_FALSE(EnrolledWith(dir_, "plt_two"));
  EXPECT_NE(KeyToEnroll(dir_)->key_pem, first->key_pem);

  chmod((dir_ + "/enroll.key").c_str(), 0640);
  EXPECT_TRUE(absl::IsFailedPrecondition(KeyToEnroll(dir_).status()));
  std::ofstream(dir_ + "/enroll.key", std::ios::trunc) << "garbage";
  chmod((dir_ + "/enroll.key").c_str(), 0600);
  const absl::Status damaged = KeyToEnroll(dir_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(damaged)) << damaged;
  EXPECT_TRUE(absl::StrContains(damaged.message(), "enroll.key is damaged")) << damaged;
}

}  // namespace
}  // namespace plimsoll::uplink
