#include "controller/access/certificate_authority.h"

#include <gtest/gtest.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/openssl_handles.h"
#include "tests/controller/access/signing_requests.h"

namespace plimsoll::access {
namespace {

using support::CertificatePtr;
using support::KeyPtr;

constexpr char kHost[] = "h-abcdefghijklmnopqrstuvwxyz";

unsigned Mode(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

std::string Content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void Write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::trunc) << content;
}

CertificatePtr Parse(const std::string& pem) {
  return CertificatePtr(PEM_read_bio_X509(support::ReadBio(pem).get(), nullptr, nullptr, nullptr));
}

// "" when `pem` is good for `purpose` at `when` under `ca_pem`; else OpenSSL's reason.
std::string Verify(const std::string& ca_pem, const std::string& pem, int purpose,
                   absl::Time when) {
  const CertificatePtr ca = Parse(ca_pem);
  const CertificatePtr certificate = Parse(pem);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, ca.get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, certificate.get(), nullptr);
  X509_STORE_CTX_set_purpose(context, purpose);
  X509_STORE_CTX_set_time(context, 0, absl::ToTimeT(when));
  X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
  std::string why;
  if (X509_verify_cert(context) != 1) {
    why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  }
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return why;
}

// Subject and extensions as `openssl x509 -text` prints them.
std::string TextOf(const std::string& pem) {
  support::BioPtr bio(BIO_new(BIO_s_mem()));
  X509_print(bio.get(), Parse(pem).get());
  return support::BioText(bio.get());
}

class CertificateAuthorityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/plimsoll-ca-XXXXXX";
    ASSERT_NE(mkdtemp(dir), nullptr);
    root_ = dir;
    dir_ = root_ + "/pki";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  absl::StatusOr<std::unique_ptr<CertificateAuthority>> Load(absl::Duration later = {}) {
    return CertificateAuthority::LoadOrCreate(dir_, now_ + later);
  }
  std::string CaFile() const { return dir_ + "/ca.pem"; }
  std::string KeyFile() const { return dir_ + "/ca.key"; }

  const absl::Time now_ = absl::FromUnixSeconds(1800000000);
  std::string root_;
  std::string dir_;
};

TEST_F(CertificateAuthorityTest, IsMadeForItsOwnerOnlyAndLoadedAgain) {
  auto made = Load();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Mode(dir_), 0700u);
  EXPECT_EQ(Mode(KeyFile()), 0600u);
  const std::string key = Content(KeyFile());
  auto issued = (*made)->SignHost(GoodRequest(), kHost, now_, absl::Hours(1));
  ASSERT_TRUE(issued.ok()) << issued.status();

  auto loaded = Load(absl::Hours(24));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->BundlePem(), (*made)->BundlePem());
  EXPECT_EQ(Content(KeyFile()), key);
  EXPECT_EQ(Verify((*loaded)->BundlePem(), issued->pem, X509_PURPOSE_SSL_CLIENT, now_), "");
}

TEST_F(CertificateAuthorityTest, AKeyThatLostItsCertificateIsKept) {
  auto made = Load();
  ASSERT_TRUE(made.ok()) << made.status();
  auto issued = (*made)->SignHost(GoodRequest(), kHost, now_, absl::Hours(1));
  const std::string key = Content(KeyFile());
  ASSERT_EQ(unlink(CaFile().c_str()), 0);
  auto again = Load();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Content(KeyFile()), key);
  EXPECT_EQ(Verify((*again)->BundlePem(), issued->pem, X509_PURPOSE_SSL_CLIENT, now_), "");
}

