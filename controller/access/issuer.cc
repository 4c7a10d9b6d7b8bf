#include "controller/access/issuer.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/access/certificates.h"
#include "proto/support/digest.h"
#include "proto/support/key_files.h"

namespace plimsoll::access {
namespace {

using support::CertificatePtr;
using support::KeyPtr;
using support::OpensslError;

constexpr size_t kLongestChain = 8;
constexpr absl::Duration kRootLifetime = absl::Hours(24 * 3650);
// Clocks of hosts may be a little behind.
constexpr absl::Duration kBackdate = absl::Minutes(10);

absl::Status Wrong(const std::string& name, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(name, " ", why));
}

// Authorities sign with SHA-256.
bool IsStrong(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      return EVP_PKEY_get_bits(key) >= 256;
    case EVP_PKEY_RSA:
      return EVP_PKEY_get_bits(key) >= 2048;
    default:
      return false;
  }
}

// What is wrong with one certificate of a chain; empty: nothing. `below`: authorities below it.
std::string WhyNoAuthority(X509* certificate, size_t below, absl::Time now) {
  if (X509_check_ca(certificate) != 1 ||
      (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) == 0) {
    return "is not a CA certificate; it needs CA:TRUE and keyCertSign";
  }
  if (!IsStrong(X509_get0_pubkey(certificate))) {
    return "has a key that is neither EC of 256 bits or more nor RSA of 2048 bits or more";
  }
  const time_t at = absl::ToTimeT(now);
  if (X509_cmp_time(X509_get0_notAfter(certificate), const_cast<time_t*>(&at)) < 0) {
    return "has expired";
  }
  if (X509_cmp_time(X509_get0_notBefore(certificate), const_cast<time_t*>(&at)) > 0) {
    return "is not valid yet; is the clock right?";
  }
  const long most = X509_get_pathlen(certificate);
  if (most >= 0 && static_cast<size_t>(most) < below) {
    return absl::StrCat("allows ", most, " authorities below it (pathlen) and has ", below);
  }
  return "";
}

absl::Status CheckChain(const std::vector<CertificatePtr>& chain, const std::string& name,
                        absl::Time now) {
  for (size_t i = 0; i < chain.size(); ++i) {
    X509* const each = chain[i].get();
    const std::string why = WhyNoAuthority(each, i, now);
    if (!why.empty()) {
      return Wrong(
          name, i == 0 ? why : absl::StrCat("holds a certificate (number ", i + 1, ") that ", why));
    }
    X509* const issuer = chain[std::min(i + 1, chain.size() - 1)].get();
    if (X509_check_issued(issuer, each) != X509_V_OK ||
        X509_verify(each, X509_get0_pubkey(issuer)) != 1) {
      ERR_clear_error();
      return Wrong(name,
                   "does not lead to a root: it must hold the authority's certificate, then "
                   "that of its issuer, and so on to the self-signed one");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> AlternativeNames(const std::vector<std::string>& names) {
  std::vector<std::string> alternatives;
  for (const std::string& name : names) {
    unsigned char address[16];
    const bool is_ip = inet_pton(AF_INET, name.c_str(), address) == 1 ||
                       inet_pton(AF_INET6, name.c_str(), address) == 1;
    const bool is_name = !name.empty() && name.size() <= 253 &&
                         name.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789-._*") == std::string::npos;
    if (!is_ip && !is_name) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", name, "\" is neither a DNS name nor an IP address"));
    }
    alternatives.push_back(absl::StrCat(is_ip ? "IP:" : "DNS:", name));
  }
  return absl::StrJoin(alternatives, ",");
}

std::string ChainFile(const std::string& dir) { return absl::StrCat(dir, "/ca.pem"); }
std::string KeyFile(const std::string& dir) { return absl::StrCat(dir, "/ca.key"); }

absl::Status Unusable(absl::string_view what_and_why) {
  return absl::FailedPreconditionError(
      absl::StrCat(what_and_why,
                   "; restore ca.pem and ca.key from a backup, or move both away to start a new "
                   "authority (every collector then has to enrol again)"));
}

