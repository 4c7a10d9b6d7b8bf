#include "collector/tracker/watcher.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "collector/host/engine_events.h"
#include "collector/host/file_watcher.h"
#include "collector/host/process_watch.h"
#include "collector/sources/engine_api.h"
#include "collector/tracker/engine_listener.h"
#include "collector/tracker/scope_queue.h"
#include "collector/tracker/watch_list.h"

namespace plimsoll::tracker {
namespace {

using host::FileWatcher;
using sources::Scope;
using Steady = std::chrono::steady_clock;

// Mounts come and go with every container: one look for all of a moment.
constexpr std::chrono::milliseconds kMountsPause(500);
constexpr absl::Duration kLongestReconnectPause = absl::Seconds(5);
// Users come from files that are watched, and from directories that are slow to ask.
constexpr int kPollsForUsers = 10;

// What is watched of one host, as the last facts tell.
struct Followed {
  WatchLists lists;
  int64_t pid = 0;
};

host::EngineEventsOptions EventsOptions(const Watcher::Options& options) {
  host::EngineEventsOptions events;
  events.socket_path = options.socket_path;
  return events;
}

ScopeQueue::Options QueueOptions(const Watcher::Options& options) {
  ScopeQueue::Options queue;
  queue.quiet = options.quiet;
  queue.longest_quiet = 10 * options.quiet;
  queue.max_per_object_a_minute = options.max_per_object_a_minute;
  return queue;
}

// Equal inputs of MakeWatchLists, and of the rest of Follow, have equal fingerprints.
size_t Fingerprint(const v1::CollectionPlan& plan, const v1::HostFacts& facts) {
  const v1::DaemonFacts& daemon = facts.daemon();
  size_t hash =
      absl::HashOf(daemon.pid(), daemon.start_time().seconds(), daemon.start_time().nanos(),
                   daemon.config_file().path(), facts.engine().docker_root_dir(),
                   facts.engine().api_version(), facts.machine().engine_namespaces().mnt(),
                   facts.machine().init_namespaces().mnt(), facts.has_machine());
  for (const std::string& path : plan.paths()) hash = absl::HashOf(hash, path);
  for (const std::string& unit : plan.units()) hash = absl::HashOf(hash, 'u', unit);
  for (const v1::FileFact& file : facts.files().files()) hash = absl::HashOf(hash, file.path());
  for (const v1::Unit& unit : facts.units().units()) {
    hash = absl::HashOf(hash, unit.fragment_path(), unit.load_state());
    for (const std::string& path : unit.drop_in_paths()) hash = absl::HashOf(hash, path);
  }
  return hash;
}

}  // namespace

// One thread waits for descriptors and timers; EngineListener has the other.
class Watcher::State {
 public:
  State(const support::Clock& clock, Options options, std::function<void()> wake)
      : clock_(clock),
        options_(std::move(options)),
        wake_(std::move(wake)),
        queue_(QueueOptions(options_)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        kick_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        host_files_(options_.host_root, options_.max_file_watches),
        events_(EventsOptions(options_)) {
    Poll(kick_, EPOLLIN);
    Poll(host_files_.fd(), EPOLLIN);
    next_poll_ = Steady::now() + absl::ToChronoNanoseconds(options_.poll_interval);
    thread_ = std::thread([this] { Run(); });
    listener_.emplace(events_, clock_, std::min(kLongestReconnectPause, options_.poll_interval),
                      [this](const Scope& scope, bool urgent) { Note(scope, urgent); });
  }

  ~State() {
    {
      absl::MutexLock lock(&mutex_);
      stop_ = true;
    }
    Kick();
    thread_.join();
    listener_.reset();
    close(kick_);
    close(epoll_);
  }

  void Follow(const v1::CollectionPlan& plan, const v1::HostFacts& facts) {
    const size_t fingerprint = Fingerprint(plan, facts);
    {
      absl::MutexLock lock(&mutex_);
      if (fingerprint == fingerprint_) return;
      fingerprint_ = fingerprint;
    }
    Followed wanted;
    wanted.lists = MakeWatchLists(plan, facts);
    wanted.pid = facts.daemon().pid();
    // The socket's path is ours, not the host's. It tells when the engine is back, no more.
    if (options_.host_root == "/") wanted.lists.host.targets[options_.socket_path];
    const absl::StatusOr<std::string> prefix = sources::SettleVersion(facts.engine());
    if (prefix.ok()) listener_->SetApiPrefix(*prefix);
    {
      absl::MutexLock lock(&mutex_);
      wanted_ = std::move(wanted);
    }
    Kick();
  }

  Scope Take() {
    Scope scope;
    bool more = false;
    {
      absl::MutexLock lock(&mutex_);
      scope = queue_.Take(clock_.Now());
      more = std::exchange(notified_, false) && queue_.NextDue() != absl::InfiniteFuture();
    }
    if (more) Kick();
    return scope;
  }

  absl::Time NextDue() const {
    absl::MutexLock lock(&mutex_);
    return queue_.NextDue();
  }

  Counters counters() const {
    const EngineListener::Counters engine = listener_->counters();
    absl::MutexLock lock(&mutex_);
    return {engine.events, engine.skipped_lines, engine.connections, engine.connected,
            files_watched_};
  }

 private:
  // Any thread.
  void Note(const Scope& scope, bool urgent = false) {
    if (scope.empty()) return;
    bool pending = false;
    {
      absl::MutexLock lock(&mutex_);
      queue_.Add(scope, clock_.Now(), urgent);
      pending = !notified_;
    }
    if (pending && !WakeIfDue()) Kick();
  }

  // Any thread. False: nothing is due yet, or the owner knows.
  bool WakeIfDue() {
    {
      absl::MutexLock lock(&mutex_);
      if (notified_ || queue_.NextDue() > clock_.Now()) return false;
      notified_ = true;
    }
    wake_();
    return true;
  }

  void Kick() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(kick_, &one, sizeof(one));
  }

