// Which certificate authorities the hosts of the database trust.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace plimsoll::store {

class ConnectionPool;

// An authority, known by the SHA-256 of its root certificate (PEM), lower-case hex.
struct AuthorityRecord {
  enum class Role {
    // Issues certificates.
    kCurrent,
    // Trusted beside it, before it issues any and after it issued its last.
    kNext,
    kPrevious,
  };
  std::string fingerprint;
  Role role = Role::kCurrent;
  // The root certificate, for people: whoever writes to the database could change it.
  std::string certificate_pem;
  // Chain and key, encrypted by a key that the database does not hold. Empty: they are on the disks
  // of the controllers only.
  std::string sealed;
};

// Hosts, neither revoked nor removed, by what the certificate says that they used last; those whose
// certificate has expired are left out, for they must enrol again in any case.
struct TrustCounts {
  // By fingerprint of the authority that signed it.
  std::map<std::string, int64_t> by_issuer;
  // Those that were given another bundle with it than the one asked about.
  int64_t outdated = 0;
};

// Thread-safe; errors as in store.h. Changes are announced to all controllers (change_feed.h) in
// the same transaction.
class AuthorityStore {
 public:
  explicit AuthorityStore(ConnectionPool& pool) : pool_(pool) {}

  // At most two, the current one first; none before the first controller has joined.
  absl::StatusOr<std::vector<AuthorityRecord>> List();

  // A controller's own authority, by its root: the first that comes is the database's.
  // FAILED_PRECONDITION: the database has another, and no host would trust this one. `replace`
  // makes this one the database's, alone; hosts enrolled before must enrol again.
  absl::Status Join(const std::string& fingerprint, const std::string& certificate_pem,
                    absl::Time now, bool replace);

  // `next` is trusted too from now on. `current_sealed`: chain and key of the one in use, which
  // `current` names. FAILED_PRECONDITION: another one is in use, or a rotation is under way.
  // ALREADY_EXISTS: `next` is the one in use.
  absl::Status Begin(const std::string& current, const std::string& current_sealed,
                     const AuthorityRecord& next, absl::Time now);
  // The next one becomes the current one. FAILED_PRECONDITION: there is none, or, without `force`,
  // hosts were not given `bundle` (SHA-256 of the PEM) yet.
  absl::Status Switch(const std::string& bundle, bool force, absl::Time now);
  // Forgets the previous one. FAILED_PRECONDITION: there is none, or, without `force`, hosts have
  // certificates of it.
  absl::Status Finish(bool force, absl::Time now);
  // Forgets the next one. FAILED_PRECONDITION: there is none.
  absl::Status Cancel();

  absl::StatusOr<TrustCounts> Count(const std::string& bundle, absl::Time now);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
