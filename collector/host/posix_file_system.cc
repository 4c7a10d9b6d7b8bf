#include "collector/host/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::host {
namespace {

constexpr int kMaxLinks = 40;
constexpr size_t kMaxNames = 262144;
constexpr size_t kMaxLinkBytes = 65536;

FileStatus FromStat(const struct stat& in) {
  FileStatus out;
  switch (in.st_mode & S_IFMT) {
    case S_IFREG:
      out.type = FileType::kRegular;
      break;
    case S_IFDIR:
      out.type = FileType::kDirectory;
      break;
    case S_IFLNK:
      out.type = FileType::kSymlink;
      break;
    case S_IFSOCK:
      out.type = FileType::kSocket;
      break;
    case S_IFCHR:
      out.type = FileType::kCharacterDevice;
      break;
    case S_IFBLK:
      out.type = FileType::kBlockDevice;
      break;
    case S_IFIFO:
      out.type = FileType::kFifo;
      break;
    default:
      break;
  }
  out.mode = in.st_mode & 07777;
  out.uid = in.st_uid;
  out.gid = in.st_gid;
  out.size = in.st_size;
  out.inode = in.st_ino;
  out.device_major = major(in.st_dev);
  out.device_minor = minor(in.st_dev);
  out.modify_time = absl::TimeFromTimespec(in.st_mtim);
  return out;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

std::string SelfFd(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

int OpenAt2(int directory, const std::string& path, uint64_t flags) {
  open_how how = {};
  how.flags = flags;
  how.resolve = RESOLVE_IN_ROOT;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const long fd = syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
  }
  return -1;
}

// Text of the link that `fd` stands for or, with a name, of that link in directory `fd`.
absl::StatusOr<std::string> LinkText(int fd, const char* name) {
  std::string text(256, '\0');
  while (true) {
    const ssize_t got = readlinkat(fd, name, text.data(), text.size());
    if (got < 0) return absl::ErrnoToStatus(errno, "readlink");
    if (static_cast<size_t>(got) < text.size()) {
      text.resize(static_cast<size_t>(got));
      return text;
    }
    if (text.size() >= kMaxLinkBytes) return absl::ErrnoToStatus(ENAMETOOLONG, "readlink");
    text.resize(text.size() * 4);
  }
}

absl::StatusOr<std::string> CheckPath(absl::string_view path) {
  if (!absl::StartsWith(path, "/")) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not an absolute path"));
  }
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError("a path that holds a NUL byte");
  }
  return std::string(path);
}

}  // namespace

class PosixFileSystem::Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

PosixFileSystem::PosixFileSystem(std::string root, bool use_openat2)
    : root_(std::move(root)), is_slash_(root_ == "/") {
  root_fd_ = open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root_fd_ < 0) {
    root_errno_ = errno;
  } else if (use_openat2 && !is_slash_) {
    const Fd probe(OpenAt2(root_fd_, ".", O_PATH | O_CLOEXEC));
    use_openat2_ = probe.get() >= 0;
  }
}

PosixFileSystem::~PosixFileSystem() {
  if (root_fd_ >= 0) close(root_fd_);
}

