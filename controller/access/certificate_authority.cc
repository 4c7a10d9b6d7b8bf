#include "controller/access/certificate_authority.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/support/key_files.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::access {
namespace {

using support::BignumPtr;
using support::BioPtr;
using support::BioText;
using support::CertificatePtr;
using support::KeyPtr;
using support::OpensslError;
using support::ReadBio;
using support::RequestPtr;

constexpr char kUriPrefix[] = "plimsoll://host/";
constexpr int kMaxCsrBytes = 8 << 10;
constexpr absl::Duration kCaLifetime = absl::Hours(24 * 3650);
// Clocks of hosts may be a little behind.
constexpr absl::Duration kBackdate = absl::Minutes(10);

absl::Status OpensslFailure(absl::string_view what) {
  return absl::InternalError(absl::StrCat(what, ": ", OpensslError()));
}

KeyPtr NewKey() { return KeyPtr(EVP_EC_gen("P-256")); }

absl::StatusOr<std::string> KeyPem(EVP_PKEY* key) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr)) {
    return OpensslFailure("write key");
  }
  return BioText(bio.get());
}

absl::StatusOr<std::string> CertificatePem(X509* certificate) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!PEM_write_bio_X509(bio.get(), certificate)) return OpensslFailure("write certificate");
  return BioText(bio.get());
}

struct Extension {
  int nid;
  std::string value;
};

// What one certificate shall say.
struct Template {
  std::string common_name;
  absl::Time not_before;
  absl::Time not_after;
  std::vector<Extension> extensions;
};

bool AddExtension(X509* certificate, X509* issuer, const Extension& extension) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* built =
      X509V3_EXT_conf_nid(nullptr, &context, extension.nid, extension.value.c_str());
  if (built == nullptr) return false;
  const bool added = X509_add_ext(certificate, built, -1) == 1;
  X509_EXTENSION_free(built);
  return added;
}

// Signs `key` into a certificate. `issuer` null: self-signed.
absl::StatusOr<std::pair<CertificatePtr, std::string>> Sign(const Template& what, EVP_PKEY* key,
                                                            X509* issuer, EVP_PKEY* issuer_key) {
  CertificatePtr certificate(X509_new());
  X509* const x = certificate.get();
  unsigned char random[16];
  if (RAND_bytes(random, sizeof random) != 1) return OpensslFailure("random serial");
  random[0] &= 0x7f;
  random[0] |= 0x40;
  BignumPtr serial(BN_bin2bn(random, sizeof random, nullptr));
  X509_NAME* const subject = X509_get_subject_name(x);
  X509_set_version(x, X509_VERSION_3);
  if (BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(x)) == nullptr ||
      ASN1_TIME_set(X509_getm_notBefore(x), absl::ToTimeT(what.not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(x), absl::ToTimeT(what.not_after)) == nullptr ||
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(what.common_name.c_str()),
                                 -1, -1, 0) != 1 ||
      X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject) != 1 ||
      X509_set_pubkey(x, key) != 1) {
    return OpensslFailure("build certificate");
  }
  for (const Extension& extension : what.extensions) {
    if (!AddExtension(x, issuer ? issuer : x, extension)) {
      return OpensslFailure(absl::StrCat("extension ", extension.value));
    }
  }
  if (X509_sign(x, issuer_key, EVP_sha256()) == 0) return OpensslFailure("sign certificate");
  char* hex = BN_bn2hex(serial.get());
  std::string serial_text = absl::AsciiStrToLower(hex);
  OPENSSL_free(hex);
  return std::make_pair(std::move(certificate), std::move(serial_text));
}

class RealAuthority : public CertificateAuthority {
 public:
  RealAuthority(CertificatePtr certificate, KeyPtr key, std::string pem)
      : certificate_(std::move(certificate)), key_(std::move(key)), pem_(std::move(pem)) {}

  const std::string& BundlePem() const override { return pem_; }

  absl::StatusOr<IssuedCertificate> SignHost(absl::string_view csr_der, absl::string_view host_id,
                                             absl::Time now,
                                             absl::Duration lifetime) const override {
    if (csr_der.size() > kMaxCsrBytes) {
      return absl::InvalidArgumentError("certificate signing request is larger than 8 KiB");
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(csr_der.data());
    RequestPtr request(d2i_X509_REQ(nullptr, &bytes, static_cast<long>(csr_der.size())));
    if (!request) {
      return absl::InvalidArgumentError(
          absl::StrCat("not a certificate signing request: ", OpensslError()));
    }
    EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
    if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
      ERR_clear_error();
      return absl::InvalidArgumentError("the request is not signed by its own key");
    }
    if (EVP_PKEY_get_security_bits(key) < 112) {
      return absl::InvalidArgumentError("the key is too weak; use ECDSA P-256");
    }
    Template what{
        .common_name = std::string(host_id),
        .not_before = now - kBackdate,
        .not_after = now + lifetime,
        .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                       {NID_key_usage, "critical,digitalSignature"},
                       {NID_ext_key_usage, "clientAuth"},
                       {NID_authority_key_identifier, "keyid"},
                       {NID_subject_alt_name, absl::StrCat("URI:", kUriPrefix, host_id)}}};
    auto made = Sign(what, key, certificate_.get(), key_.get());
    if (!made.ok()) return made.status();
    auto pem = CertificatePem(made->first.get());
    if (!pem.ok()) return pem.status();
    return IssuedCertificate{*std::move(pem), made->second, what.not_before, what.not_after};
  }

  absl::StatusOr<ServerIdentity> IssueServer(const std::vector<std::string>& names, absl::Time now,
                                             absl::Duration lifetime) const override {
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
    KeyPtr key = NewKey();
    if (!key) return OpensslFailure("make key");
    Template what{
        .common_name = names.empty() ? "plimsoll-controller" : names.front().substr(0, 64),
        .not_before = now - kBackdate,
        .not_after = now + lifetime,
        .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                       {NID_key_usage, "critical,digitalSignature"},
                       {NID_ext_key_usage, "serverAuth"},
                       {NID_authority_key_identifier, "keyid"},
                       {NID_subject_alt_name, absl::StrJoin(alternatives, ",")}}};
    auto made = Sign(what, key.get(), certificate_.get(), key_.get());
    if (!made.ok()) return made.status();
    auto pem = CertificatePem(made->first.get());
    if (!pem.ok()) return pem.status();
    auto key_pem = KeyPem(key.get());
    if (!key_pem.ok()) return key_pem.status();
    return ServerIdentity{*std::move(pem), *std::move(key_pem)};
  }

 private:
  const CertificatePtr certificate_;
  const KeyPtr key_;
  const std::string pem_;
};

