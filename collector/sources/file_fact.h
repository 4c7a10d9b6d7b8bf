// One path, looked at: owner, mode, type, links (rules.md S4).
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"
#include "plimsoll/v1/file_facts.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::sources {

// Directory of a path: "/a" for "/a/b", "/" for "/a" and for "/". As text.
std::string ParentOf(absl::string_view path);

// Fills file facts from one view of the files, and remembers what it learnt of their directories.
// Borrows both; for one collection on one thread.
class FileExaminer {
 public:
  FileExaminer(const host::FileSystem& files, const support::Clock& clock)
      : files_(files), clock_(clock) {}

  // Everything of FileFact about `path`, outcome included.
  void Examine(absl::string_view path, v1::FileFact* fact);

 private:
  absl::Status Fill(const std::string& path, v1::FileFact* fact);
  absl::Status FillMissing(const std::string& path, v1::FileFact* fact);
  // OK when `directory` can be listed, so that a name missing in it is known to be missing.
  absl::Status ListingOf(const std::string& directory);

  const host::FileSystem& files_;
  const support::Clock& clock_;
  absl::flat_hash_map<std::string, absl::Status> listings_;
};

}  // namespace plimsoll::sources
