#include "collector/uplink/identity.h"

#include <openssl/x509v3.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "proto/support/key_files.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::uplink {
namespace {

using support::BioPtr;
using support::BioText;
using support::CertificatePtr;
using support::KeyPtr;
using support::OpensslError;
using support::ReadBio;
using support::RequestPtr;

constexpr char kUriPrefix[] = "plimsoll://host/";

std::string KeyFile(const std::string& dir) { return absl::StrCat(dir, "/host.key"); }
std::string CertificateFile(const std::string& dir) { return absl::StrCat(dir, "/host.pem"); }
std::string CaFile(const std::string& dir) { return absl::StrCat(dir, "/ca.pem"); }

std::string TokenFile(const std::string& dir) { return absl::StrCat(dir, "/token.sha256"); }
std::string EnrollKeyFile(const std::string& dir) { return absl::StrCat(dir, "/enroll.key"); }

absl::StatusOr<std::string> RequestFor(EVP_PKEY* key) {
  RequestPtr request(X509_REQ_new());
  X509_NAME* const subject = X509_REQ_get_subject_name(request.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("plimsoll-collector"), -1, -1,
                             0);
  if (X509_REQ_set_pubkey(request.get(), key) != 1 ||
      X509_REQ_sign(request.get(), key, EVP_sha256()) == 0) {
    return absl::InternalError(absl::StrCat("make signing request: ", OpensslError()));
  }
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  if (size <= 0)
    return absl::InternalError(absl::StrCat("encode signing request: ", OpensslError()));
  std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

absl::Time ToTime(const ASN1_TIME* time) {
  tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return absl::FromTM(parts, absl::UTCTimeZone());
}

absl::StatusOr<std::string> HostIdOf(X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string id;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    const absl::string_view uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                static_cast<size_t>(ASN1_STRING_length(text)));
    if (absl::StartsWith(uri, kUriPrefix)) id = std::string(uri.substr(sizeof kUriPrefix - 1));
  }
  GENERAL_NAMES_free(names);
  if (id.empty()) return absl::FailedPreconditionError("the certificate names no Plimsoll host");
  return id;
}

struct Parsed {
  std::string host_id;
  absl::Time not_before;
  absl::Time not_after;
};

absl::StatusOr<Parsed> Parse(const std::string& key_pem, const std::string& certificate_pem) {
  CertificatePtr certificate(
      PEM_read_bio_X509(ReadBio(certificate_pem).get(), nullptr, nullptr, nullptr));
  KeyPtr key = support::ReadPrivateKey(key_pem);
  if (!certificate || !key || X509_check_private_key(certificate.get(), key.get()) != 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("host.pem and host.key do not belong together (", OpensslError(), ")"));
  }
  auto host_id = HostIdOf(certificate.get());
  if (!host_id.ok()) return host_id.status();
  return Parsed{*std::move(host_id), ToTime(X509_get0_notBefore(certificate.get())),
                ToTime(X509_get0_notAfter(certificate.get()))};
}

}  // namespace

absl::StatusOr<KeyAndRequest> MakeKeyAndRequest() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return absl::InternalError(absl::StrCat("make key: ", OpensslError()));
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr)) {
    return absl::InternalError(absl::StrCat("encode key: ", OpensslError()));
  }
  auto request = RequestFor(key.get());
  if (!request.ok()) return request.status();
  return KeyAndRequest{BioText(bio.get()), *std::move(request)};
}

absl::StatusOr<std::string> MakeRequest(const std::string& key_pem) {
  KeyPtr key = support::ReadPrivateKey(key_pem);
  if (!key)
    return absl::FailedPreconditionError(absl::StrCat("host.key is no key: ", OpensslError()));
  return RequestFor(key.get());
}

absl::StatusOr<KeyAndRequest> KeyToEnroll(const std::string& state_dir) {
  const std::string file = EnrollKeyFile(state_dir);
  auto key_pem = support::ReadKeyFile(file, true);
  if (absl::IsNotFound(key_pem.status())) {
    auto made = MakeKeyAndRequest();
    if (!made.ok()) return made.status();
    if (auto status = support::MakePrivateDirectory(state_dir); !status.ok()) return status;
    if (auto status = support::WritePrivateFile(file, made->key_pem); !status.ok()) return status;
    return made;
  }
  if (!key_pem.ok()) return absl::FailedPreconditionError(key_pem.status().message());
  auto request = MakeRequest(*key_pem);
  if (!request.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(file, " is damaged; remove it and enrol with a new token"));
  }
  return KeyAndRequest{*std::move(key_pem), *std::move(request)};
}

absl::StatusOr<std::string> KeyFingerprint(const std::string& key_pem) {
  KeyPtr key = support::ReadPrivateKey(key_pem);
  unsigned char* der = nullptr;
  const int size = key == nullptr ? 0 : i2d_PUBKEY(key.get(), &der);
  if (size <= 0) return absl::InternalError(absl::StrCat("encode key: ", OpensslError()));
  const std::string fingerprint = support::Sha256Hex(
      absl::string_view(reinterpret_cast<char*>(der), static_cast<size_t>(size)));
  OPENSSL_free(der);
  return fingerprint;
}

absl::Status NoteEnrolled(const std::string& state_dir, const std::string& token) {
  // First: without it and without the key, the next start would spend the token once more.
  if (auto status = support::WritePrivateFile(TokenFile(state_dir), support::Sha256Hex(token));
      !status.ok()) {
    return status;
  }
  unlink(EnrollKeyFile(state_dir).c_str());
  return absl::OkStatus();
}

bool EnrolledWith(const std::string& state_dir, const std::string& token) {
  const auto used = support::ReadKeyFile(TokenFile(state_dir), true);
  return used.ok() && *used == support::Sha256Hex(token);
}

absl::StatusOr<Identity> LoadIdentity(const std::string& state_dir, absl::Time now) {
  Identity identity;
  auto certificate = support::ReadKeyFile(CertificateFile(state_dir), false);
  if (!certificate.ok()) return certificate.status();
  auto key = support::ReadKeyFile(KeyFile(state_dir), true);
  if (!key.ok()) return absl::FailedPreconditionError(key.status().message());
  auto ca = support::ReadKeyFile(CaFile(state_dir), false);
  if (!ca.ok()) return absl::FailedPreconditionError(ca.status().message());
  const std::string advice = absl::StrCat("; to enrol again, give a new token and --enroll-again");
  auto parsed = Parse(*key, *certificate);
  if (!parsed.ok())
    return absl::FailedPreconditionError(absl::StrCat(parsed.status().message(), advice));
  if (parsed->not_after <= now) {
    return absl::FailedPreconditionError(absl::StrCat("this host's certificate expired at ",
                                                      absl::FormatTime(parsed->not_after), advice));
  }
  return Identity{parsed->host_id, *std::move(key),    *std::move(certificate),
                  *std::move(ca),  parsed->not_before, parsed->not_after};
}

absl::Status SaveIdentity(const std::string& state_dir, const std::string& key_pem,
                          const std::string& certificate_pem, const std::string& ca_pem) {
  if (auto parsed = Parse(key_pem, certificate_pem); !parsed.ok()) return parsed.status();
  if (auto status = support::MakePrivateDirectory(state_dir); !status.ok()) return status;
  if (auto status = support::WritePrivateFile(KeyFile(state_dir), key_pem); !status.ok())
    return status;
  if (auto status = support::WritePrivateFile(CaFile(state_dir), ca_pem); !status.ok())
    return status;
  return support::WritePrivateFile(CertificateFile(state_dir), certificate_pem);
}

}  // namespace plimsoll::uplink
