#include "collector/host/file_watcher.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

namespace fs = std::filesystem;
using Paths = std::set<std::string>;
using Depth = FileWatcher::Target::Depth;

// A root file system of the test's own, as behind --host-root.
class FileWatcherTest : public testing::Test {
 protected:
  FileWatcherTest() {
    char directory[] = "/tmp/plimsoll-watch-XXXXXX";
    root_ = mkdtemp(directory);
    fs::create_directories(root_ + "/etc/docker");
    Write("/etc/docker/daemon.json", "{}");
  }
  ~FileWatcherTest() override { fs::remove_all(root_); }

  std::string At(const std::string& path) const { return root_ + path; }
  void Write(const std::string& path, const std::string& text) const {
    std::ofstream(At(path)) << text;
  }
  static FileWatcher::Targets Of(const std::vector<std::string>& paths) {
    FileWatcher::Targets targets;
    for (const std::string& path : paths) targets[path];
    return targets;
  }
  static bool HasNews(const FileWatcher& watcher) {
    pollfd poll_fd = {watcher.fd(), POLLIN, 0};
    return poll(&poll_fd, 1, 0) == 1;
  }

  std::string root_;
};

TEST_F(FileWatcherTest, ContentModeAndOwnerOfAFile) {
  FileWatcher watcher(root_);
  const std::string path = "/etc/docker/daemon.json";
  EXPECT_EQ(watcher.Watch(Of({path})).paths, Paths{path}) << "not watched before";
  EXPECT_TRUE(watcher.Watch(Of({path})).paths.empty());
  EXPECT_FALSE(HasNews(watcher));
  Write(path, "{\"debug\": true}");
  EXPECT_TRUE(HasNews(watcher));
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  EXPECT_FALSE(HasNews(watcher));
  chmod(At(path).c_str(), 0666);
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  ASSERT_EQ(chown(At(path).c_str(), 1000, 1000), 0) << "needs root";
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  EXPECT_TRUE(watcher.complete());
}

TEST_F(FileWatcherTest, TheWayToAFileCountsAndItsNeighboursDoNot) {
  FileWatcher watcher(root_);
  const std::string path = "/etc/docker/daemon.json";
  watcher.Watch(Of({path}));
  Write("/etc/docker/key.json", "x");
  Write("/etc/hosts", "x");
  fs::remove(At("/etc/hosts"));
  EXPECT_TRUE(watcher.Read().paths.empty());
  chmod(At("/etc/docker").c_str(), 0777);
  EXPECT_EQ(watcher.Read().paths, Paths{path}) << "who may replace the file";
  fs::rename(At("/etc/docker"), At("/etc/docker.old"));
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  Write("/etc/docker.old/daemon.json", "y");
  EXPECT_TRUE(watcher.Read().paths.empty()) << "no longer on the way";
}

TEST_F(FileWatcherTest, AFileReplacedByRenameIsFollowed) {
  FileWatcher watcher(root_);
  const std::string path = "/etc/docker/daemon.json";
  watcher.Watch(Of({path}));
  for (int i = 0; i < 3; ++i) {
    Write("/etc/docker/.daemon.json.new", absl::StrCat(i));
    fs::rename(At("/etc/docker/.daemon.json.new"), At(path));
    EXPECT_EQ(watcher.Read().paths, Paths{path});
    Write(path, "in place");
    EXPECT_EQ(watcher.Read().paths, Paths{path}) << "the new file";
  }
  fs::remove(At(path));
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  Write(path, "again");
  EXPECT_EQ(watcher.Read().paths, Paths{path});
}

TEST_F(FileWatcherTest, ParentsThatDoNotExistYet) {
  FileWatcher watcher(root_);
  const std::string path = "/var/lib/docker/swarm/docker-state.json";
  watcher.Watch(Of({path}));
  for (const char* directory : {"/var", "/var/lib", "/var/lib/docker", "/var/lib/docker/swarm"}) {
    fs::create_directory(At(directory));
    EXPECT_EQ(watcher.Read().paths, Paths{path}) << directory;
  }
  Write(path, "{}");
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  fs::remove_all(At("/var"));
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  // All at once: what came before the watch is found by looking.
  fs::create_directories(At("/var/lib/docker/swarm"));
  Write(path, "{}");
  watcher.Read();
  Write(path, "{1}");
  EXPECT_EQ(watcher.Read().paths, Paths{path});
}

