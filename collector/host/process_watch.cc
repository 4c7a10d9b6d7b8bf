#include "collector/host/process_watch.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace plimsoll::host {
namespace {

// True when the /proc below `prefix` numbers processes as our own system calls do.
bool SharesPidNamespace(const std::string& prefix) {
  std::array<char, 32> text;
  const ssize_t size = readlink((prefix + "/proc/self").c_str(), text.data(), text.size());
  int64_t pid = 0;
  return size > 0 && absl::SimpleAtoi(absl::string_view(text.data(), size), &pid) &&
         pid == getpid();
}

}  // namespace

ProcessWatch::ProcessWatch(const std::string& host_root, int64_t pid) {
  const std::string prefix(absl::StripSuffix(host_root, "/"));
  const std::string mounts = absl::StrCat(prefix, "/proc/", pid > 0 ? pid : 1, "/mountinfo");
  mounts_fd_ = open(mounts.c_str(), O_RDONLY | O_CLOEXEC);
  if (pid <= 0 || !SharesPidNamespace(prefix)) return;
  exit_fd_ = static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
  gone_ = exit_fd_ < 0 && errno == ESRCH;
}

ProcessWatch::~ProcessWatch() {
  if (exit_fd_ >= 0) close(exit_fd_);
  if (mounts_fd_ >= 0) close(mounts_fd_);
}

}  // namespace plimsoll::host
