// The certificate authorities of a database: the one that issues, and the one before or after it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/access/certificate_authority.h"
#include "controller/access/issuer.h"
#include "controller/access/secret_box.h"
#include "controller/store/authority_store.h"
#include "plimsoll/v1/authority_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::access {

// Issues by the current authority and has hosts trust both. A first authority is below pki/ of
// every controller; those that follow it come through the database, sealed, and are written to pki/
// when they become the current one. Thread-safe. Borrows the store and the clock.
class Authorities final : public CertificateAuthority {
 public:
  // `dir`: pki/. `replace` makes what is there the only authority of the database.
  // FAILED_PRECONDITION: files as CertificateAuthority::LoadOrCreate; another authority than the
  // database's; says what to do.
  static absl::StatusOr<std::unique_ptr<Authorities>> Open(store::AuthorityStore& store,
                                                           SecretBox box, std::string dir,
                                                           const support::Clock& clock,
                                                           bool replace);

  std::string BundlePem() const override;
  store::CertificateTrust trust() const override;
  uint64_t generation() const override { return generation_; }
  absl::StatusOr<IssuedCertificate> SignHostKey(absl::string_view key_der,
                                                absl::string_view host_id, absl::Time now,
                                                absl::Duration lifetime) const override;
  absl::StatusOr<ServerIdentity> IssueServer(const std::vector<std::string>& names, absl::Time now,
                                             absl::Duration lifetime) const override;

  // What else an authority must pass before Begin takes it: without it, one whose certificates are
  // of no use to this controller shows when no way leads back. Set before any other thread comes.
  void CheckNext(std::function<absl::Status(const CertificateAuthority&)> check) {
    check_next_ = std::move(check);
  }
  // Called after each change, on the thread that found it. Set before any other thread comes.
  void OnChanged(std::function<void()> changed) { changed_ = std::move(changed); }
  // Takes over what the database says. Blocks; does nothing when nothing changed.
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(reload_mutex_);

  // As the methods of AuthorityService; this controller has followed when they return.
  absl::StatusOr<v1::AuthorityStatus> Describe() const;
  absl::Status Begin(const std::string& chain_pem, const std::string& key_pem);
  absl::Status Switch(bool force);
  absl::Status Finish(bool force);
  absl::Status Cancel();

 private:
  struct Trusted {
    store::AuthorityRecord::Role role;
    std::shared_ptr<const Issuer> issuer;
  };
  struct State {
    // The current one first.
    std::vector<Trusted> trusted;
    std::string bundle_pem;
    store::CertificateTrust trust;
  };

  Authorities(store::AuthorityStore& store, SecretBox box, std::string dir,
              const support::Clock& clock)
      : store_(store), box_(std::move(box)), dir_(std::move(dir)), clock_(clock) {}
  absl::StatusOr<std::shared_ptr<const Issuer>> Current(
      const std::vector<store::AuthorityRecord>& records) const;
  absl::StatusOr<std::shared_ptr<const Issuer>> Unseal(const store::AuthorityRecord& record) const;
  std::shared_ptr<const State> state() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Followed(absl::Status step) ABSL_LOCKS_EXCLUDED(reload_mutex_);

  store::AuthorityStore& store_;
  const SecretBox box_;
  const std::string dir_;
  const support::Clock& clock_;
  std::function<absl::Status(const CertificateAuthority&)> check_next_;
  std::function<void()> changed_;
  absl::Mutex reload_mutex_;
  std::atomic<uint64_t> generation_{0};
  mutable absl::Mutex mutex_;
  // Null before the first Reload only.
  std::shared_ptr<const State> state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::access
