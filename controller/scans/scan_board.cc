#include "controller/scans/scan_board.h"

#include <spdlog/spdlog.h>

#include <map>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::scans {
namespace {

constexpr absl::Duration kTellInterval = absl::Milliseconds(250);
constexpr absl::Duration kTellIntervalLarge = absl::Seconds(1);
// Looking whether a large scan is done costs too much to do it at every answer.
constexpr int kSmallScan = 100;
constexpr absl::Duration kFinishInterval = absl::Milliseconds(500);

bool Within(absl::Time now, absl::Time last, absl::Duration interval) {
  return now >= last && now - last < interval;
}

}  // namespace

// What this controller knows beside the store: its sessions, whom it has asked, who watches.
struct ScanBoard::State {
  struct Session {
    uint64_t id = 0;
    Ask ask;
  };
  // A scan that runs.
  struct Running {
    // Of the tick during which it became known: a later one may forget it.
    uint64_t tick = 0;
    // The sessions here were asked, or are being asked.
    bool learned = false;
    int targeted = 0;
    absl::Time last_finish = absl::InfinitePast();
    // Host to session.
    absl::flat_hash_map<std::string, uint64_t> asked;
  };
  struct Watched {
    std::map<uint64_t, std::function<void()>> watchers;
    absl::Time last_told = absl::InfinitePast();
    // Goes up whenever watchers are told.
    uint64_t version = 1;
    // Scan as loaded for `cached_version`.
    uint64_t cached_version = 0;
    v1::Scan cached;
    // Held while loading.
    const std::shared_ptr<absl::Mutex> loading = std::make_shared<absl::Mutex>();
  };

  absl::Mutex mutex;
  absl::flat_hash_map<std::string, Session> sessions ABSL_GUARDED_BY(mutex);
  // Host to session, where the database did not say what the host owes.
  std::map<std::string, uint64_t> unasked ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<std::string, Running> running ABSL_GUARDED_BY(mutex);
  std::map<std::string, Watched> watched ABSL_GUARDED_BY(mutex);
  uint64_t next_watch ABSL_GUARDED_BY(mutex) = 1;
  uint64_t tick ABSL_GUARDED_BY(mutex) = 0;

  Running& Remember(const std::string& scan_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto [it, added] = running.try_emplace(scan_id);
    if (added) it->second.tick = tick;
    return it->second;
  }

  void Tell(const std::string& scan_id, absl::Time now, bool at_once) ABSL_LOCKS_EXCLUDED(mutex) {
    std::vector<std::function<void()>> calls;
    {
      absl::MutexLock lock(&mutex);
      const auto it = watched.find(scan_id);
      if (it == watched.end()) return;
      const auto scan = running.find(scan_id);
      const bool large = scan != running.end() && scan->second.targeted > store::kMostScanHosts;
      if (!at_once &&
          Within(now, it->second.last_told, large ? kTellIntervalLarge : kTellInterval)) {
        return;
      }
      it->second.last_told = now;
      ++it->second.version;
      for (const auto& [handle, call] : it->second.watchers) calls.push_back(call);
    }
    for (const auto& call : calls) call();
  }
};

ScanBoard::ScanBoard(store::ScanStore& store, const support::Clock& clock)
    : store_(store), clock_(clock), state_(std::make_shared<State>()) {}

absl::StatusOr<v1::Scan> ScanBoard::Create(const store::NewScan& scan) {
  auto created = store_.Create(scan);
  if (!created.ok()) return created;
  // A repeated idempotency key returns the earlier scan, whose hosts were told already.
  if (created->id() != scan.id) return created;
  spdlog::info("scan created scan={} hosts={} by={}", scan.id, scan.host_ids.size(),
               scan.created_by);
  if (Learn(scan.id)) return store_.Get(scan.id);
  return created;
}

absl::StatusOr<v1::Scan> ScanBoard::Get(const std::string& id) { return store_.Get(id); }

absl::StatusOr<v1::Scan> ScanBoard::Cancel(const std::string& id) {
  auto scan = store_.Cancel(id, clock_.Now());
  if (scan.ok()) End({scan->id()});
  return scan;
}

