#include "collector/tracker/engine_listener.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "collector/tracker/event_scope.h"

namespace plimsoll::tracker {
namespace {

using sources::Scope;

constexpr absl::Duration kShortestPause = absl::Milliseconds(50);
// A stream that ends sooner is opened again after a pause only.
constexpr std::chrono::seconds kLasting(1);

// Whatever the engine alone can tell.
Scope EngineScope() {
  Scope scope;
  scope.container_list = scope.image_list = scope.networks = scope.volumes = scope.daemon = true;
  return scope;
}

Scope AllScope() {
  Scope scope;
  scope.all = true;
  return scope;
}

}  // namespace

EngineListener::EngineListener(host::EngineEvents& events, const support::Clock& clock,
                               absl::Duration longest_pause,
                               std::function<void(const Scope&, bool)> note)
    : events_(events),
      clock_(clock),
      longest_pause_(longest_pause),
      note_(std::move(note)),
      pause_(kShortestPause),
      thread_([this] { Run(); }) {}

EngineListener::~EngineListener() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  events_.Cancel();
  thread_.join();
}

void EngineListener::SetApiPrefix(const std::string& prefix) {
  absl::MutexLock lock(&mutex_);
  prefix_ = prefix;
}

void EngineListener::Retry() {
  absl::MutexLock lock(&mutex_);
  retry_ = true;
}

EngineListener::Counters EngineListener::counters() const {
  absl::MutexLock lock(&mutex_);
  return counters_;
}

void EngineListener::Run() {
  host::EngineEventSink sink;
  sink.opened = [this] { Opened(); };
  sink.event = [this](const host::EngineEvent& event) { Heard(event); };
  sink.skipped = [this] { Skipped(); };
  // A version that the engine refuses is not asked for again.
  std::string refused;
  while (true) {
    std::string prefix;
    {
      absl::MutexLock lock(&mutex_);
      if (stop_) return;
      if (prefix_ != refused) prefix = prefix_;
      retry_ = false;
    }
    const auto start = std::chrono::steady_clock::now();
    const absl::Status status = events_.Stream(EventsPath(prefix, since_), sink);
    const bool lasted = std::chrono::steady_clock::now() - start > kLasting;
    bool was_connected = false;
    {
      absl::MutexLock lock(&mutex_);
      if (stop_) return;
      was_connected = std::exchange(counters_.connected, false);
    }
    if (absl::IsInvalidArgument(status)) refused = prefix;
    if (was_connected && lasted) {
      // A second try at once tells an engine that is away from a stream that merely ended.
      pause_ = kShortestPause;
      continue;
    }
    if (!was_connected && !away_) {
      away_ = true;
      spdlog::warn("no events from the engine: {}", status.ToString());
      note_(AllScope(), false);
    }
    if (!Pause(status)) return;
  }
}

bool EngineListener::Pause(const absl::Status& status) {
  // Rights do not come back by themselves.
  if (absl::IsPermissionDenied(status)) pause_ = longest_pause_;
  absl::MutexLock lock(&mutex_);
  const auto go_on = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stop_ || retry_; };
  mutex_.AwaitWithTimeout(absl::Condition(&go_on), pause_);
  pause_ = retry_ ? kShortestPause : std::min(2 * pause_, longest_pause_);
  return !stop_;
}

void EngineListener::Opened() {
  {
    absl::MutexLock lock(&mutex_);
    ++counters_.connections;
    counters_.connected = true;
  }
  if (away_) spdlog::info("events from the engine again");
  note_(away_ ? AllScope() : EngineScope(), false);
  away_ = false;
}

void EngineListener::Heard(const host::EngineEvent& event) {
  {
    absl::MutexLock lock(&mutex_);
    ++counters_.events;
  }
  // An engine that names a time to come would have us wait for it.
  const absl::Time at = std::min(absl::FromUnixNanos(event.time_ns), clock_.Now());
  since_ = std::max(since_, at);
  const Scope scope = ScopeOf(event);
  if (!scope.empty()) note_(scope, IsUrgent(event));
}

void EngineListener::Skipped() {
  {
    absl::MutexLock lock(&mutex_);
    ++counters_.skipped_lines;
  }
  note_(EngineScope(), false);
}

}  // namespace plimsoll::tracker
