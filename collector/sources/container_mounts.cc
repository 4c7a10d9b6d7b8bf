#include "collector/sources/container_mounts.h"

#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using Mount = v1::Container::Mount;

Mount::SourceType TypeOf(host::FileType type) {
  switch (type) {
    case host::FileType::kDirectory:
      return Mount::DIRECTORY;
    case host::FileType::kRegular:
      return Mount::REGULAR;
    case host::FileType::kSocket:
      return Mount::SOCKET;
    case host::FileType::kCharacterDevice:
      return Mount::CHARACTER_DEVICE;
    case host::FileType::kBlockDevice:
      return Mount::BLOCK_DEVICE;
    case host::FileType::kFifo:
      return Mount::FIFO;
    case host::FileType::kUnknown:
    case host::FileType::kSymlink:
      break;
  }
  return Mount::SOURCE_TYPE_UNSPECIFIED;
}

bool IsOneOf(absl::string_view word, std::initializer_list<absl::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

MountResolver::MountResolver(const host::FileSystem& files, const v1::VolumesFacts& volumes)
    : files_(files), volumes_known_(volumes.outcome().state() == v1::SourceOutcome::OK) {
  for (const v1::Volume& volume : volumes.volumes()) volumes_[volume.name()] = &volume;
}

void MountResolver::Resolve(Mount* mount) {
  if (mount->type() == "bind") {
    ResolveTo(mount->source(), Mount::RESOLVED, mount);
  } else if (mount->type() == "volume") {
    ResolveVolume(mount);
  } else if (IsOneOf(mount->type(), {"tmpfs", "image", "cluster", "npipe"})) {
    mount->set_resolution(Mount::NO_HOST_PATH);
  } else {
    // A kind this collector does not know may well be a host path.
    mount->set_real_source(CleanPath(mount->source()));
    mount->set_resolution(Mount::UNRESOLVED);
  }
}

void MountResolver::ResolveVolume(Mount* mount) {
  if (mount->driver() != "local") return ResolveTo(mount->source(), Mount::RESOLVED, mount);
  const auto found = volumes_.find(mount->name());
  const v1::Volume* volume = found == volumes_.end() ? nullptr : found->second;
  bool binds = false;
  if (volume != nullptr) {
    for (const std::string& word : volume->local_options()) {
      if (IsOneOf(word, {"bind", "rbind"})) {
        binds = true;
      } else if (word != "ro") {
        mount->add_volume_propagation(word);
      }
    }
  }
  if (binds && volume->has_bind_device()) {
    return ResolveTo(volume->bind_device(), Mount::VOLUME_BIND, mount);
  }
  ResolveTo(mount->source(), Mount::RESOLVED, mount);
  // Without its options, or with a device that names no local path, a volume may hide anything.
  if (volume == nullptr || binds) mount->set_resolution(Mount::OPTIONS_UNREADABLE);
}

void MountResolver::ResolveTo(absl::string_view path, Mount::Resolution when_found, Mount* mount) {
  if (path.empty()) return mount->set_resolution(Mount::UNRESOLVED);
  const Place& place = Find(path);
  mount->set_real_source(place.path);
  mount->set_source_type(place.type);
  mount->set_resolution(place.resolved ? when_found : Mount::UNRESOLVED);
}

const MountResolver::Place& MountResolver::Find(absl::string_view path) {
  const auto [entry, is_new] = places_.try_emplace(std::string(path));
  Place& place = entry->second;
  if (!is_new) return place;
  const absl::StatusOr<std::string> real = files_.RealPath(path);
  place.resolved = real.ok();
  place.path = CleanText(real.ok() ? *real : CleanPath(path), kMaxPathBytes);
  if (!real.ok()) return place;
  const absl::StatusOr<host::FileStatus> status = files_.Lstat(*real);
  if (status.ok()) place.type = TypeOf(status->type);
  return place;
}

}  // namespace plimsoll::sources
