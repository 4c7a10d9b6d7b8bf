// Notices that files changed, by inotify.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace plimsoll::host {

// Watches a set of paths, existing or not: content, owner, mode, creation, deletion and replacement
// of what each leads to. Every directory and every link on the way is watched by the name that
// leads on, so that a missing parent that comes into being, a link that turns elsewhere and a
// directory that is renamed are noticed too. Never looks below a directory further than asked.
//
// Memory and kernel watches are bounded by `max_watches`. Not thread-safe.
class FileWatcher {
 public:
  struct Target {
    enum class Depth {
      // What the path leads to, as such.
      kItself,
      // Its entries too: any that comes, goes or changes.
      kEntries,
      // And those of its directories, of at most 256.
      kTwoLevels,
    };
    Depth depth = Depth::kItself;
    bool operator==(const Target&) const = default;
  };
  // By absolute path.
  using Targets = std::map<std::string, Target>;

  struct Changes {
    // Paths of targets that may have changed: looking again tells.
    std::set<std::string> paths;
    // The kernel lost count: any may have.
    bool all = false;
  };

  // All paths are below `root`: "/", a mounted host, or the view of a process, "/proc/<pid>/root";
  // links are resolved below it.
  explicit FileWatcher(std::string root, size_t max_watches = 8192);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  // Readable when Read has something to say. -1: the system has no inotify left; nothing is watched
  // and complete() is false.
  int fd() const { return fd_; }

  // Watches `targets` and no longer anything else. Returns those that are new, or lead elsewhere
  // than before: they may have changed unseen. Cheap when nothing changed, but looks along every
  // path.
  Changes Watch(Targets targets);
  // The same set once more: for mounts, which hide what lies below without an event.
  Changes Recheck();

  // What happened since the last call. Does not block.
  Changes Read();

  // False: something is not watched, for lack of watches or of rights; it must be polled.
  bool complete() const { return complete_; }
  // For tests and logs.
  size_t watch_count() const { return watches_.size(); }

 private:
  // Who wants to hear what about one watched file or directory.
  struct Interest {
    // Events about the watched itself, and about any entry.
    std::set<std::string> self;
    std::set<std::string> any;
    // About the entry of that name.
    std::map<std::string, std::set<std::string>, std::less<>> names;
  };
  using Watches = absl::flat_hash_map<int, Interest>;
  // What a path led through, in order; differs when it leads elsewhere.
  using Chain = std::vector<int>;

  int Add(const std::string& path, uint32_t mask, Watches& watches);
  Chain Follow(const std::string& path, const Target& target, Watches& watches);
  void WatchEntries(const std::string& target, const std::string& directory, bool deeper,
                    Watches& watches, Chain& chain);
  std::string Real(absl::string_view path) const;

  const std::string root_;
  const size_t max_watches_;
  int fd_ = -1;
  bool complete_ = true;
  bool warned_ = false;
  Targets targets_;
  std::map<std::string, Chain> chains_;
  Watches watches_;
};

}  // namespace plimsoll::host
