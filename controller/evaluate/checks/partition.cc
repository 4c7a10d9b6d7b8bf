// Whether a directory has a file system of its own: rule 1.01 of azure-docker, 1.01 and 3.19 of
// edge-docker.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/families.h"
#include "controller/evaluate/checks/paths.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::MountEntry;
using v1::MountsFacts;
using v1::SourceOutcome;
using v1::Verdict;
using Paths = google::protobuf::RepeatedPtrField<std::string>;

// Note codes.
constexpr char kTmpfs[] = "tmpfs";
constexpr char kSameFilesystem[] = "same_filesystem";
// Reason codes.
constexpr char kNoMount[] = "no_mount";
constexpr char kSelfBind[] = "self_bind";
constexpr char kSharedSpace[] = "shared_space";

struct Options {
  bool accept_btrfs_subvolume;
  bool accept_zfs_dataset;
  bool accept_bind;
  const Paths& accept_parent_mounts;
};

template <typename Args>
Options OptionsFrom(const Args& args) {
  return {.accept_btrfs_subvolume = args.accept_btrfs_subvolume(),
          .accept_zfs_dataset = args.accept_zfs_dataset(),
          .accept_bind = args.accept_bind(),
          .accept_parent_mounts = args.accept_parent_mounts()};
}

// The directory in question and what stat said of it; devices empty when not known.
struct Subject {
  const std::string& directory;
  absl::string_view device;
  absl::string_view parent_device;
};

// The visible mount on exactly this directory. Null: none.
const MountEntry* MountAt(const MountsFacts& mounts, absl::string_view directory) {
  const MountEntry* found = nullptr;
  for (const MountEntry& entry : mounts.entries()) {
    if (entry.mount_point() == directory) found = &entry;
  }
  return found;
}

// The mount that holds a directory. Null: the table is not complete.
const MountEntry* HolderOf(const MountsFacts& mounts, absl::string_view directory) {
  const MountEntry* found = nullptr;
  for (const MountEntry& entry : mounts.entries()) {
    const bool closer =
        found == nullptr || entry.mount_point().size() >= found->mount_point().size();
    if (closer && IsWithin(directory, entry.mount_point())) found = &entry;
  }
  return found;
}

absl::string_view ParentOf(absl::string_view directory) {
  const size_t slash = directory.rfind('/');
  return slash == 0 || slash == absl::string_view::npos ? "/" : directory.substr(0, slash);
}

absl::string_view PoolOf(absl::string_view dataset) { return dataset.substr(0, dataset.find('/')); }

// What a bind of the directory onto itself shows as its root.
std::string OwnPath(const MountEntry& parent, absl::string_view directory) {
  const std::string point = parent.mount_point() == "/" ? "" : parent.mount_point();
  const std::string root = parent.root() == "/" ? "" : parent.root();
  return absl::StrCat(root, directory.substr(point.size()));
}

// Both are on one device or server path, as their sources say; pseudo file systems have none.
bool SameSource(const MountEntry& a, const MountEntry& b) {
  return a.source() == b.source() && a.fs_type() == b.fs_type() &&
         absl::StrContains(a.source(), '/');
}

// Whether a mount is a partition of its own against the mount of its parent directory.
struct Answer {
  bool holds = false;
  absl::string_view reason = {};
  absl::string_view note = {};
};

Answer Compare(const MountEntry& mount, const MountEntry& parent, absl::string_view directory,
               const Options& options) {
  if (mount.fs_type() == "btrfs" && parent.fs_type() == "btrfs" &&
      mount.source() == parent.source() && mount.root() != OwnPath(parent, directory)) {
    return {.holds = options.accept_btrfs_subvolume || options.accept_bind,
            .reason = kSharedSpace,
            .note = kSameFilesystem};
  }
  if (mount.device() == parent.device()) {
    const bool self = mount.root() == OwnPath(parent, directory);
    if (self) return {.reason = kSelfBind};
    return {.holds = options.accept_bind, .reason = kSharedSpace, .note = kSameFilesystem};
  }
  if (mount.fs_type() == "zfs" && parent.fs_type() == "zfs" &&
      PoolOf(mount.source()) == PoolOf(parent.source())) {
    return {.holds = options.accept_zfs_dataset, .reason = kSharedSpace};
  }
  if (SameSource(mount, parent)) return {.reason = kSharedSpace};
  return {.holds = true, .note = mount.fs_type() == "tmpfs" ? kTmpfs : ""};
}

// A mount point above the directory that the operator lets count, and that is a partition itself.
bool OnAcceptedMount(const MountsFacts& mounts, const MountEntry& holder, const Options& options) {
  const auto& accepted = options.accept_parent_mounts;
  if (std::find(accepted.begin(), accepted.end(), holder.mount_point()) == accepted.end()) {
    return false;
  }
  const MountEntry* above = HolderOf(mounts, ParentOf(holder.mount_point()));
  return above != nullptr && above != &holder &&
         Compare(holder, *above, holder.mount_point(), options).holds;
}

