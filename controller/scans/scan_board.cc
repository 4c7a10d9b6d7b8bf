#include "controller/scans/scan_board.h"

#include <spdlog/spdlog.h>

#include <map>
#include <utility>
#include <vector>

namespace plimsoll::scans {

// Who wants to know of what. Kept apart so that the header needs no containers.
struct ScanBoard::State {
  struct Session {
    uint64_t id = 0;
    Ask ask;
  };
  absl::Mutex mutex;
  std::map<std::string, Session> sessions ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::map<uint64_t, std::function<void()>>> watchers ABSL_GUARDED_BY(mutex);
  uint64_t next_watch ABSL_GUARDED_BY(mutex) = 1;

  Ask AskOf(const std::string& host_id) {
    absl::MutexLock lock(&mutex);
    const auto it = sessions.find(host_id);
    return it == sessions.end() ? Ask() : it->second.ask;
  }

  void Notify(const std::string& scan_id) {
    std::vector<std::function<void()>> calls;
    {
      absl::MutexLock lock(&mutex);
      const auto it = watchers.find(scan_id);
      if (it == watchers.end()) return;
      for (const auto& [handle, call] : it->second) calls.push_back(call);
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
  for (const std::string& host_id : scan.host_ids) {
    if (Ask ask = state_->AskOf(host_id)) {
      if (auto status = store_.MarkRequested(scan.id, host_id); !status.ok()) return status;
      ask({scan.id, scan.deadline});
    }
  }
  return store_.Get(scan.id);
}

absl::StatusOr<v1::Scan> ScanBoard::Get(const std::string& id) { return store_.Get(id); }

void ScanBoard::AddSession(const std::string& host_id, uint64_t session_id, Ask ask) {
  {
    absl::MutexLock lock(&state_->mutex);
    state_->sessions[host_id] = {session_id, ask};
  }
  auto pending = store_.PendingForHost(host_id);
  if (!pending.ok()) {
    spdlog::warn("pending scans unknown host={} error=\"{}\"", host_id,
                 pending.status().ToString());
    return;
  }
  for (const store::PendingScan& scan : *pending) {
    if (auto status = store_.MarkRequested(scan.scan_id, host_id); !status.ok()) {
      spdlog::warn("scan not marked scan={} host={} error=\"{}\"", scan.scan_id, host_id,
                   status.ToString());
    }
    ask(scan);
    state_->Notify(scan.scan_id);
  }
}

void ScanBoard::RemoveSession(const std::string& host_id, uint64_t session_id) {
  absl::MutexLock lock(&state_->mutex);
  const auto it = state_->sessions.find(host_id);
  if (it != state_->sessions.end() && it->second.id == session_id) state_->sessions.erase(it);
}

void ScanBoard::Answered(const std::vector<std::string>& scan_ids) {
  if (scan_ids.empty()) return;
  Tick();
  for (const std::string& id : scan_ids) state_->Notify(id);
}

void ScanBoard::Failed(const std::string& scan_id, const std::string& host_id,
                       const std::string& message) {
  if (auto status = store_.MarkFailed(scan_id, host_id, message); !status.ok()) {
    spdlog::warn("scan failure not stored scan={} host={} error=\"{}\"", scan_id, host_id,
                 status.ToString());
  }
  Answered({scan_id});
}

uint64_t ScanBoard::Watch(const std::string& id, std::function<void()> changed) {
  absl::MutexLock lock(&state_->mutex);
  const uint64_t handle = state_->next_watch++;
  state_->watchers[id].emplace(handle, std::move(changed));
  return handle;
}

void ScanBoard::Unwatch(const std::string& id, uint64_t handle) {
  absl::MutexLock lock(&state_->mutex);
  const auto it = state_->watchers.find(id);
  if (it == state_->watchers.end()) return;
  it->second.erase(handle);
  if (it->second.empty()) state_->watchers.erase(it);
}

void ScanBoard::Tick() {
  auto settled = store_.Settle(clock_.Now());
  if (!settled.ok()) {
    spdlog::warn("scans not settled error=\"{}\"", settled.status().ToString());
    return;
  }
  for (const std::string& id : *settled) state_->Notify(id);
}

}  // namespace plimsoll::scans
