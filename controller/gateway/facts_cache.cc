#include "controller/gateway/facts_cache.h"

#include <utility>

namespace plimsoll::gateway {
namespace {

// A node of the digest tree or of the fingerprints: key, digest, links.
constexpr int64_t kBytesPerObject = 320;
constexpr int64_t kBytesPerHost = 4096;

}  // namespace

void CachedFacts::Measure() {
  const int64_t objects = facts.files().files_size() + facts.images().images_size() +
                          facts.containers().containers_size() + facts.volumes().volumes_size() +
                          facts.networks().networks_size();
  bytes = static_cast<int64_t>(facts.SpaceUsedLong()) + objects * kBytesPerObject + kBytesPerHost;
}

std::unique_ptr<CachedFacts> FactsCache::Take(const std::string& host_id, int64_t epoch,
                                              const std::string& digest) {
  List out;
  {
    absl::MutexLock lock(&mutex_);
    if (const auto it = by_host_.find(host_id); it != by_host_.end()) {
      // A session that was displaced must not take what its successor has.
      if (it->second->facts->epoch <= epoch) Remove(it->second, out);
    }
  }
  if (out.empty() || out.front().facts->epoch != epoch || out.front().facts->digest != digest) {
    ++stats_.cache_misses;
    return nullptr;
  }
  ++stats_.cache_hits;
  return std::move(out.front().facts);
}

void FactsCache::Put(const std::string& host_id, std::unique_ptr<CachedFacts> facts) {
  List out;
  absl::MutexLock lock(&mutex_);
  if (const auto it = by_host_.find(host_id); it != by_host_.end()) {
    if (it->second->facts->epoch > facts->epoch) return;
    Remove(it->second, out);
  }
  bytes_ += facts->bytes;
  entries_.push_front({host_id, std::move(facts)});
  by_host_[host_id] = entries_.begin();
  while (bytes_ > limit_ && !entries_.empty()) Remove(std::prev(entries_.end()), out);
  stats_.cache_bytes = bytes_;
  stats_.cache_hosts = static_cast<int64_t>(entries_.size());
}

void FactsCache::Drop(const std::string& host_id, int64_t epoch) {
  List out;
  absl::MutexLock lock(&mutex_);
  const auto it = by_host_.find(host_id);
  if (it != by_host_.end() && it->second->facts->epoch == epoch) Remove(it->second, out);
}

void FactsCache::Remove(List::iterator it, List& out) {
  bytes_ -= it->facts->bytes;
  by_host_.erase(it->host_id);
  out.splice(out.end(), entries_, it);
  stats_.cache_bytes = bytes_;
  stats_.cache_hosts = static_cast<int64_t>(entries_.size());
}

}  // namespace plimsoll::gateway
