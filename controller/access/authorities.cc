#include "controller/access/authorities.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/access/certificates.h"
#include "proto/support/digest.h"
#include "proto/support/key_files.h"

namespace plimsoll::access {
namespace {

using store::AuthorityRecord;
using Role = AuthorityRecord::Role;

constexpr size_t kLongestChainPem = 64 << 10;
constexpr size_t kLongestKeyPem = 16 << 10;

v1::Authority::State StateOf(Role role) {
  switch (role) {
    case Role::kCurrent:
      return v1::Authority::CURRENT;
    case Role::kNext:
      return v1::Authority::NEXT;
    case Role::kPrevious:
      return v1::Authority::PREVIOUS;
  }
  return v1::Authority::STATE_UNSPECIFIED;
}

// As `openssl x509 -fingerprint -sha256` prints it.
std::string FingerprintOf(X509* certificate) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), hash, &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ":", absl::Hex(hash[i], absl::kZeroPad2));
  }
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string SubjectOf(X509* certificate) {
  const support::BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  return support::BioText(bio.get()).substr(0, 512);
}

// The authority on the disk, made when there is none. A lost ca.pem comes back as `known`, the
// database's, has it; null: it knows none, or none that matters.
absl::StatusOr<std::unique_ptr<Issuer>> OnDisk(const std::string& dir, const AuthorityRecord* known,
                                               absl::Time now) {
  if (known != nullptr) {
    const auto status = Issuer::RestoreChain(dir, known->certificate_pem, now);
    if (!status.ok()) return status;
  }
  return Issuer::LoadOrCreate(dir, now);
}