  // Below: the thread alone.

  void Poll(int fd, uint32_t events) const {
    if (fd < 0) return;
    epoll_event event = {};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  // Milliseconds to sleep; -1: for ever.
  int Timeout() const {
    absl::Duration wait = absl::InfiniteDuration();
    const auto until = [&](Steady::time_point time) {
      wait = std::min(wait, absl::FromChrono(time - Steady::now()));
    };
    if (following_) until(next_poll_);
    if (look_at_mounts_.has_value()) until(*look_at_mounts_);
    {
      absl::MutexLock lock(&mutex_);
      if (!notified_) wait = std::min(wait, queue_.NextDue() - clock_.Now());
    }
    if (wait == absl::InfiniteDuration()) return -1;
    const int64_t ms = absl::ToInt64Milliseconds(wait + absl::Microseconds(999));
    return static_cast<int>(std::clamp<int64_t>(ms, 0, 1000000));
  }

  void Run() {
    while (true) {
      std::optional<Followed> wanted;
      {
        absl::MutexLock lock(&mutex_);
        if (stop_) return;
        wanted = std::exchange(wanted_, std::nullopt);
      }
      if (wanted.has_value()) Rearm(*std::move(wanted));
      WakeIfDue();
      std::array<epoll_event, 8> events;
      const int count = epoll_wait(epoll_, events.data(), events.size(), Timeout());
      for (int i = 0; i < count; ++i) Handle(events[i].data.fd);
      const Steady::time_point now = Steady::now();
      if (look_at_mounts_.has_value() && now >= *look_at_mounts_) LookAtMounts();
      if (following_ && now >= next_poll_) PollSlowly();
    }
  }

  void Handle(int fd) {
    if (fd == kick_) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = read(kick_, &count, sizeof(count));
    } else if (fd == host_files_.fd()) {
      Changed(host_files_.Read(), lists_.host);
    } else if (engine_files_.has_value() && fd == engine_files_->fd()) {
      Changed(engine_files_->Read(), lists_.engine);
    } else if (process_.has_value() && fd == process_->exit_fd()) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
      EngineGone();
    } else if (process_.has_value() && fd == process_->mounts_fd()) {
      if (!look_at_mounts_.has_value()) look_at_mounts_ = Steady::now() + kMountsPause;
    }
  }

  void EngineGone() {
    Scope scope;
    scope.all = true;
    Note(scope);
  }

