#include "collector/tracker/watcher.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "tests/support/fake_engine_host.h"
#include "tests/support/unix_server.h"

namespace plimsoll::tracker {
namespace {

namespace fs = std::filesystem;
using sources::Scope;
using test::Peer;
using test::UnixServer;

constexpr absl::Duration kLong = absl::Seconds(20);

std::string Event(const std::string& type, const std::string& action, const std::string& id,
                  int64_t time_ns = 0) {
  return absl::StrFormat(
      R"({"Type":"%s","Action":"%s","Actor":{"ID":"%s","Attributes":{}},"timeNano":%d})"
      "\n",
      type, action, id, time_ns);
}

// An engine that streams what a test gives it, on whatever connection is open.
class FakeEngine {
 public:
  FakeEngine() { Start(); }
  void Start() {
    SetStopped(false);
    server_ = std::make_unique<UnixServer>([this](Peer& peer) { Serve(peer); });
  }
  // Closes the socket and every connection.
  void Stop() {
    SetStopped(true);
    server_.reset();
  }
  const std::string& path() const { return server_->path(); }

  void Send(const std::string& line) {
    absl::MutexLock lock(&mutex_);
    lines_.push_back(line);
  }
  // Ends the stream that is open.
  void Close() {
    absl::MutexLock lock(&mutex_);
    ++closed_;
  }
  std::vector<std::string> requests() const {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }

 private:
  void SetStopped(bool stopped) {
    absl::MutexLock lock(&mutex_);
    stopped_ = stopped;
  }
  void Serve(Peer& peer) {
    const std::string request = peer.NextRequest();
    int closed = 0;
    {
      absl::MutexLock lock(&mutex_);
      requests_.push_back(request);
      closed = closed_;
    }
    peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (true) {
      std::string line;
      {
        absl::MutexLock lock(&mutex_);
        const auto over = [&] { return stopped_ || closed_ != closed; };
        const auto ready = [&] { return !lines_.empty() || over(); };
        mutex_.Await(absl::Condition(&ready));
        if (over()) return;
        line = lines_.front();
        lines_.erase(lines_.begin());
      }
      peer.Send(absl::StrFormat("%x\r\n%s\r\n", line.size(), line));
    }
  }

  mutable absl::Mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<std::string> requests_;
  int closed_ = 0;
  bool stopped_ = false;
  std::unique_ptr<UnixServer> server_;
};

class WatcherTest : public testing::Test {
 protected:
  WatcherTest() {
    char directory[] = "/tmp/plimsoll-watcher-XXXXXX";
    root_ = mkdtemp(directory);
    fs::create_directories(root_ + "/etc/docker");
    fs::create_directories(root_ + "/etc/audit");
    fs::create_directories(root_ + "/usr/lib/systemd/system");
    plan_.add_units("docker.service");
    plan_.add_paths("/etc/docker/daemon.json");
  }
  ~WatcherTest() override {
    watcher_.reset();
    engine_.Stop();
    fs::remove_all(root_);
  }

  void Start(const std::string& host_root, absl::Duration poll_interval = absl::Hours(1)) {
    Watcher::Options options;
    options.socket_path = engine_.path();
    options.host_root = host_root;
    options.poll_interval = poll_interval;
    watcher_ = std::make_unique<Watcher>(env_, options, [this] {
      absl::MutexLock lock(&mutex_);
      ++wakes_;
    });
  }
  // The next scope, once the watcher has called.
  Scope Next() {
    {
      absl::MutexLock lock(&mutex_);
      const auto woken = [this] { return wakes_ > 0; };
      if (!mutex_.AwaitWithTimeout(absl::Condition(&woken), kLong)) return {};
      --wakes_;
    }
    return watcher_->Take();
  }
  // All scopes until `wanted` holds of their sum.
  Scope Until(const std::function<bool(const Scope&)>& wanted) {
    Scope sum;
    while (!wanted(sum)) {
      const Scope next = Next();
      if (next.empty()) {
        ADD_FAILURE() << "the watcher stays silent";
        break;
      }
      sum.Merge(next);
    }
    return sum;
  }
  void Connect() {
    EXPECT_TRUE(Until([](const Scope& s) { return s.container_list; }).daemon);
  }
  // Nothing is pending, and nothing comes by itself.
  void ExpectSilence() {
    EXPECT_EQ(watcher_->NextDue(), absl::InfiniteFuture());
    absl::MutexLock lock(&mutex_);
    EXPECT_EQ(wakes_, 0);
  }
  void Write(const std::string& path, const std::string& text) const {
    std::ofstream(root_ + path) << text;
  }

