#include "controller/access/certificates.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::access {

using support::BignumPtr;
using support::BioPtr;
using support::BioText;
using support::CertificatePtr;
using support::KeyPtr;
using support::OpensslError;
using support::ReadBio;

namespace {

bool AddExtension(X509* certificate, X509* issuer, const CertificateExtension& extension) {
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

}  // namespace

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

std::vector<CertificatePtr> ReadCertificates(absl::string_view pem) {
  std::vector<CertificatePtr> certificates;
  const BioPtr bio = ReadBio(pem);
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  // The end of the text is an error to OpenSSL.
  if (!certificates.empty()) ERR_clear_error();
  return certificates;
}

absl::StatusOr<std::string> PublicKeyDer(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return OpensslFailure("encode public key");
  std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

KeyPtr ReadPublicKey(absl::string_view der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  return KeyPtr(d2i_PUBKEY(nullptr, &bytes, static_cast<long>(der.size())));
}

absl::Time EndOf(const X509* certificate) {
  std::tm time = {};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return absl::UnixEpoch();
  return absl::FromTM(time, absl::UTCTimeZone());
}

absl::StatusOr<SignedCertificate> Sign(const CertificateTemplate& what, EVP_PKEY* key, X509* issuer,
                                       EVP_PKEY* issuer_key) {
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
  for (const CertificateExtension& extension : what.extensions) {
    if (!AddExtension(x, issuer ? issuer : x, extension)) {
      return OpensslFailure(absl::StrCat("extension ", extension.value));
    }
  }
  if (X509_sign(x, issuer_key, EVP_sha256()) == 0) return OpensslFailure("sign certificate");
  char* hex = BN_bn2hex(serial.get());
  std::string serial_text = absl::AsciiStrToLower(hex);
  OPENSSL_free(hex);
  return SignedCertificate{std::move(certificate), std::move(serial_text)};
}

std::string WhyNotTrusted(X509* certificate, const std::vector<CertificatePtr>& chain, int purpose,
                          absl::Time now) {
  X509_STORE* const store = X509_STORE_new();
  X509_STORE_add_cert(store, chain.back().get());
  STACK_OF(X509)* const between = sk_X509_new_null();
  for (size_t i = 0; i + 1 < chain.size(); ++i) sk_X509_push(between, chain[i].get());
  X509_STORE_CTX* const context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, certificate, between);
  X509_STORE_CTX_set_purpose(context, purpose);
  X509_STORE_CTX_set_time(context, 0, absl::ToTimeT(now));
  std::string why;
  if (X509_verify_cert(context) != 1) {
    why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
    ERR_clear_error();
  }
  X509_STORE_CTX_free(context);
  sk_X509_free(between);
  X509_STORE_free(store);
  return why;
}

}  // namespace plimsoll::access