absl::Status PosixFileSystem::Error(int error, absl::string_view path,
                                    absl::string_view call) const {
  const std::string what = absl::StrCat(path, ": ", call, ": ", strerror(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR: {
      // When a process ends, what was mounted for it alone vanishes: that is no absence.
      struct stat unused;
      if (!is_slash_ && stat(root_.c_str(), &unused) != 0) {
        return absl::UnavailableError(absl::StrCat(what, "; ", root_, " is gone"));
      }
      return absl::NotFoundError(what);
    }
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(what);
    case ELOOP:
      return absl::FailedPreconditionError(what);
    case EIO:
      return absl::DataLossError(what);
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(what);
    default:
      return absl::UnavailableError(what);
  }
}

absl::StatusOr<PosixFileSystem::Fd> PosixFileSystem::Open(absl::string_view path, bool follow_last,
                                                          absl::string_view call) const {
  absl::StatusOr<std::string> checked = CheckPath(path);
  if (!checked.ok()) return checked.status();
  if (root_fd_ < 0) {
    if (root_errno_ == ENOENT || root_errno_ == ESRCH || root_errno_ == ENOTDIR) {
      return absl::UnavailableError(absl::StrCat(root_, ": open: ", strerror(root_errno_)));
    }
    return Error(root_errno_, root_, "open");
  }
  const int flags = O_PATH | O_CLOEXEC | (follow_last ? 0 : O_NOFOLLOW);
  if (!is_slash_ && !use_openat2_) return Walk(path, follow_last, call, nullptr);
  Fd fd(is_slash_ ? open(checked->c_str(), flags)
                  : OpenAt2(root_fd_, *checked, static_cast<uint64_t>(flags)));
  if (fd.get() < 0 && errno == EAGAIN) return Walk(path, follow_last, call, nullptr);
  if (fd.get() < 0) return Error(errno, path, call);
  return fd;
}

absl::StatusOr<PosixFileSystem::Fd> PosixFileSystem::Walk(absl::string_view path, bool follow_last,
                                                          absl::string_view call,
                                                          std::string* canonical) const {
  std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  std::deque<std::string> left(parts.begin(), parts.end());
  // "a/" names the directory behind the link "a".
  if (path.size() > 1 && absl::EndsWith(path, "/")) left.push_back(".");
  // The directories from the root down to where the walk stands, so that ".." needs no look-up that
  // a rename could mislead.
  std::vector<std::pair<std::string, Fd>> trail;
  int links = 0;
  while (!left.empty()) {
    const std::string name = std::move(left.front());
    left.pop_front();
    const int here = trail.empty() ? root_fd_ : trail.back().second.get();
    struct stat status;
    if (name == "." || name == "..") {
      if (fstat(here, &status) != 0) return Error(errno, path, call);
      if (!S_ISDIR(status.st_mode)) return Error(ENOTDIR, path, call);
      if (name == ".." && !trail.empty()) trail.pop_back();
      continue;
    }
    Fd next(openat(here, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (next.get() < 0) return Error(errno, path, call);
    if (fstat(next.get(), &status) != 0) return Error(errno, path, call);
    if (!S_ISLNK(status.st_mode) || (left.empty() && !follow_last)) {
      trail.emplace_back(name, std::move(next));
      continue;
    }
    if (++links > kMaxLinks) return Error(ELOOP, path, call);
    const absl::StatusOr<std::string> target = LinkText(next.get(), "");
    if (!target.ok()) return Error(EIO, path, "readlink");
    if (absl::StartsWith(*target, "/")) trail.clear();
    std::vector<std::string> more = absl::StrSplit(*target, '/', absl::SkipEmpty());
    if (absl::EndsWith(*target, "/")) more.push_back(".");
    left.insert(left.begin(), more.begin(), more.end());
  }
  if (canonical != nullptr) {
    canonical->clear();
    for (const auto& [name, fd] : trail) absl::StrAppend(canonical, "/", name);
    if (canonical->empty()) *canonical = "/";
  }
  if (!trail.empty()) return std::move(trail.back().second);
  Fd root(fcntl(root_fd_, F_DUPFD_CLOEXEC, 0));
  if (root.get() < 0) return Error(errno, path, call);
  return root;
}

absl::StatusOr<FileStatus> PosixFileSystem::Lstat(absl::string_view path) const {
  absl::StatusOr<Fd> fd = Open(path, false, "lstat");
  if (!fd.ok()) return fd.status();
  struct stat status;
  if (fstat(fd->get(), &status) != 0) return Error(errno, path, "lstat");
  return FromStat(status);
}

absl::StatusOr<FileStatus> PosixFileSystem::Stat(absl::string_view path) const {
  absl::StatusOr<Fd> fd = Open(path, true, "stat");
  if (!fd.ok()) return fd.status();
  struct stat status;
  if (fstat(fd->get(), &status) != 0) return Error(errno, path, "stat");
  return FromStat(status);
}

absl::StatusOr<std::string> PosixFileSystem::RealPath(absl::string_view path) const {
  if (is_slash_) {
    absl::StatusOr<std::string> checked = CheckPath(path);
    if (!checked.ok()) return checked;
    const std::unique_ptr<char, decltype(&free)> real(realpath(checked->c_str(), nullptr), free);
    if (real == nullptr) return Error(errno, path, "realpath");
    return std::string(real.get());
  }
  // Opened first for its errors: a root that is gone, a path that is none.
  if (absl::StatusOr<Fd> fd = Open(path, true, "realpath"); !fd.ok()) return fd.status();
  std::string canonical;
  absl::StatusOr<Fd> fd = Walk(path, true, "realpath", &canonical);
  if (!fd.ok()) return fd.status();
  return canonical;
}

absl::StatusOr<std::string> PosixFileSystem::ReadLink(absl::string_view path) const {
  if (is_slash_) {
    absl::StatusOr<std::string> checked = CheckPath(path);
    if (!checked.ok()) return checked;
    // Where nothing needs confining one call does; the errors come from below.
    if (absl::StatusOr<std::string> text = LinkText(AT_FDCWD, checked->c_str()); text.ok()) {
      return text;
    }
  }
  absl::StatusOr<Fd> fd = Open(path, false, "readlink");
  if (!fd.ok()) return fd.status();
  struct stat status;
  if (fstat(fd->get(), &status) != 0) return Error(errno, path, "readlink");
  if (!S_ISLNK(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": readlink: not a symbolic link"));
  }
  errno = 0;
  absl::StatusOr<std::string> text = LinkText(fd->get(), "");
  if (!text.ok()) return Error(errno == 0 ? ENAMETOOLONG : errno, path, "readlink");
  return text;
}

absl::StatusOr<std::string> PosixFileSystem::ReadFile(absl::string_view path, size_t limit) const {
  absl::StatusOr<Fd> fd = Open(path, true, "open");
  if (!fd.ok()) return fd.status();
  struct stat status;
  if (fstat(fd->get(), &status) != 0) return Error(errno, path, "stat");
  if (!S_ISREG(status.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": read: not a regular file"));
  }
  const Fd file(open(SelfFd(fd->get()).c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file.get() < 0) return Error(errno, path, "open");
  // One byte more than the limit tells "exactly" from "too long".
  limit = std::min(limit, std::numeric_limits<size_t>::max() - 1);
  const size_t expected = status.st_size > 0 ? static_cast<size_t>(status.st_size) + 1 : 4096;
  std::string content;
  size_t used = 0;
  while (used <= limit) {
    content.resize(std::min(limit + 1, std::max({expected, used * 2, used + 4096})));
    const ssize_t got = read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error(errno, path, "read");
    used += static_cast<size_t>(got);
    if (got == 0) {
      content.resize(used);
      return content;
    }
  }
  return absl::ResourceExhaustedError(absl::StrCat(path, ": read: longer than ", limit, " bytes"));
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::ListDirectory(
    absl::string_view path) const {
  absl::StatusOr<Fd> fd = Open(path, true, "opendir");
  if (!fd.ok()) return fd.status();
  const int opened = openat(fd->get(), ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
  if (opened < 0) return Error(errno, path, "opendir");
  const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(opened));
  if (directory == nullptr) {
    const int error = errno;
    close(opened);
    return Error(error, path, "opendir");
  }
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() == kMaxNames) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path, ": readdir: more than ", kMaxNames, " names"));
    }
    names.push_back(std::move(name));
  }
  if (errno != 0) return Error(errno, path, "readdir");
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::vector<AclEntry>> PosixFileSystem::Acl(absl::string_view path) const {
  absl::StatusOr<Fd> fd = Open(path, true, "getxattr");
  if (!fd.ok()) return fd.status();
  std::string value(65536, '\0');
  const ssize_t got =
      getxattr(SelfFd(fd->get()).c_str(), "system.posix_acl_access", value.data(), value.size());
  if (got < 0 && (errno == ENODATA || errno == EOPNOTSUPP)) return std::vector<AclEntry>();
  if (got < 0) return Error(errno, path, "getxattr");
  value.resize(static_cast<size_t>(got));
  absl::StatusOr<std::vector<AclEntry>> acl = ParsePosixAcl(value);
  if (!acl.ok()) return absl::DataLossError(absl::StrCat(path, ": ", acl.status().message()));
  return acl;
}

}  // namespace plimsoll::host
