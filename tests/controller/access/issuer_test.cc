// Authorities that are brought: chains, and what is wrong with some.
#include "controller/access/issuer.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/access/certificates.h"
#include "proto/support/key_files.h"
#include "tests/controller/access/signing_requests.h"

namespace plimsoll::access {
namespace {

using support::CertificatePtr;
using support::KeyPtr;

constexpr char kHost[] = "h-abcdefghijklmnopqrstuvwxyz";
const absl::Time kNow = absl::FromUnixSeconds(1800000000);

// An authority of a company, as its administrators would make it.
struct Link {
  KeyPtr key;
  CertificatePtr certificate;
  std::string Pem() const { return *CertificatePem(certificate.get()); }
  std::string Key() const { return *KeyPem(key.get()); }
};

struct Wish {
  std::string constraints = "critical,CA:TRUE";
  std::string usage = "critical,keyCertSign,cRLSign";
  std::string names = {};
  std::string extended = {};
  absl::Duration begins = -absl::Hours(1);
  absl::Duration ends = absl::Hours(1000);
};

// `above` null: a root.
Link Make(const std::string& name, const Link* above, const Wish& wish = {},
          KeyPtr key = NewEcKey()) {
  CertificateTemplate what{.common_name = name,
                           .not_before = kNow + wish.begins,
                           .not_after = kNow + wish.ends,
                           .extensions = {{NID_basic_constraints, wish.constraints},
                                          {NID_key_usage, wish.usage},
                                          {NID_subject_key_identifier, "hash"}}};
  if (above != nullptr) what.extensions.push_back({NID_authority_key_identifier, "keyid"});
  if (!wish.names.empty()) what.extensions.push_back({NID_name_constraints, wish.names});
  if (!wish.extended.empty()) what.extensions.push_back({NID_ext_key_usage, wish.extended});
  auto made = above == nullptr ? Sign(what, key.get(), nullptr, key.get())
                               : Sign(what, key.get(), above->certificate.get(), above->key.get());
  if (!made.ok()) std::abort();
  return {std::move(key), std::move(made->certificate)};
}

// `key` under a password.
std::string Locked(EVP_PKEY* key) {
  const support::BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, EVP_aes_256_cbc(), "hush", 4, nullptr, nullptr);
  return support::BioText(bio.get());
}

absl::StatusOr<std::unique_ptr<Issuer>> Parse(const std::string& chain, const std::string& key) {
  return Issuer::Parse(chain, key, {"ca.pem", "ca.key"}, kNow);
}

TEST(IssuerTest, IssuesUnderACompanysRoot) {
  const Link root = Make("root", nullptr);
  const Link middle = Make("middle", &root, {.constraints = "critical,CA:TRUE,pathlen:1"});
  const Link own = Make("own", &middle, {.constraints = "critical,CA:TRUE,pathlen:0"});
  // Comments and an order of PEM blocks with the key among them are common.
  const std::string chain =
      absl::StrCat("our authority\n", own.Pem(), "\n# above\n", middle.Pem(), root.Pem());
  const auto issuer = Parse(chain, own.Key());
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  EXPECT_EQ((*issuer)->BundlePem(), root.Pem());
  const auto host = (*issuer)->SignHost(GoodRequest(), kHost, kNow, absl::Hours(5));
  ASSERT_TRUE(host.ok()) << host.status();
  const auto sent = ReadCertificates(host->pem);
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(host->bundle_pem, root.Pem());
  EXPECT_EQ(host->trust.issuer, (*issuer)->fingerprint());
  const auto server = (*issuer)->IssueServer({"plimsoll.example"}, kNow, absl::Hours(5));
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(ReadCertificates(server->certificate_pem).size(), 3u);

  // It lasts no longer than those above it.
  const auto longer = (*issuer)->SignHost(GoodRequest(), kHost, kNow, absl::Hours(5000));
  EXPECT_EQ(longer->not_after, kNow + absl::Hours(1000));

  // As the database keeps it: all in one text.
  const auto again = Parse((*issuer)->Secret(), (*issuer)->Secret());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->fingerprint(), (*issuer)->fingerprint());
}

TEST(IssuerTest, OpensslAgrees) {
  char dir[] = "/tmp/plimsoll-issuer-XXXXXX";
  ASSERT_NE(mkdtemp(dir), nullptr);
  const std::string at = dir;
  const Link root = Make("root", nullptr);
  const Link own =
      Make("own", &root, {.constraints = "critical,CA:TRUE,pathlen:0"}, KeyPtr(EVP_RSA_gen(2048)));
  const auto issuer = Parse(own.Pem() + root.Pem(), own.Key());
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  const auto host = (*issuer)->SignHost(GoodRequest(), kHost, kNow, absl::Hours(5));
  ASSERT_TRUE(support::WritePrivateFile(at + "/root.pem", root.Pem()).ok());
  ASSERT_TRUE(support::WritePrivateFile(at + "/host.pem", host->pem).ok());
  ASSERT_TRUE(support::WritePrivateFile(at + "/own.pem", own.Pem()).ok());
  const std::string verify = absl::StrCat("openssl verify -x509_strict -purpose sslclient -attime ",
                                          absl::ToUnixSeconds(kNow), " -CAfile ", at, "/root.pem ");
  EXPECT_EQ(std::system(absl::StrCat(verify, "-untrusted ", at, "/own.pem ", at,
                                     "/host.pem >/dev/null 2>&1")
                            .c_str()),
            0);
  EXPECT_NE(std::system(absl::StrCat(verify, at, "/host.pem >/dev/null 2>&1").c_str()), 0);
  std::filesystem::remove_all(at);
}