  test::FakeEngineHost host_;
  host::HostEnv env_{host_.docker, host_.files,   host_.env.files_of_process, host_.audit,
                     host_.names,  host_.systemd, support::Clock::Real()};
  FakeEngine engine_;
  std::string root_;
  v1::CollectionPlan plan_;
  v1::HostFacts facts_;
  absl::Mutex mutex_;
  int wakes_ = 0;
  std::unique_ptr<Watcher> watcher_;
};

TEST_F(WatcherTest, AnEventBecomesItsScope) {
  Start(root_);
  const Scope first = Next();
  EXPECT_TRUE(first.container_list && first.image_list && first.networks && first.volumes &&
              first.daemon)
      << "whatever was missed before the connection";
  EXPECT_FALSE(first.all);
  engine_.Send(Event("container", "create", "c1"));
  EXPECT_EQ(Next().containers, std::set<std::string>{"c1"});
  engine_.Send(Event("container", "exec_start: sh", "c1"));
  engine_.Send(Event("image", "tag", "sha256:ab"));
  const Scope image = Next();
  EXPECT_EQ(image.images, std::set<std::string>{"sha256:ab"});
  EXPECT_TRUE(image.containers.empty());
  ExpectSilence();
  EXPECT_EQ(watcher_->counters().events, 3);
  EXPECT_TRUE(watcher_->counters().connected);
}

TEST_F(WatcherTest, AStreamThatEndedGoesOnWhereItWasAndIsMadeUpFor) {
  Start(root_);
  Connect();
  engine_.Send(Event("container", "start", "c1", 1700000000000000007));
  EXPECT_EQ(Next().containers.size(), 1u);
  engine_.Close();
  const Scope again = Next();
  EXPECT_TRUE(again.container_list && again.image_list && again.networks && again.volumes);
  EXPECT_FALSE(again.all) << "the engine was not away";
  const std::vector<std::string> requests = engine_.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_TRUE(absl::StartsWith(requests[0], "GET /events?filters="));
  EXPECT_FALSE(absl::StrContains(requests[0], "since"));
  EXPECT_TRUE(absl::StrContains(requests[1], "&since=1700000000.000000007 ")) << requests[1];
}

TEST_F(WatcherTest, TheVersionIsTheOneThatTheFactsSettle) {
  Start(root_);
  Connect();
  facts_.mutable_engine()->set_api_version("1.41");
  facts_.mutable_engine()->set_min_api_version("1.12");
  watcher_->Follow(plan_, facts_);
  engine_.Close();
  Until([](const Scope& s) { return s.container_list; });
  EXPECT_TRUE(absl::StartsWith(engine_.requests().back(), "GET /v1.41/events?"));
}

TEST_F(WatcherTest, TheEngineAwayIsAChangeAndSoIsItsReturn) {
  Start(root_);
  Connect();
  const std::string path = engine_.path();
  engine_.Stop();
  EXPECT_TRUE(Until([](const Scope& s) { return s.all; }).all);
  EXPECT_FALSE(watcher_->counters().connected);
  ExpectSilence();
}

TEST_F(WatcherTest, AnEngineThatStartsLaterIsFound) {
  const std::string path = root_ + "/docker.sock";
  Watcher::Options options;
  options.socket_path = path;
  watcher_ = std::make_unique<Watcher>(env_, options, [this] {
    absl::MutexLock lock(&mutex_);
    ++wakes_;
  });
  EXPECT_TRUE(Next().all) << "away from the beginning";
  // The host's own root: the socket is watched, so the pauses between tries do not count.
  watcher_->Follow(v1::CollectionPlan(), v1::HostFacts());
  fs::create_symlink(engine_.path(), path);
  EXPECT_TRUE(Until([](const Scope& s) { return s.all; }).all);
  EXPECT_TRUE(watcher_->counters().connected);
}

TEST_F(WatcherTest, LinesThatAreNoEventsMeanThatSomethingHappened) {
  Start(root_);
  Connect();
  engine_.Send("{\"Type\": 7}\n");
  EXPECT_TRUE(Next().container_list);
  EXPECT_EQ(watcher_->counters().skipped_lines, 1);
}

TEST_F(WatcherTest, FilesAndWhatFollowsFromThem) {
  Write("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
  Write("/etc/group", "docker:x:999:\n");
  Start(root_);
  Connect();
  watcher_->Follow(plan_, facts_);
  // Whatever happened before they were watched.
  const Scope unseen = Until([](const Scope& s) { return s.files && s.users && s.audit; });
  EXPECT_TRUE(unseen.daemon);
  EXPECT_TRUE(watcher_->counters().files_watched);
  const struct {
    const char* path;
    bool Scope::*changed;
    bool files;
  } kCases[] = {
      {"/etc/docker/daemon.json", &Scope::daemon, true},
      {"/etc/group", &Scope::users, false},
      {"/etc/audit/audit.rules", &Scope::audit, false},
      {"/usr/lib/systemd/system/docker.service", &Scope::daemon, true},
  };
  for (const auto& c : kCases) {
    Write(c.path, "x");
    EXPECT_EQ(Until([&](const Scope& s) { return s.*c.changed; }).files, c.files) << c.path;
  }
  fs::create_directories(root_ + "/etc/systemd/system/docker.service.d");
  EXPECT_TRUE(Until([](const Scope& s) { return s.daemon; }).files);
  Write("/etc/systemd/system/docker.service.d/override.conf", "[Service]\n");
  EXPECT_TRUE(Until([](const Scope& s) { return s.daemon; }).files);
  watcher_->Follow(plan_, facts_);
}

TEST_F(WatcherTest, TheEnginesOwnMountNamespaceIsWatchedThroughItsProcess) {
  // A process whose root is another: /proc/<pid>/root leads there. Our own will do.
  facts_.mutable_daemon()->set_pid(getpid());
  facts_.mutable_machine()->mutable_engine_namespaces()->set_mnt(2);
  facts_.mutable_machine()->mutable_init_namespaces()->set_mnt(1);
  v1::CollectionPlan plan;
  plan.add_paths(root_ + "/etc/docker/daemon.json");
  Start("/");
  Connect();
  watcher_->Follow(plan, facts_);
  Until([](const Scope& s) { return s.files && s.users; });
  Write("/etc/docker/daemon.json", "{}");
  EXPECT_TRUE(Until([](const Scope& s) { return s.files; }).files);
}

TEST_F(WatcherTest, TheEndOfTheEnginesProcess) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  facts_.mutable_daemon()->set_pid(child);
  Start("/");
  Connect();
  watcher_->Follow(v1::CollectionPlan(), facts_);
  Until([](const Scope& s) { return s.files && s.users; });
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(Until([](const Scope& s) { return s.all; }).all);
}

TEST_F(WatcherTest, AMountOfTheEngineThatHidesAFile) {
  // A process with mounts of its own, which covers /etc/docker when told so.
  int tell[2];
  int told[2];
  ASSERT_EQ(pipe(tell), 0);
  ASSERT_EQ(pipe(told), 0);
  const std::string covered = root_ + "/etc/docker";
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    const bool apart =
        unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    if (!apart || write(told[1], "r", 1) != 1 || read(tell[0], &byte, 1) != 1) _exit(1);
    if (mount("none", covered.c_str(), "tmpfs", 0, nullptr) != 0) _exit(1);
    pause();
    _exit(0);
  }
  close(told[1]);
  char byte = 0;
  ASSERT_EQ(read(told[0], &byte, 1), 1) << "needs root";
  facts_.mutable_daemon()->set_pid(child);
  facts_.mutable_machine()->mutable_engine_namespaces()->set_mnt(2);
  facts_.mutable_machine()->mutable_init_namespaces()->set_mnt(1);
  v1::CollectionPlan plan;
  plan.add_paths(covered + "/daemon.json");
  Start("/");
  Connect();
  watcher_->Follow(plan, facts_);
  Until([](const Scope& s) { return s.files && s.users; });
  ASSERT_EQ(write(tell[1], "x", 1), 1);
  EXPECT_TRUE(Until([](const Scope& s) { return s.mounts && s.files; }).mounts);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (const int fd : {tell[0], tell[1], told[0]}) close(fd);
}

TEST_F(WatcherTest, WhatNothingTellsOfIsPolled) {
  Start(root_, absl::Milliseconds(50));
  Connect();
  watcher_->Follow(plan_, facts_);
  const Scope polled = Until([](const Scope& s) { return s.audit && s.listeners && s.mounts; });
  EXPECT_FALSE(polled.all);
  EXPECT_TRUE(Until([](const Scope& s) { return s.listeners; }).audit) << "again and again";
}

TEST_F(WatcherTest, WithoutEnoughWatchesFilesArePolled) {
  Watcher::Options options;
  options.socket_path = engine_.path();
  options.host_root = root_;
  options.poll_interval = absl::Milliseconds(50);
  options.max_file_watches = 1;
  watcher_ = std::make_unique<Watcher>(env_, options, [this] {
    absl::MutexLock lock(&mutex_);
    ++wakes_;
  });
  Connect();
  watcher_->Follow(plan_, facts_);
  Until([](const Scope& s) { return s.files && s.users; });
  EXPECT_FALSE(watcher_->counters().files_watched);
  EXPECT_TRUE(Until([](const Scope& s) { return s.files && s.listeners; }).users);
}

TEST_F(WatcherTest, AFlappingContainerIsHeldBack) {
  Start(root_);
  Connect();
  for (int i = 0; i < 500; ++i) engine_.Send(Event("container", "die", "c1"));
  engine_.Send(Event("container", "start", "c2"));
  int named = 0;
  Until([&](const Scope& s) { return s.containers.contains("c2"); });
  while (watcher_->counters().events < 501) absl::SleepFor(absl::Milliseconds(1));
  // The queue tests tell that it is never lost.
  while (watcher_->NextDue() < env_.clock.Now() + absl::Seconds(1)) {
    named += static_cast<int>(Next().containers.count("c1"));
  }
  EXPECT_LE(named, 10);
}

}  // namespace
}  // namespace plimsoll::tracker
