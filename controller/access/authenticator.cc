#include "controller/access/authenticator.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/access/tokens.h"

namespace plimsoll::access {
namespace {
constexpr absl::Duration kRemember = absl::Seconds(5);
constexpr size_t kMostRemembered = 10'000;
constexpr size_t kMostKnownPeers = 100'000;
constexpr absl::string_view kScheme = "Bearer ";
}  // namespace

absl::StatusOr<store::Principal> Authenticator::Authenticate(absl::string_view authorization,
                                                             absl::string_view peer) {
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) {
    return absl::UnauthenticatedError("no bearer token; run `plimsoll login`");
  }
  const absl::string_view secret = authorization.substr(kScheme.size());
  const std::string hash = HashSecret(secret);
  const absl::Time now = clock_.Now();
  std::optional<store::Principal> found;
  uint64_t generation = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = remembered_.find(hash);
    if (it != remembered_.end() && now < it->second.until) found = it->second.principal;
    generation = generation_;
  }
  if (!found.has_value()) {
    auto principal = absl::StartsWith(secret, kSessionPrefix)
                         ? users_.FindSession(hash, now, limits_.idle)
                         : tokens_.Find(hash, now);
    if (absl::IsUnauthenticated(principal.status())) {
      return absl::UnauthenticatedError("the token is not valid (any more); run `plimsoll login`");
    }
    if (!principal.ok()) return principal.status();
    found = *std::move(principal);
    absl::MutexLock lock(&mutex_);
    if (remembered_.size() >= kMostRemembered) remembered_.clear();
    if (generation == generation_) {
      remembered_[hash] = {*found, std::min(now + kRemember, found->expires)};
    }
  }
  found->peer = std::string(peer);
  NoteUse(*found, now);
  return *std::move(found);
}

void Authenticator::NoteUse(const store::Principal& principal, absl::Time now) {
  const std::string known = absl::StrCat(principal.token_id, " ", principal.peer);
  {
    absl::MutexLock lock(&mutex_);
    if (principal.kind == store::CallerKind::kUser) {
      session_uses_[principal.token_id] = now;
      return;
    }
    token_uses_[principal.token_id] = {now, principal.peer};
    if (principal.peer.empty()) return;
    if (known_peers_.size() >= kMostKnownPeers) known_peers_.clear();
    if (!known_peers_.insert(known).second) return;
  }
  const absl::StatusOr<bool> is_new = tokens_.AddPeer(principal.token_id, principal.peer);
  if (!is_new.ok()) {
    spdlog::warn("address of a token not noted token={} error=\"{}\"", principal.token_id,
                 is_new.status().ToString());
    // The next use tries again.
    absl::MutexLock lock(&mutex_);
    known_peers_.erase(known);
  } else if (*is_new && new_peer_) {
    new_peer_(principal);
  }
}

absl::StatusOr<std::string> Authenticator::CreateToken(const std::string& name, store::Role role,
                                                       std::optional<absl::Time> expires) {
  const std::string secret = NewSecret(kApiTokenPrefix);
  const std::string hash = HashSecret(secret);
  store::Principal principal;
  principal.token_id = hash.substr(0, 16);
  principal.name = name;
  principal.role = role;
  if (auto status = tokens_.Create(principal, hash, clock_.Now(), expires); !status.ok())
    return status;
  return secret;
}

void Authenticator::Forget(const std::vector<std::string>& ids) {
  const absl::flat_hash_set<std::string> ended(ids.begin(), ids.end());
  absl::MutexLock lock(&mutex_);
  ++generation_;
  absl::erase_if(remembered_, [&ended](const auto& entry) {
    return ended.contains(entry.second.principal.token_id);
  });
}

void Authenticator::ForgetAll() {
  absl::MutexLock lock(&mutex_);
  ++generation_;
  remembered_.clear();
}

absl::Status Authenticator::FlushUses() {
  std::map<std::string, store::TokenUse> tokens;
  std::map<std::string, absl::Time> sessions;
  {
    absl::MutexLock lock(&mutex_);
    tokens.swap(token_uses_);
    sessions.swap(session_uses_);
  }
  absl::Status status = tokens_.Touch(tokens);
  status.Update(users_.Touch(sessions));
  return status;
}

}  // namespace plimsoll::access