// A root of its own for `key`.
absl::StatusOr<std::string> SelfSigned(EVP_PKEY* key, absl::Time now) {
  const CertificateTemplate what{
      .common_name = "Plimsoll collector CA",
      .not_before = now - kBackdate,
      .not_after = now + kRootLifetime,
      .extensions = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                     {NID_key_usage, "critical,keyCertSign,cRLSign"},
                     {NID_subject_key_identifier, "hash"}}};
  auto made = Sign(what, key, nullptr, key);
  if (!made.ok()) return made.status();
  return CertificatePem(made->certificate.get());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Issuer>> Issuer::Parse(const std::string& chain_pem,
                                                      const std::string& key_pem,
                                                      const Names& names, absl::Time now) {
  std::unique_ptr<Issuer> issuer(new Issuer());
  issuer->chain_ = ReadCertificates(chain_pem);
  if (issuer->chain_.empty())
    return Wrong(names.chain, absl::StrCat("is no certificate (", OpensslError(), ")"));
  if (issuer->chain_.size() > kLongestChain)
    return Wrong(names.chain, "holds more than 8 certificates");
  issuer->key_ = support::ReadPrivateKey(key_pem);
  if (!issuer->key_) {
    return Wrong(names.key,
                 absl::StrCat("is no private key, or has a password (", OpensslError(), ")"));
  }
  if (X509_check_private_key(issuer->chain_.front().get(), issuer->key_.get()) != 1) {
    ERR_clear_error();
    return Wrong(names.key, absl::StrCat("does not belong to ", names.chain));
  }
  if (auto status = CheckChain(issuer->chain_, names.chain, now); !status.ok()) return status;
  if (auto status = issuer->Describe(); !status.ok()) return status;
  // What is not foreseen above (constraints of names or of usage) shows here, and not at a host.
  const KeyPtr key = NewKey();
  auto trial =
      issuer->Issue("trial", key.get(), "clientAuth",
                    absl::StrCat("URI:", kHostUriPrefix, NewHostId()), now, absl::Hours(1));
  if (!trial.ok()) return trial.status();
  const auto certificates = ReadCertificates(trial->pem);
  const std::string why =
      WhyNotTrusted(certificates.front().get(), issuer->chain_, X509_PURPOSE_SSL_CLIENT, now);
  if (!why.empty()) {
    return Wrong(names.chain, absl::StrCat("may not issue certificates of hosts (", why,
                                           "); use an authority without such constraints"));
  }
  return issuer;
}

absl::Status Issuer::Describe() {
  for (const CertificatePtr& each : chain_) {
    auto pem = CertificatePem(each.get());
    if (!pem.ok()) return pem.status();
    chain_pem_ += *pem;
    if (&each != &chain_.back()) between_pem_ += *pem;
    root_pem_ = *std::move(pem);
    end_ = std::min(end_, EndOf(each.get()));
  }
  auto key = KeyPem(key_.get());
  if (!key.ok()) return key.status();
  key_pem_ = *std::move(key);
  fingerprint_ = support::Sha256Hex(root_pem_);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Issuer>> Issuer::Create(absl::Time now) {
  const KeyPtr key = NewKey();
  if (!key) return OpensslFailure("make CA key");
  auto key_pem = KeyPem(key.get());
  if (!key_pem.ok()) return key_pem.status();
  auto pem = SelfSigned(key.get(), now);
  if (!pem.ok()) return pem.status();
  return Parse(*pem, *key_pem, {"the new root", "its key"}, now);
}

absl::StatusOr<std::unique_ptr<Issuer>> Issuer::LoadOrCreate(const std::string& dir,
                                                             absl::Time now) {
  if (auto status = support::MakePrivateDirectory(dir); !status.ok()) return status;
  auto chain = support::ReadKeyFile(ChainFile(dir), false);
  auto key = support::ReadKeyFile(KeyFile(dir), true);
  if (absl::IsNotFound(chain.status()) && absl::IsNotFound(key.status())) {
    auto made = Create(now);
    if (!made.ok()) return made.status();
    if (auto status = (*made)->Save(dir); !status.ok()) return status;
    return made;
  }
  if (absl::IsNotFound(key.status())) {
    return Unusable(absl::StrCat(KeyFile(dir), " is missing"));
  }
  if (!key.ok()) return key.status();
  if (absl::IsNotFound(chain.status())) {
    // A key that is there without its certificate is kept: hosts that trust it go on doing so.
    const KeyPtr kept = support::ReadPrivateKey(*key);
    if (!kept) {
      return Unusable(absl::StrCat(KeyFile(dir), " is no private key, or has a password (",
                                   OpensslError(), ")"));
    }
    chain = SelfSigned(kept.get(), now);
    if (!chain.ok()) return chain.status();
    if (auto status = support::WritePrivateFile(ChainFile(dir), *chain, 0644); !status.ok())
      return status;
  }
  if (!chain.ok()) return chain.status();
  auto issuer = Parse(*chain, *key, {ChainFile(dir), KeyFile(dir)}, now);
  if (absl::IsInvalidArgument(issuer.status())) return Unusable(issuer.status().message());
  return issuer;
}

absl::Status Issuer::RestoreChain(const std::string& dir, const std::string& root_pem,
                                  absl::Time now) {
  if (!absl::IsNotFound(support::ReadKeyFile(ChainFile(dir), false).status())) {
    return absl::OkStatus();
  }
  const auto key = support::ReadKeyFile(KeyFile(dir), true);
  if (absl::IsNotFound(key.status())) return absl::OkStatus();
  if (!key.ok()) return key.status();
  const auto issuer = Parse(root_pem, *key, {"the certificate in the database", KeyFile(dir)}, now);
  if (!issuer.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        ChainFile(dir), " is missing and cannot be made anew: ", issuer.status().message(),
        "; restore it from a backup or from another controller on the database"));
  }
  return support::WritePrivateFile(ChainFile(dir), (*issuer)->chain_pem_, 0644);
}