  void Changed(const FileWatcher::Changes& changes, const WatchList& list) {
    Scope scope;
    for (const std::string& path : changes.paths) {
      const auto found = list.scopes.find(path);
      if (found != list.scopes.end()) scope.Merge(found->second);
      if (path == options_.socket_path) listener_->Retry();
    }
    SetFilesWatched();
    Note(scope);
  }

  void SetFilesWatched() {
    absl::MutexLock lock(&mutex_);
    files_watched_ = following_ && host_files_.complete() &&
                     (!engine_files_.has_value() || engine_files_->complete());
  }

  void Rearm(Followed wanted) {
    following_ = true;
    if (!process_.has_value() || wanted.pid != pid_) WatchProcess(wanted.pid);
    lists_ = std::move(wanted.lists);
    if (!engine_files_.has_value() && !lists_.engine.targets.empty()) {
      engine_files_.emplace(
          absl::StrCat(absl::StripSuffix(options_.host_root, "/"), "/proc/", pid_, "/root"),
          options_.max_file_watches);
      Poll(engine_files_->fd(), EPOLLIN);
    }
    if (lists_.engine.targets.empty()) engine_files_.reset();
    Changed(host_files_.Watch(lists_.host.targets), lists_.host);
    if (engine_files_.has_value()) {
      Changed(engine_files_->Watch(lists_.engine.targets), lists_.engine);
    }
  }

  // Closing a descriptor takes it out of the epoll set.
  void WatchProcess(int64_t pid) {
    pid_ = pid;
    engine_files_.reset();
    process_.emplace(options_.host_root, pid);
    Poll(process_->exit_fd(), EPOLLIN);
    Poll(process_->mounts_fd(), EPOLLPRI | EPOLLERR);
    if (process_->gone()) EngineGone();
  }

  // What is mounted over a path hides it without a word from inotify.
  void LookAtMounts() {
    look_at_mounts_.reset();
    Scope scope;
    scope.mounts = true;
    Note(scope);
    Changed(host_files_.Recheck(), lists_.host);
    if (engine_files_.has_value()) Changed(engine_files_->Recheck(), lists_.engine);
  }

  void PollSlowly() {
    next_poll_ = Steady::now() + absl::ToChronoNanoseconds(options_.poll_interval);
    Scope scope;
    scope.audit = scope.listeners = true;
    scope.users = ++polls_ % kPollsForUsers == 0;
    scope.mounts = !process_.has_value() || process_->mounts_fd() < 0;
    SetFilesWatched();
    if (!counters().files_watched) scope.files = scope.daemon = scope.users = true;
    Note(scope);
  }

  const support::Clock& clock_;
  const Options options_;
  const std::function<void()> wake_;

  mutable absl::Mutex mutex_;
  ScopeQueue queue_ ABSL_GUARDED_BY(mutex_);
  // The owner was told, and has not taken yet.
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool files_watched_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<Followed> wanted_ ABSL_GUARDED_BY(mutex_);
  std::optional<size_t> fingerprint_ ABSL_GUARDED_BY(mutex_);

  const int epoll_;
  const int kick_;
  // Of the thread alone.
  bool following_ = false;
  int64_t pid_ = 0;
  int polls_ = 0;
  WatchLists lists_;
  FileWatcher host_files_;
  std::optional<FileWatcher> engine_files_;
  std::optional<host::ProcessWatch> process_;
  std::optional<Steady::time_point> look_at_mounts_;
  Steady::time_point next_poll_;

  host::UnixEngineEvents events_;
  std::optional<EngineListener> listener_;
  std::thread thread_;
};

Watcher::Watcher(host::HostEnv& env, Options options, std::function<void()> wake)
    : state_(std::make_unique<State>(env.clock, std::move(options), std::move(wake))) {}

Watcher::~Watcher() = default;

void Watcher::Follow(const v1::CollectionPlan& plan, const v1::HostFacts& facts) {
  state_->Follow(plan, facts);
}

Scope Watcher::Take() { return state_->Take(); }

absl::Time Watcher::NextDue() const { return state_->NextDue(); }

Watcher::Counters Watcher::counters() const { return state_->counters(); }

}  // namespace plimsoll::tracker
