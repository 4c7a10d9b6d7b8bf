#include "controller/gateway/session_registry.h"

#include <utility>

namespace plimsoll::gateway {
namespace {

const char kStopping[] = "the controller is shutting down; connect again, to another if there is";

void EndIf(const std::weak_ptr<OpenSession>& weak, const absl::Status& why) {
  if (auto session = weak.lock()) session->End(why);
}

}  // namespace

uint64_t SessionRegistry::Open(const std::string& host_id, std::weak_ptr<OpenSession> session) {
  std::weak_ptr<OpenSession> displaced;
  uint64_t id = 0;
  bool refused = false;
  {
    absl::MutexLock lock(&mutex_);
    id = next_id_++;
    refused = draining_;
    if (!refused) displaced = std::exchange(hosts_[host_id].greeting, Stream{id, session}).session;
  }
  EndIf(displaced, absl::AbortedError("a newer stream of this host was opened"));
  if (refused) EndIf(session, absl::UnavailableError(kStopping));
  return id;
}

bool SessionRegistry::Claim(const std::string& host_id, uint64_t id) {
  std::weak_ptr<OpenSession> displaced;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = hosts_.find(host_id);
    if (it == hosts_.end() || it->second.greeting.id != id || draining_) return false;
    Host& host = it->second;
    if (host.session.id == 0) ++sessions_;
    displaced = std::exchange(host.session, std::exchange(host.greeting, Stream())).session;
  }
  EndIf(displaced, absl::AbortedError("another session took over"));
  return true;
}

bool SessionRegistry::Close(const std::string& host_id, uint64_t id) {
  absl::MutexLock lock(&mutex_);
  const auto it = hosts_.find(host_id);
  if (it == hosts_.end()) return false;
  Host& host = it->second;
  const bool was_session = host.session.id == id;
  if (was_session) {
    host.session = Stream();
    --sessions_;
  } else if (host.greeting.id == id) {
    host.greeting = Stream();
  }
  if (host.session.id == 0 && host.greeting.id == 0) hosts_.erase(it);
  return was_session;
}

void SessionRegistry::EndHost(const std::string& host_id, const absl::Status& why) {
  Host host;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = hosts_.find(host_id);
    if (it == hosts_.end()) return;
    host = it->second;
  }
  EndIf(host.session.session, why);
  EndIf(host.greeting.session, why);
}

bool SessionRegistry::EndLease(const std::string& host_id, int64_t epoch, const absl::Status& why) {
  std::shared_ptr<OpenSession> session;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = hosts_.find(host_id);
    if (it != hosts_.end()) session = it->second.session.session.lock();
  }
  return session != nullptr && session->Epoch() == epoch && session->End(why);
}

void SessionRegistry::Drain() {
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
  }
  for (const auto& session : All()) session->End(absl::UnavailableError(kStopping));
}

void SessionRegistry::Tick(absl::Time now) {
  for (const auto& session : All()) session->Tick(now);
}

size_t SessionRegistry::Count() const {
  absl::MutexLock lock(&mutex_);
  return sessions_;
}

std::map<std::string, absl::Time> SessionRegistry::Heard(absl::Time since) const {
  std::map<std::string, absl::Time> heard;
  for (const auto& [id, session] : Sessions()) {
    if (const absl::Time time = session->LastHeard(); time > since) heard.emplace(id, time);
  }
  return heard;
}

std::map<std::string, store::SessionSeen> SessionRegistry::HeardByLease(absl::Time since) const {
  std::map<std::string, store::SessionSeen> heard;
  for (const auto& [id, session] : Sessions()) {
    const store::SessionSeen seen{session->Epoch(), session->LastHeard()};
    if (seen.epoch != 0 && seen.time > since) heard.emplace(id, seen);
  }
  return heard;
}

bool SessionRegistry::IsDraining() const {
  absl::MutexLock lock(&mutex_);
  return draining_;
}

size_t SessionRegistry::OpenCount() const {
  absl::MutexLock lock(&mutex_);
  size_t count = 0;
  for (const auto& [id, host] : hosts_) {
    count += (host.session.id != 0 ? 1 : 0) + (host.greeting.id != 0 ? 1 : 0);
  }
  return count;
}

absl::Mutex& SessionRegistry::LeaseLock(const std::string& host_id) {
  return lease_locks_[std::hash<std::string>()(host_id) % lease_locks_.size()];
}

std::vector<std::pair<std::string, std::shared_ptr<OpenSession>>> SessionRegistry::Sessions()
    const {
  std::vector<std::pair<std::string, std::shared_ptr<OpenSession>>> sessions;
  absl::MutexLock lock(&mutex_);
  sessions.reserve(sessions_);
  for (const auto& [id, host] : hosts_) {
    if (auto session = host.session.session.lock()) sessions.emplace_back(id, std::move(session));
  }
  return sessions;
}

std::vector<std::shared_ptr<OpenSession>> SessionRegistry::All() const {
  std::vector<std::shared_ptr<OpenSession>> all;
  absl::MutexLock lock(&mutex_);
  all.reserve(hosts_.size());
  for (const auto& [id, host] : hosts_) {
    for (const Stream* stream : {&host.session, &host.greeting}) {
      if (auto session = stream->session.lock()) all.push_back(std::move(session));
    }
  }
  return all;
}

}  // namespace plimsoll::gateway