std::string Describe(const MountEntry* mount, const MountEntry& parent) {
  const auto one = [](const MountEntry& m) {
    return absl::StrCat(m.fs_type(), " ", m.source(), " (", m.device(), ") on ", m.mount_point());
  };
  return mount == nullptr ? absl::StrCat("no mount point; lies on ", one(parent))
                          : absl::StrCat(one(*mount), "; its parent lies on ", one(parent));
}

// The visible mount, or the mountinfo line and stat disagree: something was mounted over it. btrfs
// gives stat other numbers than mountinfo.
bool IsHidden(const MountEntry& mount, const Subject& subject) {
  return mount.fs_type() != "btrfs" && !subject.device.empty() && subject.device != mount.device();
}

void JudgePartition(const MountsFacts& mounts, const Subject& subject, const Options& options,
                    Judge& judge) {
  const std::string& directory = subject.directory;
  const MountEntry* parent = HolderOf(mounts, ParentOf(directory));
  const MountEntry* mount = MountAt(mounts, directory);
  if (parent == nullptr) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError,
                 absl::StrCat("no line of mountinfo holds the parent of ", directory));
    return;
  }
  if (mount != nullptr && IsHidden(*mount, subject)) {
    if (subject.parent_device != subject.device) {
      judge.Decide(Verdict::UNKNOWN, reason::kParseError,
                   absl::StrCat("mountinfo and stat disagree about ", directory));
      return;
    }
    mount = nullptr;
  }
  Answer answer{.reason = kNoMount};
  if (mount != nullptr) {
    answer = Compare(*mount, *parent, directory, options);
  } else if (options.accept_btrfs_subvolume && parent->fs_type() == "btrfs") {
    // A subvolume inside its parent shows in stat alone.
    answer.holds = !subject.device.empty() && subject.device != subject.parent_device;
    answer.note = kSameFilesystem;
  }
  const bool same_as_parent = mount == nullptr || mount->device() == parent->device();
  if (!answer.holds && same_as_parent && OnAcceptedMount(mounts, *parent, options)) {
    answer = {.holds = true};
  }
  const std::string observed = Describe(mount, *parent);
  Evidence evidence{.observed = observed,
                    .expected = "a mount point of a file system of its own",
                    .source = "mountinfo of the daemon"};
  const ObjectRef object{.name = directory, .id = directory};
  if (!answer.holds) {
    evidence.reason = answer.reason;
    judge.Fail(object, evidence);
    return;
  }
  v1::Finding* finding = judge.Pass(object, evidence);
  if (answer.note.empty()) return;
  v1::Note* note = finding->add_notes();
  note->set_code(answer.note.data(), answer.note.size());
  note->set_text(answer.note == kTmpfs ? "in memory: its content is lost at reboot"
                                       : "shares its space with the file system of its parent");
}

// The directory is known and exists; else says why not and returns false.
bool IsKnown(const std::string& directory, const SourceOutcome& outcome, Judge& judge) {
  if (judge.UnknownFrom(Source::kMounts, outcome)) return false;
  if (!directory.empty()) return true;
  judge.Decide(Verdict::UNKNOWN, reason::kNotCollected, "the directory is not known");
  return false;
}

void RunDataRoot(const Context& context, const Check& check, Judge& judge) {
  const MountsFacts& mounts = context.facts.mounts();
  if (!IsKnown(mounts.data_root(), mounts.data_root_outcome(), judge)) return;
  JudgePartition(mounts,
                 {.directory = mounts.data_root(),
                  .device = mounts.data_root_device(),
                  .parent_device = mounts.data_root_parent_device()},
                 OptionsFrom(check.data_root_partition()), judge);
}

void RunAuditLog(const Context& context, const Check& check, Judge& judge) {
  const MountsFacts& mounts = context.facts.mounts();
  if (mounts.audit_log_outcome().state() == SourceOutcome::NOT_PRESENT) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent, "no directory of audit logs");
    return;
  }
  if (!IsKnown(mounts.audit_log_directory(), mounts.audit_log_outcome(), judge)) return;
  JudgePartition(mounts,
                 {.directory = mounts.audit_log_directory(), .device = {}, .parent_device = {}},
                 OptionsFrom(check.audit_log_partition()), judge);
}

constexpr CheckEntry kChecks[] = {
    {Check::kDataRootPartition, {Source::kMounts}, RunDataRoot},
    {Check::kAuditLogPartition, {Source::kMounts}, RunAuditLog},
};

}  // namespace

absl::Span<const CheckEntry> PartitionChecks() { return kChecks; }

}  // namespace plimsoll::evaluate
