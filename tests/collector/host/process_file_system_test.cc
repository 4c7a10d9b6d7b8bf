#include "collector/host/process_file_system.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace plimsoll::host {
namespace {

constexpr char kSetting[] = "/proc/sys/net/ipv4/ip_forward";
constexpr char kOther[] = "/proc/sys/net/ipv4/ip_default_ttl";

// A process in a network namespace of its own, where the default TTL is 77.
class StrangeProcess {
 public:
  StrangeProcess() {
    int ready[2];
    if (pipe(ready) != 0 || pipe(hold_) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      close(hold_[1]);
      bool made = unshare(CLONE_NEWNET) == 0;
      FILE* file = made ? fopen(kOther, "w") : nullptr;
      made = file != nullptr && fputs("77\n", file) > 0 && fclose(file) == 0;
      char byte = made ? '1' : '0';
      (void)!write(ready[1], &byte, 1);
      (void)!read(hold_[0], &byte, 1);
      _exit(0);
    }
    char byte = '0';
    made_ = read(ready[0], &byte, 1) == 1 && byte == '1';
    close(ready[0]);
    close(ready[1]);
    close(hold_[0]);
  }
  ~StrangeProcess() { End(); }
  void End() {
    if (pid_ <= 0) return;
    close(hold_[1]);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  bool made() const { return made_; }
  pid_t pid() const { return pid_; }

 private:
  int hold_[2] = {-1, -1};
  pid_t pid_ = 0;
  bool made_ = false;
};

TEST(ProcessFileSystemTest, NetworkSettingsAreThoseOfTheProcess) {
  StrangeProcess process;
  ASSERT_TRUE(process.made()) << "needs root";
  const ProcessFileSystem theirs("", process.pid());
  const PosixFileSystem ours("/");
  EXPECT_EQ(*theirs.ReadFile(kOther, 100), "77\n");
  EXPECT_NE(*ours.ReadFile(kOther, 100), "77\n") << "this thread stays where it was";
  EXPECT_TRUE(theirs.ReadFile("/proc/sys/kernel/ostype", 100).ok());
  EXPECT_TRUE(absl::IsNotFound(theirs.ReadFile("/proc/sys/net/none", 100).status()));
  process.End();
  EXPECT_TRUE(absl::IsUnavailable(theirs.ReadFile(kOther, 100).status()));
}

TEST(ProcessFileSystemTest, EnteringNeedsRightsOnlyForAStrangeNamespace) {
  StrangeProcess process;
  ASSERT_TRUE(process.made()) << "needs root";
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
    const ProcessFileSystem theirs("", process.pid());
    if (!absl::IsPermissionDenied(theirs.ReadFile(kSetting, 100).status())) _exit(2);
    _exit(ProcessFileSystem("", getpid()).ReadFile(kSetting, 100).ok() ? 0 : 3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace plimsoll::host
