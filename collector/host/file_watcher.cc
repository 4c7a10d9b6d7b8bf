#include "collector/host/file_watcher.h"

#include <dirent.h>
#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <deque>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace plimsoll::host {
namespace {

constexpr int kMaxLinks = 40;
constexpr int kMaxSubdirectories = 256;
// Of a directory on the way: which names it holds, and its own mode and owner.
constexpr uint32_t kNamesMask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
// Of what a path leads to. What is written into a directory is not its own change.
constexpr uint32_t kDirectoryMask = IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr uint32_t kFileMask = kDirectoryMask | IN_MODIFY | IN_CLOSE_WRITE;
constexpr uint32_t kEntriesMask = kNamesMask | IN_CLOSE_WRITE;
constexpr uint32_t kStructure = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;

std::string Join(absl::string_view directory, absl::string_view name) {
  return directory == "/" ? absl::StrCat("/", name) : absl::StrCat(directory, "/", name);
}

std::string ParentOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == absl::string_view::npos ? "/" : std::string(path.substr(0, slash));
}

}  // namespace

FileWatcher::FileWatcher(std::string root, size_t max_watches)
    : root_(absl::StripSuffix(root, "/")),
      max_watches_(max_watches),
      fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  complete_ = fd_ >= 0;
  if (fd_ < 0) spdlog::warn("files are polled: inotify_init: {}", strerror(errno));
}

FileWatcher::~FileWatcher() {
  if (fd_ >= 0) close(fd_);
}

std::string FileWatcher::Real(absl::string_view path) const {
  return path == "/" ? root_ + "/" : absl::StrCat(root_, path);
}

// The watch of `path`, whose last component is no link; -1 when there can be none.
int FileWatcher::Add(const std::string& path, uint32_t mask, Watches& watches) {
  const bool full = watches.size() >= max_watches_;
  const int wd = full ? -1
                      : inotify_add_watch(fd_, Real(path).c_str(),
                                          mask | IN_MASK_ADD | IN_DONT_FOLLOW | IN_EXCL_UNLINK);
  if (wd >= 0) {
    watches[wd];
    return wd;
  }
  if (!full && (errno == ENOENT || errno == ENOTDIR)) return -1;
  // A file that may not be read is still watched through its directory.
  if (!full && errno == EACCES && (mask & IN_ONLYDIR) == 0) return -1;
  complete_ = false;
  if (!warned_) {
    const char* const why = full ? "too many paths" : strerror(errno);
    spdlog::warn("not all files can be watched, they are polled: {}{}", why,
                 !full && errno == ENOSPC ? "; raise fs.inotify.max_user_watches" : "");
  }
  warned_ = true;
  return -1;
}

void FileWatcher::WatchEntries(const std::string& target, const std::string& directory, bool deeper,
                               Watches& watches, Chain& chain) {
  const int wd = Add(directory, kEntriesMask, watches);
  chain.push_back(wd);
  if (wd < 0) return;
  watches[wd].any.insert(target);
  watches[wd].self.insert(target);
  if (!deeper) return;
  DIR* const entries = opendir(Real(directory).c_str());
  if (entries == nullptr) return;
  std::set<std::string> names;
  while (const dirent* entry = readdir(entries)) {
    const absl::string_view name = entry->d_name;
    if (name == "." || name == ".." || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)) {
      continue;
    }
    names.insert(std::string(name));
    if (names.size() == kMaxSubdirectories) break;
  }
  closedir(entries);
  for (const std::string& name : names) {
    WatchEntries(target, Join(directory, name), false, watches, chain);
  }
}

// Walks `path` component by component. A directory is watched before it is looked into, so that
// nothing happens unseen in between.
FileWatcher::Chain FileWatcher::Follow(const std::string& path, const Target& target,
                                       Watches& watches) {
  Chain chain;
  const std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  std::deque<std::string> left(parts.begin(), parts.end());
  // Canonical: no link in it.
  std::string at = "/";
  int links = 0;
  bool is_directory = true;
  while (!left.empty()) {
    const std::string name = left.front();
    left.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      at = ParentOf(at);
      continue;
    }
    const int wd = Add(at, kNamesMask, watches);
    chain.push_back(wd);
    if (wd >= 0) {
      watches[wd].names[name].insert(path);
      // The mode of a file's directory is a fact about the file.
      watches[wd].self.insert(path);
    }
    const std::string next = Join(at, name);
    struct stat status;
    if (lstat(Real(next).c_str(), &status) != 0) return chain;
    if (S_ISLNK(status.st_mode)) {
      std::array<char, PATH_MAX> text;
      const ssize_t size = readlink(Real(next).c_str(), text.data(), text.size());
      if (size <= 0 || ++links > kMaxLinks) return chain;
      const absl::string_view leads(text.data(), static_cast<size_t>(size));
      if (leads[0] == '/') at = "/";
      const std::vector<std::string> more = absl::StrSplit(leads, '/', absl::SkipEmpty());
      left.insert(left.begin(), more.begin(), more.end());
      continue;
    }
    is_directory = S_ISDIR(status.st_mode);
    if (!left.empty() && !is_directory) return chain;
    at = next;
  }
  if (target.depth != Target::Depth::kItself) {
    WatchEntries(path, at, target.depth == Target::Depth::kTwoLevels, watches, chain);
    return chain;
  }
  const int wd = Add(at, is_directory ? kDirectoryMask : kFileMask, watches);
  chain.push_back(wd);
  if (wd >= 0) watches[wd].self.insert(path);
  return chain;
}

FileWatcher::Changes FileWatcher::Watch(Targets targets) {
  targets_ = std::move(targets);
  return Recheck();
}

FileWatcher::Changes FileWatcher::Recheck() {
  Changes changes;
  if (fd_ < 0) return changes;
  complete_ = true;
  Watches watches;
  std::map<std::string, Chain> chains;
  for (const auto& [path, target] : targets_) {
    Chain& chain = chains[path] = Follow(path, target, watches);
    const auto before = chains_.find(path);
    if (before == chains_.end() || before->second != chain) changes.paths.insert(path);
  }
  for (const auto& [wd, watch] : watches_) {
    if (!watches.contains(wd)) inotify_rm_watch(fd_, wd);
  }
  watches_ = std::move(watches);
  chains_ = std::move(chains);
  return changes;
}

FileWatcher::Changes FileWatcher::Read() {
  Changes changes;
  bool structure = false;
  alignas(inotify_event) std::array<char, 16 << 10> buffer;
  ssize_t got = 0;
  while (fd_ >= 0 && (got = read(fd_, buffer.data(), buffer.size())) > 0) {
    for (ssize_t offset = 0; offset < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + offset);
      offset += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) changes.all = structure = true;
      const auto found = watches_.find(event->wd);
      if (found == watches_.end()) continue;
      const Interest& watch = found->second;
      // A whole file system went, with all its watches.
      if ((event->mask & IN_UNMOUNT) != 0) changes.all = structure = true;
      const auto tell = [&](const std::set<std::string>& paths) {
        changes.paths.insert(paths.begin(), paths.end());
        if ((event->mask & kStructure) != 0 && !paths.empty()) structure = true;
      };
      if (event->len == 0) {
        tell(watch.self);
        continue;
      }
      tell(watch.any);
      if (const auto name = watch.names.find(absl::string_view(event->name));
          name != watch.names.end()) {
        tell(name->second);
      }
    }
  }
  if (structure) {
    Changes moved = Recheck();
    changes.paths.merge(moved.paths);
  }
  if (changes.all) {
    for (const auto& [path, target] : targets_) changes.paths.insert(path);
  }
  return changes;
}

}  // namespace plimsoll::host