std::string Issuer::FingerprintOnDisk(const std::string& dir) {
  const auto chain = support::ReadKeyFile(ChainFile(dir), false);
  if (!chain.ok()) return "";
  const auto certificates = ReadCertificates(*chain);
  ERR_clear_error();
  if (certificates.empty()) return "";
  const auto root = CertificatePem(certificates.back().get());
  return root.ok() ? support::Sha256Hex(*root) : "";
}

absl::Status Issuer::Save(const std::string& dir) const {
  // The key first: a certificate without its key could never be repaired.
  if (auto status = support::WritePrivateFile(KeyFile(dir), key_pem_); !status.ok()) return status;
  return support::WritePrivateFile(ChainFile(dir), chain_pem_, 0644);
}

absl::StatusOr<IssuedCertificate> Issuer::Issue(std::string common_name, EVP_PKEY* key,
                                                const char* usage, const std::string& names,
                                                absl::Time now, absl::Duration lifetime) const {
  CertificateTemplate what{.common_name = std::move(common_name),
                           .not_before = now - kBackdate,
                           .not_after = std::min(now + lifetime, end_),
                           .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                                          {NID_key_usage, "critical,digitalSignature"},
                                          {NID_ext_key_usage, usage},
                                          {NID_authority_key_identifier, "keyid"},
                                          {NID_subject_alt_name, names}}};
  auto made = Sign(what, key, chain_.front().get(), key_.get());
  if (!made.ok()) return made.status();
  auto pem = CertificatePem(made->certificate.get());
  if (!pem.ok()) return pem.status();
  return IssuedCertificate{*pem + between_pem_, made->serial, what.not_before,
                           what.not_after,      trust(),      root_pem_};
}

absl::StatusOr<IssuedCertificate> Issuer::SignHostKey(absl::string_view key_der,
                                                      absl::string_view host_id, absl::Time now,
                                                      absl::Duration lifetime) const {
  const KeyPtr key = ReadPublicKey(key_der);
  if (!key) return OpensslFailure("read public key");
  return Issue(std::string(host_id), key.get(), "clientAuth",
               absl::StrCat("URI:", kHostUriPrefix, host_id), now, lifetime);
}

absl::StatusOr<ServerIdentity> Issuer::IssueServer(const std::vector<std::string>& names,
                                                   absl::Time now, absl::Duration lifetime) const {
  auto alternatives = AlternativeNames(names);
  if (!alternatives.ok()) return alternatives.status();
  const KeyPtr key = NewKey();
  if (!key) return OpensslFailure("make key");
  auto made = Issue(names.empty() ? "plimsoll-controller" : names.front().substr(0, 64), key.get(),
                    "serverAuth", *alternatives, now, lifetime);
  if (!made.ok()) return made.status();
  const auto certificates = ReadCertificates(made->pem);
  const std::string why =
      WhyNotTrusted(certificates.front().get(), chain_, X509_PURPOSE_SSL_SERVER, now);
  if (!why.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the certificate authority may not certify this controller's names (", why,
                     "); give --name with names that it may"));
  }
  auto key_pem = KeyPem(key.get());
  if (!key_pem.ok()) return key_pem.status();
  return ServerIdentity{std::move(made->pem), *std::move(key_pem)};
}

}  // namespace plimsoll::access
