#include "controller/access/authenticator.h"

#include "absl/strings/match.h"
#include "controller/access/tokens.h"

namespace plimsoll::access {
namespace {
constexpr absl::Duration kRemember = absl::Seconds(5);
constexpr size_t kMostRemembered = 10'000;
constexpr absl::string_view kScheme = "Bearer ";
}  // namespace

absl::StatusOr<store::Principal> Authenticator::Authenticate(absl::string_view authorization) {
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) {
    return absl::UnauthenticatedError("no bearer token; run `plimsoll login`");
  }
  const std::string hash = HashSecret(authorization.substr(kScheme.size()));
  const absl::Time now = clock_.Now();
  {
    absl::MutexLock lock(&mutex_);
    const auto it = remembered_.find(hash);
    if (it != remembered_.end() && now < it->second.until) return it->second.principal;
  }
  auto principal = tokens_.Find(hash, now);
  if (absl::IsUnauthenticated(principal.status())) {
    return absl::UnauthenticatedError("the token is not valid (any more); run `plimsoll login`");
  }
  if (!principal.ok()) return principal.status();
  absl::MutexLock lock(&mutex_);
  if (remembered_.size() >= kMostRemembered) remembered_.clear();
  remembered_[hash] = {*principal, now + kRemember};
  return principal;
}

absl::StatusOr<std::string> Authenticator::CreateToken(const std::string& name, store::Role role,
                                                       std::optional<absl::Time> expires) {
  const std::string secret = NewSecret("plb_");
  const std::string hash = HashSecret(secret);
  const store::Principal principal{hash.substr(0, 16), name, role};
  if (auto status = tokens_.Create(principal, hash, clock_.Now(), expires); !status.ok())
    return status;
  return secret;
}

absl::string_view RoleName(store::Role role) {
  switch (role) {
    case store::Role::kViewer:
      return "viewer";
    case store::Role::kAuditor:
      return "auditor";
    case store::Role::kOperator:
      return "operator";
    case store::Role::kAdmin:
      return "admin";
  }
  return "unknown";
}

}  // namespace plimsoll::access
