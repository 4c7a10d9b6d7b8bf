// Paths as text, and where a container's mount really comes from (rules.md S8).
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "controller/evaluate/fact_index.h"
#include "plimsoll/v1/container_facts.pb.h"

namespace plimsoll::evaluate {

// `path` is `directory` or lies in it, by whole components: /etc/default is within /etc, /etcetera
// is not. Both are absolute and clean.
bool IsWithin(absl::string_view path, absl::string_view directory);
// `path` lies in `directory` and is not `directory` itself.
bool IsBelow(absl::string_view path, absl::string_view directory);

// Without "." and "..", doubled and trailing slashes, as text: /srv/../etc/ is /etc. Links are not
// followed; nothing is looked up.
std::string CleanPath(absl::string_view path);

// The canonical path of `path` where a file fact tells it, else `path`. Borrows either.
absl::string_view CanonicalPath(const FactIndex& index, absl::string_view path);

// The host path behind a mount.
struct MountOrigin {
  enum class State {
    // `path` is canonical.
    kResolved,
    // `path` is text: links in it were not followed. A leading /var/run is written /run, which is
    // what it is on every current distribution.
    kUnresolved,
    // No host path stands behind this mount (tmpfs, image).
    kNone,
    // A local volume that may bind any directory: its options could not be read.
    kUnknown,
  };
  State state = State::kNone;
  // Empty unless kResolved or kUnresolved. Borrows from the mount; `text` holds it when cleaned.
  absl::string_view path;
  std::string text;

  bool HasPath() const { return state == State::kResolved || state == State::kUnresolved; }
};

// Fills `origin`, whose `path` borrows from `mount` and from `origin` itself. No allocation for a
// resolved mount.
void FindOrigin(const v1::Container::Mount& mount, MountOrigin& origin);

// "/etc (volume v) on /x (rw)": how findings show a mount.
std::string DescribeMount(const v1::Container::Mount& mount, const MountOrigin& origin);

// Whether a mount of `source` shows what lies at `path` below it. A bind shows everything below;
// one that is not recursive only what is on the same file system, which takes a file fact for both.
enum class Exposes { kNo, kYes, kUnknown };
Exposes MountExposes(const FactIndex& index, const v1::Container::Mount& mount,
                     absl::string_view source, absl::string_view path);

}  // namespace plimsoll::evaluate
