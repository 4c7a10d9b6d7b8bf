#include "controller/access/sign_in_throttle.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/support/field_errors.h"

namespace plimsoll::access {
namespace {

constexpr absl::Duration kForget = absl::Hours(1);
constexpr size_t kMostCounts = 50'000;
constexpr size_t kMostKnown = 50'000;
constexpr int kFreeTogether = 4;
constexpr int kFreePeer = 20;
constexpr int kFreeUser = 20;
constexpr absl::Duration kMostTogether = absl::Minutes(15);
constexpr absl::Duration kMostPeer = absl::Minutes(5);
constexpr absl::Duration kMostUser = absl::Seconds(30);

// A network that one customer of a provider has.
std::string Network(absl::string_view peer) {
  in6_addr address;
  const std::string text(peer.substr(0, 64));
  if (inet_pton(AF_INET6, text.c_str(), &address) != 1) return text;
  const auto* bytes = reinterpret_cast<const char*>(&address);
  // An IPv4 address in IPv6 clothes counts whole.
  if (IN6_IS_ADDR_V4MAPPED(&address)) return std::string(bytes, sizeof address);
  return std::string(bytes, 8);
}

std::string Name(absl::string_view name) { return std::string(name.substr(0, 64)); }

std::string UserKey(absl::string_view name) { return absl::StrCat("u", Name(name)); }
std::string PeerKey(absl::string_view peer) { return absl::StrCat("p", Network(peer)); }
std::string TogetherKey(absl::string_view name, absl::string_view peer) {
  return absl::StrCat("t", Name(name), "\n", Network(peer));
}

}  // namespace

absl::Time SignInThrottle::Until(const std::string& key) const {
  const auto it = counts_.find(key);
  return it == counts_.end() ? absl::InfinitePast() : it->second.until;
}

absl::Status SignInThrottle::Admit(absl::string_view name, absl::string_view peer, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const std::string together = TogetherKey(name, peer);
  absl::Time until = Until(together);
  if (!known_.contains(together)) {
    until = std::max({until, Until(PeerKey(peer)), Until(UserKey(name))});
  }
  if (until <= now) return absl::OkStatus();
  const absl::Duration wait = absl::Ceil(until - now, absl::Seconds(1));
  return support::WithRetry(
      absl::ResourceExhaustedError(absl::StrCat("too many failed attempts; try again in ",
                                                absl::ToInt64Seconds(wait), " s")),
      wait);
}

void SignInThrottle::MakeRoom(absl::Time now) {
  if (counts_.size() < kMostCounts) return;
  absl::erase_if(counts_, [now](const auto& entry) {
    return now - entry.second.last > kForget || entry.second.until <= now;
  });
  // All of them wait: whoever floods this controller with names starts them anew.
  if (counts_.size() >= kMostCounts) counts_.clear();
}

void SignInThrottle::Add(const std::string& key, int free, absl::Duration most, absl::Time now) {
  Count& count = counts_[key];
  if (now - count.last > kForget) count = {};
  count.last = now;
  ++count.failures;
  if (count.failures <= free) return;
  const int doublings = std::min(count.failures - free - 1, 20);
  count.until = now + std::min<absl::Duration>(absl::Seconds(int64_t{1} << doublings), most);
}

void SignInThrottle::Failed(absl::string_view name, absl::string_view peer, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  MakeRoom(now);
  Add(TogetherKey(name, peer), kFreeTogether, kMostTogether, now);
  Add(PeerKey(peer), kFreePeer, kMostPeer, now);
  Add(UserKey(name), kFreeUser, kMostUser, now);
}

void SignInThrottle::Succeeded(absl::string_view name, absl::string_view peer) {
  absl::MutexLock lock(&mutex_);
  const std::string together = TogetherKey(name, peer);
  // The address's own count stays: one good account does not pay for guessing others.
  counts_.erase(together);
  counts_.erase(UserKey(name));
  if (known_.size() >= kMostKnown) known_.clear();
  known_.insert(together);
}

void SignInThrottle::Forget(absl::string_view name) {
  absl::MutexLock lock(&mutex_);
  counts_.erase(UserKey(name));
  const std::string prefix = absl::StrCat("t", Name(name), "\n");
  absl::erase_if(counts_, [&prefix](const auto& entry) {
    return entry.first.compare(0, prefix.size(), prefix) == 0;
  });
}

}  // namespace plimsoll::access