TEST(IssuerTest, RefusesWhatCannotWorkAndSaysWhy) {
  const Link root = Make("root", nullptr);
  const Link tight = Make("tight", nullptr, {.constraints = "critical,CA:TRUE,pathlen:0"});
  const Link good = Make("own", &root);
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += root.Pem();
  const struct {
    const char* name;
    std::string chain;
    std::string key;
    const char* words;
  } cases[] = {
      {"nothing", "", good.Key(), "ca.pem is no certificate"},
      {"no key", good.Pem() + root.Pem(), "", "ca.key is no private key"},
      {"a key with a password", good.Pem() + root.Pem(), Locked(good.key.get()), "has a password"},
      {"another's key", good.Pem() + root.Pem(), root.Key(), "ca.key does not belong to ca.pem"},
      {"no root", good.Pem(), good.Key(), "does not lead to a root"},
      {"the root of another", good.Pem() + tight.Pem(), good.Key(), "does not lead to a root"},
      {"the wrong order", root.Pem() + good.Pem(), root.Key(), "does not lead to a root"},
      {"too many", nine, root.Key(), "more than 8"},
  };
  for (const auto& c : cases) {
    const auto issuer = Parse(c.chain, c.key);
    EXPECT_TRUE(absl::IsInvalidArgument(issuer.status())) << c.name << ": " << issuer.status();
    EXPECT_TRUE(absl::StrContains(issuer.status().message(), c.words)) << issuer.status();
  }
}

TEST(IssuerTest, RefusesAuthoritiesThatMayNotIssueForHosts) {
  const Link root = Make("root", nullptr);
  const Link tight = Make("tight", nullptr, {.constraints = "critical,CA:TRUE,pathlen:0"});
  const Link old_root = Make("old", nullptr, {.ends = -absl::Minutes(1)});
  struct Case {
    const char* words;
    const Link* above;
    Wish wish;
    KeyPtr key;
  };
  std::vector<Case> cases;
  cases.push_back({"is not a CA certificate", &root, {.constraints = "CA:FALSE"}, NewEcKey()});
  cases.push_back({"is not a CA certificate", &root, {.usage = "critical,cRLSign"}, NewEcKey()});
  cases.push_back({"allows 0 authorities below it (pathlen) and has 1", &tight, {}, NewEcKey()});
  cases.push_back({"has expired", &root, {.ends = -absl::Minutes(1)}, NewEcKey()});
  cases.push_back({"(number 2) that has expired", &old_root, {}, NewEcKey()});
  cases.push_back({"is not valid yet", &root, {.begins = absl::Hours(1)}, NewEcKey()});
  cases.push_back({"RSA of 2048 bits", &root, {}, KeyPtr(EVP_RSA_gen(1024))});
  cases.push_back({"EC of 256 bits", &root, {}, KeyPtr(EVP_EC_gen("P-224"))});
  cases.push_back({"may not issue certificates of hosts",
                   &root,
                   {.names = "critical,permitted;URI:example.com"},
                   NewEcKey()});
  for (Case& c : cases) {
    const Link own = Make("own", c.above, c.wish, std::move(c.key));
    const auto issuer = Parse(own.Pem() + c.above->Pem(), own.Key());
    EXPECT_TRUE(absl::IsInvalidArgument(issuer.status())) << c.words << ": " << issuer.status();
    EXPECT_TRUE(absl::StrContains(issuer.status().message(), c.words)) << issuer.status();
  }
}

TEST(IssuerTest, SaysWhichNamesItMayNotCertify) {
  const Link root = Make("root", nullptr);
  const Link own = Make("own", &root, {.names = "critical,permitted;DNS:example.com"});
  const auto issuer = Parse(own.Pem() + root.Pem(), own.Key());
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  EXPECT_TRUE((*issuer)->IssueServer({"plimsoll.example.com"}, kNow, absl::Hours(1)).ok());
  const auto other = (*issuer)->IssueServer({"plimsoll.example.org"}, kNow, absl::Hours(1));
  EXPECT_TRUE(absl::IsInvalidArgument(other.status())) << other.status();
  EXPECT_TRUE(absl::StrContains(other.status().message(), "--name")) << other.status();
}

TEST(IssuerTest, SaysWhenItMayCertifyNoServer) {
  const Link root = Make("root", nullptr);
  const Link own = Make("own", &root, {.extended = "clientAuth"});
  const auto issuer = Parse(own.Pem() + root.Pem(), own.Key());
  ASSERT_TRUE(issuer.ok()) << issuer.status();
  EXPECT_TRUE(absl::IsInvalidArgument(
      (*issuer)->IssueServer({"plimsoll.example"}, kNow, absl::Hours(1)).status()));
}

TEST(IssuerTest, IsSavedForItsOwnerOnly) {
  char dir[] = "/tmp/plimsoll-issuer-XXXXXX";
  ASSERT_NE(mkdtemp(dir), nullptr);
  const auto made = Issuer::Create(kNow);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Issuer::FingerprintOnDisk(dir), "");
  ASSERT_TRUE((*made)->Save(dir).ok());
  struct stat info {};
  ASSERT_EQ(stat(absl::StrCat(dir, "/ca.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(Issuer::FingerprintOnDisk(dir), (*made)->fingerprint());
  const auto loaded = Issuer::LoadOrCreate(dir, kNow);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->fingerprint(), (*made)->fingerprint());
  // A key with a password alone: the terminal is not asked for it.
  std::filesystem::remove(absl::StrCat(dir, "/ca.pem"));
  ASSERT_TRUE(
      support::WritePrivateFile(absl::StrCat(dir, "/ca.key"), Locked(NewEcKey().get())).ok());
  const absl::Status locked = Issuer::LoadOrCreate(dir, kNow).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(locked)) << locked;
  EXPECT_TRUE(absl::StrContains(locked.message(), "has a password")) << locked;
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace plimsoll::access