TEST_F(CertificateAuthorityTest, RefusesFilesThatCannotBeRightAndSaysWhatToDo) {
  const std::string other_dir = root_ + "/other";
  ASSERT_TRUE(CertificateAuthority::LoadOrCreate(other_dir, now_).ok());
  const std::string other_key = Content(other_dir + "/ca.key");
  const struct {
    const char* name;
    std::function<void()> damage;
    absl::Duration later;
    const char* file;
    const char* words;
  } cases[] = {
      {"key of another", [&] { Write(KeyFile(), other_key); }, {}, "ca.key", "does not belong"},
      {"no key", [&] { unlink(KeyFile().c_str()); }, {}, "ca.key", "is missing"},
      {"garbage for a key", [&] { Write(KeyFile(), "garbage"); }, {}, "ca.key", "no private key"},
      {"garbage for a certificate",
       [&] { Write(CaFile(), "garbage"); },
       {},
       "ca.pem",
       "no certificate"},
      {"expired", [] {}, absl::Hours(24 * 3651), "ca.pem", "has expired"},
      {"key others may read", [&] { chmod(KeyFile().c_str(), 0640); }, {}, "ca.key", "chmod 600"},
      {"key that is a directory",
       [&] {
         unlink(KeyFile().c_str());
         mkdir(KeyFile().c_str(), 0700);
       },
       {},
       "ca.key",
       "not a regular file"},
  };
  for (const auto& c : cases) {
    std::filesystem::remove_all(dir_);
    ASSERT_TRUE(Load().ok()) << c.name;
    c.damage();
    const auto loaded = Load(c.later);
    EXPECT_TRUE(absl::IsFailedPrecondition(loaded.status())) << c.name << loaded.status();
    EXPECT_TRUE(absl::StrContains(loaded.status().message(), dir_ + "/" + c.file))
        << loaded.status();
    EXPECT_TRUE(absl::StrContains(loaded.status().message(), c.words)) << loaded.status();
  }
}

TEST_F(CertificateAuthorityTest, ARefusalTellsHowToGoOn) {
  ASSERT_TRUE(Load().ok());
  unlink(KeyFile().c_str());
  EXPECT_TRUE(absl::StrContains(Load().status().message(), "restore ca.pem and ca.key"));
  EXPECT_FALSE(std::filesystem::exists(KeyFile())) << "a lost key must not be replaced in silence";
}

TEST_F(CertificateAuthorityTest, AHostCertificateSaysItsHostAndNothingOfTheRequest) {
  auto authority = Load();
  ASSERT_TRUE(authority.ok()) << authority.status();
  const KeyPtr key = NewEcKey();
  auto issued =
      (*authority)->SignHost(RequestFor(key.get(), key.get()), kHost, now_, absl::Hours(24));
  ASSERT_TRUE(issued.ok()) << issued.status();
  const std::string text = TextOf(issued->pem);
  EXPECT_TRUE(absl::StrContains(text, absl::StrCat("URI:plimsoll://host/", kHost, "\n"))) << text;
  EXPECT_TRUE(absl::StrContains(text, absl::StrCat("Subject: CN=", kHost, "\n"))) << text;
  EXPECT_TRUE(absl::StrContains(text, "CA:FALSE")) << text;
  EXPECT_TRUE(absl::StrContains(text, "TLS Web Client Authentication\n")) << text;
  EXPECT_FALSE(absl::StrContains(text, "evil")) << text;
  const CertificatePtr certificate = Parse(issued->pem);
  EXPECT_EQ(EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), key.get()), 1);

  EXPECT_EQ(issued->serial.size(), 32u);
  EXPECT_EQ(issued->serial.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_LE(issued->not_before, now_);
  EXPECT_EQ(issued->not_after, now_ + absl::Hours(24));
  auto second = (*authority)->SignHost(GoodRequest(), kHost, now_, absl::Hours(24));
  EXPECT_NE(second->serial, issued->serial);
}