bool ScanBoard::Learn(const std::string& id) {
  {
    absl::MutexLock lock(&state_->mutex);
    if (std::exchange(state_->Remember(id).learned, true)) return false;
  }
  const auto open = store_.GetOpen(id);
  if (!open.ok()) spdlog::warn("scan not read scan={} error=\"{}\"", id, open.status().ToString());
  std::vector<Ask> calls;
  std::vector<std::string> newly;
  {
    absl::MutexLock lock(&state_->mutex);
    if (!open.ok() || !open->running) {
      // Not read: the next tick tries again.
      state_->running.erase(id);
      return false;
    }
    State::Running& scan = state_->Remember(id);
    scan.learned = true;
    scan.targeted = open->targeted;
    for (const auto* hosts : {&open->offline, &open->requested}) {
      for (const std::string& host_id : *hosts) {
        const auto session = state_->sessions.find(host_id);
        if (session == state_->sessions.end()) continue;
        if (std::exchange(scan.asked[host_id], session->second.id) == session->second.id) continue;
        calls.push_back(session->second.ask);
        if (hosts == &open->offline) newly.push_back(host_id);
      }
    }
  }
  if (auto status = store_.MarkRequested(id, newly); !status.ok()) {
    spdlog::warn("scan not marked scan={} hosts={} error=\"{}\"", id, newly.size(),
                 status.ToString());
  }
  for (const Ask& ask : calls) ask({id, open->deadline});
  return !newly.empty();
}

void ScanBoard::AddSession(const std::string& host_id, uint64_t session_id, Ask ask) {
  {
    absl::MutexLock lock(&state_->mutex);
    State::Session& session = state_->sessions[host_id];
    // A newer one was added first.
    if (session.id > session_id) return;
    session = {session_id, ask};
  }
  if (AskPending(host_id, session_id, ask)) return;
  absl::MutexLock lock(&state_->mutex);
  state_->unasked[host_id] = session_id;
}

bool ScanBoard::AskPending(const std::string& host_id, uint64_t session_id, const Ask& ask) {
  auto pending = store_.TakePending(host_id);
  if (!pending.ok()) {
    spdlog::warn("pending scans unknown host={} error=\"{}\"", host_id,
                 pending.status().ToString());
    return false;
  }
  for (const store::PendingScan& scan : *pending) {
    {
      absl::MutexLock lock(&state_->mutex);
      uint64_t& asked = state_->Remember(scan.scan_id).asked[host_id];
      if (std::exchange(asked, session_id) == session_id) continue;
    }
    ask(scan);
    state_->Tell(scan.scan_id, clock_.Now(), false);
  }
  return true;
}

void ScanBoard::AskAgain() {
  while (true) {
    std::string host_id;
    State::Session session;
    {
      absl::MutexLock lock(&state_->mutex);
      const auto first = state_->unasked.begin();
      if (first == state_->unasked.end()) return;
      host_id = first->first;
      const auto open = state_->sessions.find(host_id);
      if (open == state_->sessions.end() || open->second.id != first->second) {
        state_->unasked.erase(first);
        continue;
      }
      session = open->second;
    }
    // The next tick tries again.
    if (!AskPending(host_id, session.id, session.ask)) return;
    absl::MutexLock lock(&state_->mutex);
    const auto done = state_->unasked.find(host_id);
    if (done != state_->unasked.end() && done->second == session.id) state_->unasked.erase(done);
  }
}

void ScanBoard::RemoveSession(const std::string& host_id, uint64_t session_id) {
  absl::MutexLock lock(&state_->mutex);
  const auto it = state_->sessions.find(host_id);
  if (it != state_->sessions.end() && it->second.id == session_id) state_->sessions.erase(it);
}