absl::Status Unusable(const std::string& file, absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat(file, " ", why,
                   "; restore ca.pem and ca.key from a backup, or move both away to start a new "
                   "authority (every collector then has to enrol again)"));
}

// NOT_FOUND: there is no such file.
absl::StatusOr<KeyPtr> LoadKey(const std::string& file) {
  auto pem = support::ReadKeyFile(file, true);
  if (!pem.ok()) return pem.status();
  KeyPtr key(PEM_read_bio_PrivateKey(ReadBio(*pem).get(), nullptr, nullptr, nullptr));
  if (!key) return Unusable(file, absl::StrCat("is no private key (", OpensslError(), ")"));
  return key;
}

absl::StatusOr<KeyPtr> CreateKey(const std::string& file) {
  KeyPtr key = NewKey();
  if (!key) return OpensslFailure("make CA key");
  auto pem = KeyPem(key.get());
  if (!pem.ok()) return pem.status();
  if (auto status = support::WritePrivateFile(file, *pem); !status.ok()) return status;
  return key;
}

// A key that is there without its certificate is kept: hosts that trust it go on doing so.
absl::Status Create(const std::string& certificate_file, const std::string& key_file,
                    absl::Time now) {
  auto loaded = LoadKey(key_file);
  // The key first: a certificate without its key could never be repaired.
  if (absl::IsNotFound(loaded.status())) loaded = CreateKey(key_file);
  if (!loaded.ok()) return loaded.status();
  const KeyPtr key = *std::move(loaded);
  const Template what{.common_name = "Plimsoll collector CA",
                      .not_before = now - kBackdate,
                      .not_after = now + kCaLifetime,
                      .extensions = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                     {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                     {NID_subject_key_identifier, "hash"}}};
  auto made = Sign(what, key.get(), nullptr, key.get());
  if (!made.ok()) return made.status();
  auto pem = CertificatePem(made->first.get());
  if (!pem.ok()) return pem.status();
  return support::WritePrivateFile(certificate_file, *pem, 0644);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CertificateAuthority>> CertificateAuthority::LoadOrCreate(
    const std::string& dir, absl::Time now) {
  if (auto status = support::MakePrivateDirectory(dir); !status.ok()) return status;
  const std::string certificate_file = absl::StrCat(dir, "/ca.pem");
  const std::string key_file = absl::StrCat(dir, "/ca.key");
  auto certificate_pem = support::ReadKeyFile(certificate_file, false);
  if (absl::IsNotFound(certificate_pem.status())) {
    if (auto status = Create(certificate_file, key_file, now); !status.ok()) return status;
    certificate_pem = support::ReadKeyFile(certificate_file, false);
  }
  if (!certificate_pem.ok()) return certificate_pem.status();
  auto loaded = LoadKey(key_file);
  if (absl::IsNotFound(loaded.status())) return Unusable(key_file, "is missing");
  if (!loaded.ok()) return loaded.status();
  KeyPtr key = *std::move(loaded);

  CertificatePtr certificate(
      PEM_read_bio_X509(ReadBio(*certificate_pem).get(), nullptr, nullptr, nullptr));
  if (!certificate)
    return Unusable(certificate_file, absl::StrCat("is no certificate (", OpensslError(), ")"));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return Unusable(key_file, "does not belong to ca.pem");
  }
  if (X509_check_ca(certificate.get()) == 0)
    return Unusable(certificate_file, "is not a CA certificate");
  const time_t at = absl::ToTimeT(now);
  if (X509_cmp_time(X509_get0_notAfter(certificate.get()), const_cast<time_t*>(&at)) < 0) {
    return Unusable(certificate_file, "has expired");
  }
  return std::make_unique<RealAuthority>(std::move(certificate), std::move(key), *certificate_pem);
}

absl::StatusOr<std::string> HostIdFromUri(absl::string_view uri) {
  const bool prefixed = absl::StartsWith(uri, kUriPrefix);
  const absl::string_view id = prefixed ? uri.substr(sizeof kUriPrefix - 1) : absl::string_view();
  const bool shaped =
      id.size() == 28 && absl::StartsWith(id, "h-") &&
      id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 2) == absl::string_view::npos;
  if (!shaped) return absl::InvalidArgumentError("the certificate names no Plimsoll host");
  return std::string(id);
}

std::string NewHostId() {
  unsigned char random[16];
  RAND_bytes(random, sizeof random);
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id = "h-";
  unsigned buffer = 0;
  int bits = 0;
  for (const unsigned char byte : random) {
    buffer = (buffer << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) id += kAlphabet[(buffer >> (bits - 5)) & 31];
  }
  id += kAlphabet[(buffer << (5 - bits)) & 31];
  return id;
}

}  // namespace plimsoll::access
