#include "collector/sources/file_fact.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "collector/sources/outcome.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using host::AclEntry;
using host::FileStatus;
using host::FileType;

constexpr int kMaxLinks = 40;
constexpr size_t kMaxAclEntries = 1024;

v1::FileFact::Type TypeOf(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return v1::FileFact::REGULAR;
    case FileType::kDirectory:
      return v1::FileFact::DIRECTORY;
    case FileType::kSocket:
      return v1::FileFact::SOCKET;
    case FileType::kCharacterDevice:
      return v1::FileFact::CHARACTER_DEVICE;
    case FileType::kBlockDevice:
      return v1::FileFact::BLOCK_DEVICE;
    case FileType::kFifo:
      return v1::FileFact::FIFO;
    default:
      return v1::FileFact::TYPE_UNSPECIFIED;
  }
}

v1::FileFact::AclEntry::Tag TagOf(AclEntry::Tag tag) {
  switch (tag) {
    case AclEntry::Tag::kUser:
      return v1::FileFact::AclEntry::USER;
    case AclEntry::Tag::kGroup:
      return v1::FileFact::AclEntry::GROUP;
    case AclEntry::Tag::kMask:
      break;
  }
  return v1::FileFact::AclEntry::MASK;
}

void FillStatus(const FileStatus& status, v1::FileFact* fact) {
  fact->set_type(TypeOf(status.type));
  fact->set_mode(status.mode);
  fact->set_uid(status.uid);
  fact->set_gid(status.gid);
  fact->set_device(absl::StrCat(status.device_major, ":", status.device_minor));
  // A directory's change with every entry: they would make a change of nothing.
  if (status.type != FileType::kRegular) return;
  fact->set_size_bytes(status.size);
  const int64_t seconds = absl::ToUnixSeconds(status.modify_time);
  fact->mutable_modify_time()->set_seconds(seconds);
  fact->mutable_modify_time()->set_nanos(static_cast<int32_t>(
      (status.modify_time - absl::FromUnixSeconds(seconds)) / absl::Nanoseconds(1)));
}

bool WritableByOthers(const FileStatus& directory) {
  constexpr uint32_t kSticky = 01000;
  constexpr uint32_t kGroupOrWorld = 022;
  return directory.uid != 0 ||
         ((directory.mode & kGroupOrWorld) != 0 && (directory.mode & kSticky) == 0);
}

// Without "//" and slashes at the end; "." and ".." stay, for a link may stand before them.
std::string CollapseSlashes(absl::string_view path) {
  if (!absl::StartsWith(path, "/")) return std::string(path);
  std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  return absl::StrCat("/", absl::StrJoin(parts, "/"));
}

absl::string_view NameOf(absl::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string Join(absl::string_view directory, absl::string_view name) {
  return directory == "/" ? absl::StrCat("/", name) : absl::StrCat(directory, "/", name);
}

}  // namespace

std::string ParentOf(absl::string_view path) {
  return std::string(path.substr(0, std::max<size_t>(1, path.rfind('/'))));
}

void FileExaminer::Examine(absl::string_view path, v1::FileFact* fact) {
  fact->set_path(CleanText(path, kMaxPathBytes));
  OutcomeTimer timer(clock_, fact->mutable_outcome());
  timer.Set(Fill(CollapseSlashes(path), fact));
}

absl::Status FileExaminer::Fill(const std::string& path, v1::FileFact* fact) {
  const auto link = files_.Lstat(path);
  if (absl::IsNotFound(link.status())) return FillMissing(path, fact);
  if (!link.ok()) return link.status();
  fact->set_is_symlink(link->type == FileType::kSymlink);
  const auto target = files_.Stat(path);
  if (absl::IsNotFound(target.status())) return FillMissing(path, fact);
  if (!target.ok()) return target.status();
  const auto canonical = files_.RealPath(path);
  if (!canonical.ok()) return canonical.status();
  fact->set_canonical_path(CleanText(*canonical, kMaxPathBytes));
  FillStatus(*target, fact);
  const auto parent = files_.Stat(ParentOf(*canonical));
  if (!parent.ok()) return parent.status();
  fact->set_parent_writable_by_others(WritableByOthers(*parent));
  const auto acl = files_.Acl(path);
  if (!acl.ok()) return acl.status();
  for (const AclEntry& from : *acl) {
    if (static_cast<size_t>(fact->acl_size()) == kMaxAclEntries) {
      return absl::ResourceExhaustedError(absl::StrCat(path, ": a very long ACL"));
    }
    v1::FileFact::AclEntry* entry = fact->add_acl();
    entry->set_tag(TagOf(from.tag));
    if (from.qualifier.has_value()) entry->set_qualifier(*from.qualifier);
    entry->set_permissions(from.permissions);
  }
  return absl::OkStatus();
}

absl::Status FileExaminer::FillMissing(const std::string& path, v1::FileFact* fact) {
  // Follows links that lead nowhere, and climbs to the deepest directory that exists.
  std::string at = path;
  std::string below;
  for (int links = 0; links <= kMaxLinks;) {
    const auto link = files_.ReadLink(at);
    if (link.ok()) {
      at = CollapseSlashes(absl::StartsWith(*link, "/") ? *link : Join(ParentOf(at), *link));
      ++links;
      continue;
    }
    const std::string parent = ParentOf(at);
    below = below.empty() ? std::string(NameOf(at)) : absl::StrCat(NameOf(at), "/", below);
    const auto real = files_.RealPath(parent);
    if (absl::IsNotFound(real.status()) && parent != "/") {
      at = parent;
      continue;
    }
    if (!real.ok()) return real.status();
    fact->set_canonical_path(CleanText(CleanPath(Join(*real, below)), kMaxPathBytes));
    if (const absl::Status listing = ListingOf(*real); !listing.ok()) return listing;
    return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  }
  return absl::FailedPreconditionError(absl::StrCat(path, ": too many links"));
}

absl::Status FileExaminer::ListingOf(const std::string& directory) {
  const auto [it, is_new] = listings_.try_emplace(directory);
  if (is_new) {
    absl::Status status = files_.ListDirectory(directory).status();
    // Long is not unreadable, and a path that goes on below a file has no directory to read.
    const bool readable = absl::IsResourceExhausted(status) || absl::IsNotFound(status);
    it->second = readable ? absl::OkStatus() : std::move(status);
  }
  return it->second;
}

}  // namespace plimsoll::sources