void ScanBoard::Answered(const std::vector<std::string>& scan_ids) {
  if (scan_ids.empty()) return;
  const absl::Time now = clock_.Now();
  std::vector<std::string> perhaps_done;
  {
    absl::MutexLock lock(&state_->mutex);
    for (const std::string& id : scan_ids) {
      const auto it = state_->running.find(id);
      if (it != state_->running.end() && it->second.targeted > kSmallScan) {
        if (Within(now, it->second.last_finish, kFinishInterval)) continue;
        it->second.last_finish = now;
      }
      perhaps_done.push_back(id);
    }
  }
  auto ended = store_.Finish(perhaps_done, now);
  if (!ended.ok()) spdlog::warn("scans not settled error=\"{}\"", ended.status().ToString());
  if (ended.ok()) End(*ended);
  for (const std::string& id : scan_ids) state_->Tell(id, now, false);
}

void ScanBoard::Failed(const std::string& scan_id, const std::string& host_id,
                       const std::string& message) {
  if (auto status = store_.MarkFailed(scan_id, host_id, message); !status.ok()) {
    spdlog::warn("scan failure not stored scan={} host={} error=\"{}\"", scan_id, host_id,
                 status.ToString());
  }
  Answered({scan_id});
}

void ScanBoard::OnScanChanged(const std::string& id) {
  Learn(id);
  state_->Tell(id, clock_.Now(), false);
}

void ScanBoard::End(const std::vector<std::string>& ids) {
  {
    absl::MutexLock lock(&state_->mutex);
    for (const std::string& id : ids) state_->running.erase(id);
  }
  for (const std::string& id : ids) state_->Tell(id, clock_.Now(), true);
}

uint64_t ScanBoard::Watch(const std::string& id, std::function<void()> changed) {
  absl::MutexLock lock(&state_->mutex);
  const uint64_t handle = state_->next_watch++;
  state_->watched[id].watchers.emplace(handle, std::move(changed));
  return handle;
}

void ScanBoard::Unwatch(const std::string& id, uint64_t handle) {
  absl::MutexLock lock(&state_->mutex);
  const auto it = state_->watched.find(id);
  if (it == state_->watched.end()) return;
  it->second.watchers.erase(handle);
  if (it->second.watchers.empty()) state_->watched.erase(it);
}

absl::StatusOr<v1::Scan> ScanBoard::Observe(const std::string& id) {
  std::shared_ptr<absl::Mutex> loading;
  {
    absl::MutexLock lock(&state_->mutex);
    const auto it = state_->watched.find(id);
    if (it != state_->watched.end()) loading = it->second.loading;
  }
  if (loading == nullptr) return store_.Get(id);
  absl::MutexLock one_at_a_time(loading.get());
  uint64_t version = 0;
  {
    absl::MutexLock lock(&state_->mutex);
    const auto it = state_->watched.find(id);
    if (it != state_->watched.end()) {
      version = it->second.version;
      if (it->second.cached_version == version) return it->second.cached;
    }
  }
  auto scan = store_.Get(id);
  if (!scan.ok()) return scan;
  absl::MutexLock lock(&state_->mutex);
  const auto it = state_->watched.find(id);
  if (it != state_->watched.end()) {
    it->second.cached_version = version;
    it->second.cached = *scan;
  }
  return scan;
}

void ScanBoard::Tick() {
  uint64_t tick = 0;
  {
    absl::MutexLock lock(&state_->mutex);
    tick = ++state_->tick;
  }
  auto settled = store_.Settle(clock_.Now());
  if (!settled.ok()) {
    spdlog::warn("scans not settled error=\"{}\"", settled.status().ToString());
  }
  const auto running = store_.ListRunning();
  if (!running.ok()) {
    spdlog::warn("running scans unknown error=\"{}\"", running.status().ToString());
    return;
  }
  for (const std::string& id : *running) Learn(id);
  AskAgain();
  const absl::flat_hash_set<std::string> alive(running->begin(), running->end());
  std::vector<std::string> watched;
  {
    absl::MutexLock lock(&state_->mutex);
    // Scans that became known after the list was asked for are left alone.
    absl::erase_if(state_->running, [&](const auto& entry) {
      return entry.second.tick < tick && !alive.contains(entry.first);
    });
    for (const auto& [id, watchers] : state_->watched) watched.push_back(id);
  }
  for (const std::string& id : watched) state_->Tell(id, clock_.Now(), true);
}

}  // namespace plimsoll::scans