TEST_F(CertificateAuthorityTest, WhatItIssuesVerifiesForItsPurposeAndTimeOnly) {
  auto authority = Load();
  ASSERT_TRUE(authority.ok()) << authority.status();
  const std::string& ca = (*authority)->BundlePem();
  auto host = (*authority)->SignHost(GoodRequest(), kHost, now_, absl::Hours(24));
  ASSERT_TRUE(host.ok()) << host.status();
  auto server =
      (*authority)->IssueServer({"plimsoll.example", "127.0.0.1", "::1"}, now_, absl::Hours(24));
  ASSERT_TRUE(server.ok()) << server.status();
  auto other = CertificateAuthority::LoadOrCreate(root_ + "/other", now_);
  ASSERT_TRUE(other.ok()) << other.status();

  EXPECT_EQ(Verify(ca, host->pem, X509_PURPOSE_SSL_CLIENT, now_), "");
  EXPECT_EQ(Verify(ca, server->certificate_pem, X509_PURPOSE_SSL_SERVER, now_), "");
  EXPECT_NE(Verify(ca, host->pem, X509_PURPOSE_SSL_SERVER, now_), "");
  EXPECT_NE(Verify(ca, server->certificate_pem, X509_PURPOSE_SSL_CLIENT, now_), "");
  EXPECT_NE(Verify(ca, host->pem, X509_PURPOSE_SSL_CLIENT, now_ + absl::Hours(25)), "");
  EXPECT_NE(Verify((*other)->BundlePem(), host->pem, X509_PURPOSE_SSL_CLIENT, now_), "");
  EXPECT_EQ(
      X509_check_host(Parse(server->certificate_pem).get(), "plimsoll.example", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(Parse(server->certificate_pem).get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_host(Parse(server->certificate_pem).get(), "other.example", 0, 0, nullptr),
            0);
}

TEST_F(CertificateAuthorityTest, TheToolVerifiesTheChainToo) {
  auto authority = Load();
  ASSERT_TRUE(authority.ok()) << authority.status();
  auto host = (*authority)->SignHost(GoodRequest(), kHost, now_, absl::Hours(24));
  ASSERT_TRUE(host.ok()) << host.status();
  Write(root_ + "/host.pem", host->pem);
  const auto run = [&](absl::Duration later) {
    return std::system(absl::StrCat("openssl verify -x509_strict -purpose sslclient -attime ",
                                    absl::ToUnixSeconds(now_ + later), " -CAfile ", CaFile(), " ",
                                    root_, "/host.pem >/dev/null 2>&1")
                           .c_str());
  };
  EXPECT_EQ(run(absl::ZeroDuration()), 0);
  EXPECT_NE(run(absl::Hours(25)), 0);
}

TEST_F(CertificateAuthorityTest, RefusesRequestsThatAreNotGood) {
  auto authority = Load();
  ASSERT_TRUE(authority.ok()) << authority.status();
  const KeyPtr key = NewEcKey();
  const KeyPtr other = NewEcKey();
  const KeyPtr weak(EVP_RSA_gen(1024));
  const KeyPtr small(EVP_EC_gen("secp160r1"));
  const std::string good = RequestFor(key.get(), key.get());
  std::string flipped = good;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  const struct {
    const char* name;
    std::string der;
    const char* words;
  } cases[] = {
      {"empty", "", "not a certificate signing request"},
      {"garbage", "garbage", "not a certificate signing request"},
      {"cut off", good.substr(0, good.size() / 2), "not a certificate signing request"},
      {"too large", good + std::string(8 << 10, '\0'), "larger than 8 KiB"},
      {"signed by another key", RequestFor(key.get(), other.get()), "not signed by its own key"},
      {"damaged signature", flipped, "not signed by its own key"},
      {"RSA of 1024 bits", RequestFor(weak.get(), weak.get()), "too weak"},
      {"curve of 160 bits", RequestFor(small.get(), small.get()), "too weak"},
  };
  for (const auto& c : cases) {
    const auto issued = (*authority)->SignHost(c.der, kHost, now_, absl::Hours(1));
    EXPECT_TRUE(absl::IsInvalidArgument(issued.status())) << c.name << ": " << issued.status();
    EXPECT_TRUE(absl::StrContains(issued.status().message(), c.words)) << issued.status();
  }
  EXPECT_TRUE((*authority)->SignHost(good, kHost, now_, absl::Hours(1)).ok());
}

TEST_F(CertificateAuthorityTest, AServerNameCannotCarryOtherExtensions) {
  auto authority = Load();
  ASSERT_TRUE(authority.ok()) << authority.status();
  for (const char* name : {"", "a,URI:plimsoll://host/x", "a b", "a\nb", "DNS:a"}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument((*authority)->IssueServer({name}, now_, absl::Hours(1)).status()))
        << name;
  }
}

TEST(HostIdTest, NewIdsParseAndDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const std::string id = NewHostId();
    EXPECT_EQ(id.size(), 28u);
    const auto parsed = HostIdFromUri("plimsoll://host/" + id);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, id);
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 100u);
}

TEST(HostIdTest, OtherUrisNameNoHost) {
  const std::string id = kHost;
  for (const std::string& uri : std::vector<std::string>{
           "", id, "https://host/" + id, "plimsoll://user/" + id, "plimsoll://host/",
           "plimsoll://host/" + id + "a", "plimsoll://host/" + id.substr(0, 27),
           "plimsoll://host/H-" + id.substr(2), "plimsoll://host/h-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
           "plimsoll://host/h-abcdefghijklmnopqrstuvwxy1", " plimsoll://host/" + id,
           "plimsoll://host/h-abcdefghijklm/../opqrstuvw"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(HostIdFromUri(uri).status())) << uri;
  }
}

}  // namespace
}  // namespace plimsoll::access
