// A host's files, in memory.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "collector/host/file_system.h"

namespace plimsoll::test {

// Owner and permissions of a made-up file.
struct Owner {
  uint32_t uid = 0;
  uint32_t gid = 0;
};

// Files, directories, links and special files that a test puts in place; resolves links as the real
// one does, up to 40 of them, and never leaves its root. Parents of what is added come into being
// as root's directories with mode 0755. Copyable: a copy is another host. Not thread-safe against
// changes; reading is.
class FakeFileSystem : public host::FileSystem {
 public:
  FakeFileSystem() { nodes_["/"] = Node{Directory(0755, {})}; }

  // --- Putting things in place. A second call for a path replaces it. Each returns *this. ---

  FakeFileSystem& AddFile(absl::string_view path, absl::string_view content = "",
                          uint32_t mode = 0644, Owner owner = {}) {
    Node node{Status(host::FileType::kRegular, mode, owner)};
    node.content = std::string(content);
    node.status.size = static_cast<int64_t>(content.size());
    return Add(path, std::move(node));
  }
  FakeFileSystem& AddDirectory(absl::string_view path, uint32_t mode = 0755, Owner owner = {}) {
    return Add(path, Node{Directory(mode, owner)});
  }
  // `target` as symlink(2) takes it: relative to the link's directory unless absolute.
  FakeFileSystem& AddSymlink(absl::string_view path, absl::string_view target) {
    Node node{Status(host::FileType::kSymlink, 0777, {})};
    node.target = std::string(target);
    return Add(path, std::move(node));
  }
  FakeFileSystem& AddSocket(absl::string_view path, uint32_t mode = 0660, Owner owner = {}) {
    return AddSpecial(path, host::FileType::kSocket, mode, owner);
  }
  FakeFileSystem& AddSpecial(absl::string_view path, host::FileType type, uint32_t mode = 0600,
                             Owner owner = {}) {
    return Add(path, Node{Status(type, mode, owner)});
  }
  // Of a path that exists; links are not followed.
  FakeFileSystem& SetAcl(absl::string_view path, std::vector<host::AclEntry> acl) {
    nodes_.at(Normalize(path)).acl = std::move(acl);
    return *this;
  }
  FakeFileSystem& SetModifyTime(absl::string_view path, absl::Time time) {
    nodes_.at(Normalize(path)).status.modify_time = time;
    return *this;
  }
  FakeFileSystem& SetInode(absl::string_view path, uint64_t inode) {
    nodes_.at(Normalize(path)).status.inode = inode;
    return *this;
  }
  // The path and all below it, links not followed.
  FakeFileSystem& Remove(absl::string_view path) {
    const std::string gone = Normalize(path);
    for (auto it = nodes_.begin(); it != nodes_.end();) {
      const bool below = it->first == gone || absl::StartsWith(it->first, gone + "/");
      it = below ? nodes_.erase(it) : std::next(it);
    }
    return *this;
  }

  // Every call that reaches `path` (after links), or passes through it, fails so. The path need not
  // exist.
  FakeFileSystem& SetError(absl::string_view path, absl::Status error) {
    errors_[Normalize(path)] = std::move(error);
    return *this;
  }
  // Only reading the content, the listing, the link's text or the ACL of `path` fails; its status
  // can be had. A directory whose listing fails so still lets its entries be reached.
  FakeFileSystem& SetReadError(absl::string_view path, absl::Status error) {
    read_errors_[Normalize(path)] = std::move(error);
    return *this;
  }

  // Canonical paths whose content ReadFile returned.
  const std::set<std::string>& read_paths() const { return read_paths_; }

  // --- FileSystem ---

