#include "collector/host/process_watch.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace plimsoll::host {
namespace {

pid_t StartChild() {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  return child;
}

void End(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(ProcessWatch, TheEndOfAProcessIsReadable) {
  const pid_t child = StartChild();
  const ProcessWatch watch("/", child);
  ASSERT_GE(watch.exit_fd(), 0);
  EXPECT_GE(watch.mounts_fd(), 0);
  pollfd fd = {watch.exit_fd(), POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, 0), 0);
  End(child);
  EXPECT_EQ(poll(&fd, 1, 20000), 1);
  EXPECT_FALSE(watch.gone());
}

TEST(ProcessWatch, AProcessThatHadEndedIsGone) {
  const pid_t child = StartChild();
  End(child);
  const ProcessWatch watch("/", child);
  EXPECT_TRUE(watch.gone());
  EXPECT_EQ(watch.exit_fd(), -1);
}

TEST(ProcessWatch, WithoutAProcessThereAreTheMountsOfTheFirst) {
  const ProcessWatch watch("/", 0);
  EXPECT_EQ(watch.exit_fd(), -1);
  EXPECT_FALSE(watch.gone());
  EXPECT_GE(watch.mounts_fd(), 0);
}

// A /proc of another PID namespace, as a mounted host has it, numbers other processes.
TEST(ProcessWatch, AnotherNamespacesNumberIsNotTakenForOurs) {
  char directory[] = "/tmp/plimsoll-proc-XXXXXX";
  const std::string root = mkdtemp(directory);
  std::filesystem::create_directories(root + "/proc");
  std::filesystem::create_symlink("1", root + "/proc/self");
  const ProcessWatch watch(root, getpid());
  EXPECT_EQ(watch.exit_fd(), -1);
  EXPECT_FALSE(watch.gone());
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace plimsoll::host
