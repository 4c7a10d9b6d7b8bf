#include "controller/evaluate/checks/paths.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::evaluate {
namespace {

using Mount = v1::Container::Mount;
using State = MountOrigin::State;

constexpr absl::string_view kVarRun = "/var/run";

void SetResolved(absl::string_view path, MountOrigin& origin) {
  origin.state = State::kResolved;
  origin.path = path;
}

void SetText(absl::string_view path, MountOrigin& origin) {
  if (path.empty()) {
    origin.state = State::kUnknown;
    return;
  }
  origin.state = State::kUnresolved;
  origin.text = CleanPath(path);
  if (IsWithin(origin.text, kVarRun)) origin.text.erase(0, 4);
  origin.path = origin.text;
}

// The collector said nothing of this mount's origin.
void Guess(const Mount& mount, MountOrigin& origin) {
  if (mount.type() == "tmpfs" || mount.type() == "image" || mount.type() == "cluster" ||
      mount.type() == "npipe") {
    origin.state = State::kNone;
  } else if (mount.type() == "volume" && (mount.driver().empty() || mount.driver() == "local")) {
    origin.state = State::kUnknown;
  } else {
    SetText(mount.source(), origin);
  }
}

}  // namespace

bool IsWithin(absl::string_view path, absl::string_view directory) {
  if (!absl::StartsWith(path, directory)) return false;
  return path.size() == directory.size() || directory == "/" || path[directory.size()] == '/';
}

bool IsBelow(absl::string_view path, absl::string_view directory) {
  return path.size() > directory.size() && IsWithin(path, directory);
}

std::string CleanPath(absl::string_view path) {
  std::string clean = std::filesystem::path(path.begin(), path.end()).lexically_normal().string();
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  const size_t slashes = clean.find_first_not_of('/');
  if (slashes == std::string::npos) return clean.empty() ? clean : "/";
  if (slashes > 1) clean.erase(0, slashes - 1);
  return clean;
}

absl::string_view CanonicalPath(const FactIndex& index, absl::string_view path) {
  const v1::FileFact* file = index.File(path);
  return file == nullptr || file->canonical_path().empty()
             ? path
             : absl::string_view(file->canonical_path());
}

void FindOrigin(const Mount& mount, MountOrigin& origin) {
  switch (mount.resolution()) {
    case Mount::RESOLVED:
    case Mount::VOLUME_BIND:
      if (mount.real_source().empty()) {
        SetText(mount.source(), origin);
      } else {
        SetResolved(mount.real_source(), origin);
      }
      return;
    case Mount::UNRESOLVED:
      SetText(mount.real_source().empty() ? mount.source() : mount.real_source(), origin);
      return;
    case Mount::NO_HOST_PATH:
      origin.state = State::kNone;
      return;
    case Mount::OPTIONS_UNREADABLE:
      origin.state = State::kUnknown;
      return;
    default:
      Guess(mount, origin);
  }
}

std::string DescribeMount(const Mount& mount, const MountOrigin& origin) {
  const absl::string_view path = origin.HasPath() ? origin.path : mount.source();
  std::string text(path);
  if (path != mount.source() && !mount.source().empty()) {
    absl::StrAppend(&text, " (", mount.type(), " ",
                    mount.name().empty() ? mount.source() : mount.name(), ")");
  }
  absl::StrAppend(&text, " on ", mount.destination(), mount.read_write() ? " (rw)" : " (ro)");
  return text;
}

Exposes MountExposes(const FactIndex& index, const Mount& mount, absl::string_view source,
                     absl::string_view path) {
  if (!IsWithin(path, source)) return Exposes::kNo;
  if (path == source || !mount.non_recursive()) return Exposes::kYes;
  const v1::FileFact* above = index.File(source);
  const v1::FileFact* below = index.File(path);
  if (above == nullptr || below == nullptr || above->device().empty() || below->device().empty()) {
    return Exposes::kUnknown;
  }
  return above->device() == below->device() ? Exposes::kYes : Exposes::kNo;
}

}  // namespace plimsoll::evaluate
