// A certificate authority for tests that must not use the controller's.
#pragma once

#include <openssl/x509v3.h>

#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::test {

// A certificate and its key, PEM.
struct Issued {
  std::string certificate_pem;
  std::string key_pem;
};

// Signs what it is asked to; aborts when OpenSSL fails. Certificates are valid around `now`.
class TestAuthority {
 public:
  explicit TestAuthority(absl::Time now) : now_(now), key_(EVP_EC_gen("P-256")) {
    certificate_ = Make(key_.get(), "CA:TRUE", "", absl::Hours(24));
  }

  std::string pem() const { return Pem(certificate_.get()); }

  // For a server at `name`, e.g. "IP:127.0.0.1", or a host, e.g. "URI:plimsoll://host/h-1". Made an
  // hour ago, with `left` of its life to come.
  Issued Issue(const std::string& name, absl::Duration left = absl::Hours(1)) const {
    support::KeyPtr key(EVP_EC_gen("P-256"));
    support::BioPtr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return {Pem(Make(key.get(), "", name, left).get()), support::BioText(bio.get())};
  }

  // For the key of a signing request (PKCS#10, DER).
  std::string Sign(absl::string_view request_der, const std::string& name,
                   absl::Duration left = absl::Hours(1)) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(request_der.data());
    support::RequestPtr request(
        d2i_X509_REQ(nullptr, &bytes, static_cast<long>(request_der.size())));
    if (request == nullptr) std::abort();
    return Pem(Make(X509_REQ_get0_pubkey(request.get()), "", name, left).get());
  }

 private:
  static std::string Pem(X509* certificate) {
    support::BioPtr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate);
    return support::BioText(bio.get());
  }

  static void Extend(X509* certificate, int nid, const std::string& value) {
    if (value.empty()) return;
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (extension == nullptr) std::abort();
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  support::CertificatePtr Make(EVP_PKEY* key, const std::string& constraints,
                               const std::string& name, absl::Duration left) const {
    support::CertificatePtr certificate(X509_new());
    X509* const x = certificate.get();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial_);
    ASN1_TIME_set(X509_getm_notBefore(x), absl::ToTimeT(now_ - absl::Hours(1)));
    ASN1_TIME_set(X509_getm_notAfter(x), absl::ToTimeT(now_ + left));
    const auto add_name = [](X509_NAME* to, const char* text) {
      X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
    };
    add_name(X509_get_subject_name(x), constraints.empty() ? "leaf" : "test CA");
    X509_set_issuer_name(
        x, certificate_ ? X509_get_subject_name(certificate_.get()) : X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    Extend(x, NID_basic_constraints, constraints);
    Extend(x, NID_subject_alt_name, name);
    if (X509_sign(x, key_.get(), EVP_sha256()) == 0) std::abort();
    return certificate;
  }

  const absl::Time now_;
  support::KeyPtr key_;
  support::CertificatePtr certificate_;
  mutable long serial_ = 0;
};

}  // namespace plimsoll::test