TEST_F(FileWatcherTest, LinksAndWhatTheyLeadTo) {
  fs::create_directories(At("/opt/a"));
  fs::create_directories(At("/opt/b"));
  Write("/opt/a/ca.pem", "a");
  Write("/opt/b/ca.pem", "b");
  // Absolute: below the root, not the machine's.
  fs::create_symlink("/opt/a", At("/etc/docker/tls"));
  FileWatcher watcher(root_);
  const std::string path = "/etc/docker/tls/ca.pem";
  watcher.Watch(Of({path}));
  Write("/opt/a/ca.pem", "changed");
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  fs::create_symlink("../../opt/b", At("/etc/docker/tls.new"));
  fs::rename(At("/etc/docker/tls.new"), At("/etc/docker/tls"));
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  Write("/opt/b/ca.pem", "changed");
  EXPECT_EQ(watcher.Read().paths, Paths{path});
  Write("/opt/a/ca.pem", "of no interest now");
  EXPECT_TRUE(watcher.Read().paths.empty());
  fs::remove(At("/etc/docker/tls"));
  fs::create_symlink("tls", At("/etc/docker/tls"));
  EXPECT_EQ(watcher.Read().paths, Paths{path}) << "a link in a circle ends";
}

TEST_F(FileWatcherTest, EntriesOfADirectory) {
  fs::create_directories(At("/etc/audit/rules.d"));
  FileWatcher watcher(root_);
  FileWatcher::Targets targets;
  const std::string directory = "/etc/audit/rules.d";
  targets[directory].depth = Depth::kEntries;
  const std::string certificates = "/etc/docker/certs.d";
  targets[certificates].depth = Depth::kTwoLevels;
  watcher.Watch(targets);
  Write("/etc/audit/rules.d/a.rules", "-D");
  EXPECT_EQ(watcher.Read().paths, Paths{directory});
  fs::remove(At("/etc/audit/rules.d/a.rules"));
  EXPECT_EQ(watcher.Read().paths, Paths{directory});

  fs::create_directories(At("/etc/docker/certs.d/registry"));
  EXPECT_EQ(watcher.Read().paths, Paths{certificates});
  Write("/etc/docker/certs.d/registry/ca.crt", "x");
  EXPECT_EQ(watcher.Read().paths, Paths{certificates});
  fs::create_directories(At("/etc/docker/certs.d/registry/deep"));
  EXPECT_EQ(watcher.Read().paths, Paths{certificates});
  Write("/etc/docker/certs.d/registry/deep/x", "x");
  EXPECT_TRUE(watcher.Read().paths.empty()) << "no further than asked";
}

TEST_F(FileWatcherTest, WhatIsBusyBelowADirectoryDoesNotWake) {
  FileWatcher watcher(root_);
  watcher.Watch(Of({"/etc/docker"}));
  Write("/etc/docker/daemon.json", "busy");
  EXPECT_TRUE(watcher.Read().paths.empty());
  chmod(At("/etc/docker").c_str(), 0700);
  EXPECT_EQ(watcher.Read().paths, Paths{"/etc/docker"});
}

TEST_F(FileWatcherTest, WhatIsNoLongerWantedIsLetGo) {
  FileWatcher watcher(root_);
  watcher.Watch(Of({"/etc/docker/daemon.json", "/etc/passwd"}));
  const size_t watches = watcher.watch_count();
  EXPECT_GT(watches, 3u);
  EXPECT_TRUE(watcher.Watch(Of({"/etc/passwd"})).paths.empty());
  EXPECT_LT(watcher.watch_count(), watches);
  Write("/etc/docker/daemon.json", "x");
  EXPECT_TRUE(watcher.Read().paths.empty());
}

TEST_F(FileWatcherTest, WithoutEnoughWatchesItSaysSo) {
  FileWatcher watcher(root_, 2);
  watcher.Watch(Of({"/etc/docker/daemon.json"}));
  EXPECT_FALSE(watcher.complete());
  EXPECT_LE(watcher.watch_count(), 2u);
}

TEST_F(FileWatcherTest, AnOverflowMeansEverything) {
  FileWatcher watcher(root_);
  watcher.Watch(Of({"/etc/docker/daemon.json", "/etc/passwd"}));
  std::ifstream limit_file("/proc/sys/fs/inotify/max_queued_events");
  int limit = 0;
  limit_file >> limit;
  ASSERT_GT(limit, 0);
  // Two files in turn, or the kernel would merge equal events.
  Write("/etc/passwd", "x");
  watcher.Read();
  for (int i = 0; i <= limit; ++i) {
    chmod(At(i % 2 == 0 ? "/etc/docker/daemon.json" : "/etc/passwd").c_str(), 0600 + i % 3);
  }
  const FileWatcher::Changes changes = watcher.Read();
  EXPECT_TRUE(changes.all);
  EXPECT_EQ(changes.paths.size(), 2u);
  Write("/etc/passwd", "y");
  EXPECT_EQ(watcher.Read().paths, Paths{"/etc/passwd"}) << "and goes on";
}

}  // namespace
}  // namespace plimsoll::host
