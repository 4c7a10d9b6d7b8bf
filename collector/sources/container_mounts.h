// Where the mounts of containers really come from (rules.md S8).
#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"
#include "plimsoll/v1/container_facts.pb.h"
#include "plimsoll/v1/volume_facts.pb.h"

namespace plimsoll::sources {

// Fills `real_source`, `resolution`, `source_type` and `volume_propagation` of mounts. Each path is
// resolved once, however many containers mount it: one resolver serves one collection. Borrows both
// arguments. Thread-compatible.
class MountResolver {
 public:
  // `files`: as the engine's process sees them.
  MountResolver(const host::FileSystem& files, const v1::VolumesFacts& volumes);

  void Resolve(v1::Container::Mount* mount);

 private:
  struct Place {
    // Canonical when `resolved`, else cleaned as text.
    std::string path;
    bool resolved = false;
    v1::Container::Mount::SourceType type = v1::Container::Mount::SOURCE_TYPE_UNSPECIFIED;
  };
  const Place& Find(absl::string_view path);
  void ResolveTo(absl::string_view path, v1::Container::Mount::Resolution when_found,
                 v1::Container::Mount* mount);
  void ResolveVolume(v1::Container::Mount* mount);

  const host::FileSystem& files_;
  const bool volumes_known_;
  std::map<absl::string_view, const v1::Volume*> volumes_;
  std::map<std::string, Place> places_;
};

}  // namespace plimsoll::sources
