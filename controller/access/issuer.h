// One certificate authority with its key.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/access/certificate_authority.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::access {

// Of the URI in a host's certificate; its id follows.
inline constexpr char kHostUriPrefix[] = "plimsoll://host/";

// Immutable; thread-safe.
class Issuer final : public CertificateAuthority {
 public:
  // How messages name the two texts that an authority is made of.
  struct Names {
    std::string chain;
    std::string key;
  };

  // An authority from its certificate, followed by those up to its root, and its key, both PEM.
  // INVALID_ARGUMENT: says which text is wrong, why, and what to do: not an authority, weak or
  // strange key, expired, no root, not allowed to issue what is needed.
  static absl::StatusOr<std::unique_ptr<Issuer>> Parse(const std::string& chain_pem,
                                                       const std::string& key_pem,
                                                       const Names& names, absl::Time now);
  // A root of its own.
  static absl::StatusOr<std::unique_ptr<Issuer>> Create(absl::Time now);
  // As CertificateAuthority::LoadOrCreate.
  static absl::StatusOr<std::unique_ptr<Issuer>> LoadOrCreate(const std::string& dir,
                                                              absl::Time now);
  // Writes a lost ca.pem again, beside the ca.key that is there: `root_pem`, as hosts trust it.
  // FAILED_PRECONDITION: the key is not that root's own, and no certificate made for it now would
  // be trusted; says what to do.
  static absl::Status RestoreChain(const std::string& dir, const std::string& root_pem,
                                   absl::Time now);
  // The fingerprint of the root in ca.pem below `dir`; empty: there is no such certificate.
  static std::string FingerprintOnDisk(const std::string& dir);
  // Writes ca.key (0600) and ca.pem below `dir`.
  absl::Status Save(const std::string& dir) const;

  std::string BundlePem() const override { return root_pem_; }
  store::CertificateTrust trust() const override { return {fingerprint_, fingerprint_}; }
  uint64_t generation() const override { return 0; }
  absl::StatusOr<IssuedCertificate> SignHostKey(absl::string_view key_der,
                                                absl::string_view host_id, absl::Time now,
                                                absl::Duration lifetime) const override;
  absl::StatusOr<ServerIdentity> IssueServer(const std::vector<std::string>& names, absl::Time now,
                                             absl::Duration lifetime) const override;

  // SHA-256 of the root's PEM, lower-case hex: what the database knows it by.
  const std::string& fingerprint() const { return fingerprint_; }
  // The chain and the key, PEM.
  std::string Secret() const { return chain_pem_ + key_pem_; }
  // The first end of a certificate in the chain.
  absl::Time end() const { return end_; }
  X509* root() const { return chain_.back().get(); }

 private:
  Issuer() = default;
  // Fills in what follows from the chain.
  absl::Status Describe();
  // A certificate for `key` and those between it and the root, PEM.
  absl::StatusOr<IssuedCertificate> Issue(std::string common_name, EVP_PKEY* key, const char* usage,
                                          const std::string& names, absl::Time now,
                                          absl::Duration lifetime) const;

  // The authority's own certificate first, its root last; mostly they are the same.
  std::vector<support::CertificatePtr> chain_;
  support::KeyPtr key_;
  std::string chain_pem_;
  std::string key_pem_;
  std::string root_pem_;
  // Those between what it issues and the root.
  std::string between_pem_;
  std::string fingerprint_;
  absl::Time end_ = absl::InfiniteFuture();
};

}  // namespace plimsoll::access