absl::Status AnotherAuthority(const std::string& dir) {
  return absl::FailedPreconditionError(absl::StrCat(
      dir,
      "/ca.pem is another certificate authority than the one that the hosts of this database "
      "trust. If it is an older one, move ca.pem and ca.key away: with pki/secrets.key of another "
      "controller or a backup the right one comes back by itself. To change to this one, use "
      "`plimsoll ca rotate --certificate --key`; or start once with --replace-authority and enrol "
      "every host again"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Authorities>> Authorities::Open(store::AuthorityStore& store,
                                                               SecretBox box, std::string dir,
                                                               const support::Clock& clock,
                                                               bool replace) {
  const auto records = store.List();
  if (!records.ok()) return records.status();
  if (replace || records->empty() || records->front().sealed.empty()) {
    const auto own =
        OnDisk(dir, replace || records->empty() ? nullptr : &records->front(), clock.Now());
    if (!own.ok()) return own.status();
    const auto status =
        store.Join((*own)->fingerprint(), (*own)->BundlePem(), clock.Now(), replace);
    if (!status.ok()) return status;
  }
  std::unique_ptr<Authorities> authorities(
      new Authorities(store, std::move(box), std::move(dir), clock));
  if (auto status = authorities->Reload(); !status.ok()) return status;
  return authorities;
}

absl::StatusOr<std::shared_ptr<const Issuer>> Authorities::Unseal(
    const AuthorityRecord& record) const {
  const auto secret = box_.Open(record.sealed);
  if (!secret.ok()) {
    return absl::FailedPreconditionError(
        "the certificate authority of this database cannot be opened with this controller's "
        "pki/secrets.key: copy pki/ from a backup or from another controller on the database");
  }
  auto issuer = Issuer::Parse(*secret, *secret, {"the stored authority", "its key"}, clock_.Now());
  if (!issuer.ok()) return issuer.status();
  if ((*issuer)->fingerprint() != record.fingerprint) {
    return absl::DataLossError("a stored certificate authority is another than its record says");
  }
  return std::shared_ptr<const Issuer>(*std::move(issuer));
}

absl::StatusOr<std::shared_ptr<const Issuer>> Authorities::Current(
    const std::vector<AuthorityRecord>& records) const {
  const AuthorityRecord& current = records.front();
  const std::string on_disk = Issuer::FingerprintOnDisk(dir_);
  if (on_disk == current.fingerprint || current.sealed.empty()) {
    auto own = OnDisk(dir_, &current, clock_.Now());
    if (own.ok() && (*own)->fingerprint() == current.fingerprint) {
      return std::shared_ptr<const Issuer>(*std::move(own));
    }
    if (current.sealed.empty()) return own.ok() ? AnotherAuthority(dir_) : own.status();
  }
  // What was the current one until a moment ago, or half of what replaces it.
  const bool ours = on_disk.empty() || std::any_of(records.begin(), records.end(),
                                                   [&on_disk](const AuthorityRecord& record) {
                                                     return record.fingerprint == on_disk;
                                                   });
  if (!ours) return AnotherAuthority(dir_);
  auto issuer = Unseal(current);
  if (!issuer.ok()) return issuer.status();
  auto status = support::MakePrivateDirectory(dir_);
  if (status.ok()) status = (*issuer)->Save(dir_);
  if (!status.ok()) return status;
  spdlog::info("certificate authority written to {}", dir_);
  return issuer;
}

absl::Status Authorities::Reload() {
  absl::MutexLock reloading(&reload_mutex_);
  const auto records = store_.List();
  if (!records.ok()) return records.status();
  if (records->empty()) return absl::InternalError("the database has no certificate authority");
  auto next = std::make_shared<State>();
  for (const AuthorityRecord& record : *records) {
    auto issuer = record.role == Role::kCurrent ? Current(*records) : Unseal(record);
    if (!issuer.ok()) return issuer.status();
    next->trusted.push_back({record.role, *std::move(issuer)});
  }
  next->trust.issuer = records->front().fingerprint;
  // In an order that a switch does not change.
  std::vector<std::shared_ptr<const Issuer>> ordered;
  for (const Trusted& each : next->trusted) ordered.push_back(each.issuer);
  std::sort(ordered.begin(), ordered.end(),
            [](const auto& a, const auto& b) { return a->fingerprint() < b->fingerprint(); });
  for (const auto& issuer : ordered) next->bundle_pem += issuer->BundlePem();
  next->trust.bundle = support::Sha256Hex(next->bundle_pem);
  const auto before = state();
  const bool same = before != nullptr && before->trust == next->trust &&
                    before->trusted.size() == next->trusted.size() &&
                    before->trusted.back().role == next->trusted.back().role;
  if (same) return absl::OkStatus();
  {
    absl::MutexLock lock(&mutex_);
    state_ = std::move(next);
  }
  ++generation_;
  spdlog::info("certificate authorities trusted={}", records->size());
  if (before != nullptr && changed_) changed_();
  return absl::OkStatus();
}

std::shared_ptr<const Authorities::State> Authorities::state() const {
  absl::MutexLock lock(&mutex_);
  return state_;
}

std::string Authorities::BundlePem() const { return state()->bundle_pem; }
store::CertificateTrust Authorities::trust() const { return state()->trust; }

absl::StatusOr<IssuedCertificate> Authorities::SignHostKey(absl::string_view key_der,
                                                           absl::string_view host_id,
                                                           absl::Time now,
                                                           absl::Duration lifetime) const {
  const auto trusted = state();
  auto issued = trusted->trusted.front().issuer->SignHostKey(key_der, host_id, now, lifetime);
  if (!issued.ok()) return issued;
  issued->trust = trusted->trust;
  issued->bundle_pem = trusted->bundle_pem;
  return issued;
}

absl::StatusOr<ServerIdentity> Authorities::IssueServer(const std::vector<std::string>& names,
                                                        absl::Time now,
                                                        absl::Duration lifetime) const {
  return state()->trusted.front().issuer->IssueServer(names, now, lifetime);
}

absl::StatusOr<v1::AuthorityStatus> Authorities::Describe() const {
  const auto trusted = state();
  const auto counts = store_.Count(trusted->trust.bundle, clock_.Now());
  if (!counts.ok()) return counts.status();
  v1::AuthorityStatus status;
  for (const Trusted& each : trusted->trusted) {
    v1::Authority& authority = *status.add_authorities();
    authority.set_fingerprint(FingerprintOf(each.issuer->root()));
    authority.set_state(StateOf(each.role));
    authority.set_subject(SubjectOf(each.issuer->root()));
    *authority.mutable_expire_time() = google::protobuf::util::TimeUtil::SecondsToTimestamp(
        absl::ToUnixSeconds(each.issuer->end()));
    const auto count = counts->by_issuer.find(each.issuer->fingerprint());
    authority.set_host_count(count == counts->by_issuer.end() ? 0 : count->second);
  }
  status.set_ca_bundle_pem(trusted->bundle_pem);
  status.set_outdated_host_count(counts->outdated);
  return status;
}

absl::Status Authorities::Begin(const std::string& chain_pem, const std::string& key_pem) {
  const bool brought = !chain_pem.empty() || !key_pem.empty();
  if (chain_pem.size() > kLongestChainPem) {
    return absl::InvalidArgumentError("ca_chain_pem is longer than 64 KiB");
  }
  if (key_pem.size() > kLongestKeyPem) {
    return absl::InvalidArgumentError("secret_key_pem is longer than 16 KiB");
  }
  const auto next =
      brought ? Issuer::Parse(chain_pem, key_pem, {"ca_chain_pem", "secret_key_pem"}, clock_.Now())
              : Issuer::Create(clock_.Now());
  if (!next.ok()) return next.status();
  if (check_next_) {
    if (auto status = check_next_(**next); !status.ok()) return status;
  }
  const auto current = state()->trusted.front().issuer;
  return Followed(store_.Begin(
      current->fingerprint(), box_.Seal(current->Secret()),
      {(*next)->fingerprint(), Role::kNext, (*next)->BundlePem(), box_.Seal((*next)->Secret())},
      clock_.Now()));
}

absl::Status Authorities::Switch(bool force) {
  return Followed(store_.Switch(state()->trust.bundle, force, clock_.Now()));
}

absl::Status Authorities::Finish(bool force) {
  return Followed(store_.Finish(force, clock_.Now()));
}

absl::Status Authorities::Cancel() { return Followed(store_.Cancel()); }

absl::Status Authorities::Followed(absl::Status step) {
  if (!step.ok()) return step;
  return Reload();
}

}  // namespace plimsoll::access