  absl::StatusOr<host::FileStatus> Lstat(absl::string_view path) const override {
    absl::StatusOr<std::string> at = Resolve(path, false);
    if (!at.ok()) return at.status();
    return nodes_.at(*at).status;
  }
  absl::StatusOr<host::FileStatus> Stat(absl::string_view path) const override {
    absl::StatusOr<std::string> at = Resolve(path, true);
    if (!at.ok()) return at.status();
    return nodes_.at(*at).status;
  }
  absl::StatusOr<std::string> RealPath(absl::string_view path) const override {
    return Resolve(path, true);
  }
  absl::StatusOr<std::string> ReadLink(absl::string_view path) const override {
    absl::StatusOr<std::string> at = ResolveToRead(path, false);
    if (!at.ok()) return at.status();
    const Node& node = nodes_.at(*at);
    if (node.status.type != host::FileType::kSymlink) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": readlink: not a symbolic link"));
    }
    return node.target;
  }
  absl::StatusOr<std::string> ReadFile(absl::string_view path, size_t limit) const override {
    absl::StatusOr<std::string> at = ResolveToRead(path, true);
    if (!at.ok()) return at.status();
    const Node& node = nodes_.at(*at);
    if (node.status.type != host::FileType::kRegular) {
      return absl::FailedPreconditionError(absl::StrCat(path, ": read: not a regular file"));
    }
    if (node.content.size() > limit) {
      return absl::ResourceExhaustedError(absl::StrCat(path, ": longer than ", limit, " bytes"));
    }
    {
      absl::MutexLock lock(&read_mutex_->mutex);
      read_paths_.insert(*at);
    }
    return node.content;
  }
  absl::StatusOr<std::vector<std::string>> ListDirectory(absl::string_view path) const override {
    absl::StatusOr<std::string> at = ResolveToRead(path, true);
    if (!at.ok()) return at.status();
    if (nodes_.at(*at).status.type != host::FileType::kDirectory) {
      return absl::NotFoundError(absl::StrCat(path, ": opendir: not a directory"));
    }
    const std::string prefix = *at == "/" ? "/" : *at + "/";
    std::vector<std::string> names;
    for (const auto& [other, node] : nodes_) {
      if (other == "/" || !absl::StartsWith(other, prefix)) continue;
      const std::string name = other.substr(prefix.size());
      if (!absl::StrContains(name, '/')) names.push_back(name);
    }
    return names;
  }
  absl::StatusOr<std::vector<host::AclEntry>> Acl(absl::string_view path) const override {
    absl::StatusOr<std::string> at = ResolveToRead(path, true);
    if (!at.ok()) return at.status();
    return nodes_.at(*at).acl;
  }

 private:
  struct Node {
    host::FileStatus status = {};
    std::string content = {};
    std::string target = {};
    std::vector<host::AclEntry> acl = {};
  };

  static host::FileStatus Status(host::FileType type, uint32_t mode, Owner owner) {
    host::FileStatus status = {};
    status.type = type;
    status.mode = mode;
    status.uid = owner.uid;
    status.gid = owner.gid;
    status.device_major = 8;
    status.device_minor = 1;
    status.modify_time = absl::FromUnixSeconds(1700000000);
    return status;
  }
  static host::FileStatus Directory(uint32_t mode, Owner owner) {
    return Status(host::FileType::kDirectory, mode, owner);
  }
  static std::string Normalize(absl::string_view path) {
    std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
    return absl::StrCat("/", absl::StrJoin(parts, "/"));
  }

  FakeFileSystem& Add(absl::string_view path, Node node) {
    const std::string at = Normalize(path);
    for (size_t slash = at.find('/', 1); slash != std::string::npos;
         slash = at.find('/', slash + 1)) {
      const auto [parent, is_new] = nodes_.emplace(at.substr(0, slash), Node{Directory(0755, {})});
      if (is_new) parent->second.status.inode = ++last_inode_;
    }
    node.status.inode = ++last_inode_;
    nodes_[at] = std::move(node);
    return *this;
  }

  absl::StatusOr<std::string> Resolve(absl::string_view path, bool follow_last) const {
    if (!absl::StartsWith(path, "/") || absl::StrContains(path, '\0')) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": not an absolute path"));
    }
    std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
    std::deque<std::string> left(parts.begin(), parts.end());
    std::string at = "/";
    int links = 0;
    while (true) {
      if (auto error = errors_.find(at); error != errors_.end()) return error->second;
      if (left.empty()) return at;
      const std::string name = left.front();
      left.pop_front();
      if (nodes_.at(at).status.type != host::FileType::kDirectory) {
        return absl::NotFoundError(absl::StrCat(path, ": not a directory on the way"));
      }
      if (name == ".") continue;
      if (name == "..") {
        at = at.substr(0, std::max<size_t>(1, at.rfind('/')));
        continue;
      }
      const std::string next = at == "/" ? "/" + name : absl::StrCat(at, "/", name);
      if (auto error = errors_.find(next); error != errors_.end()) return error->second;
      const auto node = nodes_.find(next);
      if (node == nodes_.end()) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
      if (node->second.status.type != host::FileType::kSymlink || (left.empty() && !follow_last)) {
        at = next;
        continue;
      }
      if (++links > 40) {
        return absl::FailedPreconditionError(absl::StrCat(path, ": too many links"));
      }
      const std::string& target = node->second.target;
      if (absl::StartsWith(target, "/")) at = "/";
      std::vector<std::string> more = absl::StrSplit(target, '/', absl::SkipEmpty());
      left.insert(left.begin(), more.begin(), more.end());
    }
  }
  absl::StatusOr<std::string> ResolveToRead(absl::string_view path, bool follow_last) const {
    absl::StatusOr<std::string> at = Resolve(path, follow_last);
    if (!at.ok()) return at;
    if (auto error = read_errors_.find(*at); error != read_errors_.end()) return error->second;
    return at;
  }

  std::map<std::string, Node> nodes_;
  std::map<std::string, absl::Status> errors_;
  std::map<std::string, absl::Status> read_errors_;
  // Shared with copies, which does no harm: it guards a moment only.
  struct Lock {
    absl::Mutex mutex;
  };
  std::shared_ptr<Lock> read_mutex_ = std::make_shared<Lock>();
  mutable std::set<std::string> read_paths_;
  uint64_t last_inode_ = 1000;
};

}  // namespace plimsoll::test
