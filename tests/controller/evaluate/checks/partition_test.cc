// File systems of their own: azure-docker 1.01, edge-docker 1.01 and 3.19.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

constexpr char kRoot[] =
    "entries { id: 20 device: '8:1' root: '/' mount_point: '/' fs_type: 'ext4' source: '/dev/sda1' "
    "} ";

// The root file system, further mounts, and the devices that stat shows.
std::string Mounts(const std::string& entries, const std::string& device = "",
                   const std::string& parent = "", const std::string& more = "") {
  return absl::StrCat("mounts { ", kRoot, entries, " data_root_device: '", device,
                      "' data_root_parent_device: '", parent, "' ", more, " }");
}

std::string Entry(const std::string& point, const std::string& device, const std::string& root,
                  const std::string& type, const std::string& source) {
  return absl::StrCat("entries { mount_point: '", point, "' device: '", device, "' root: '", root,
                      "' fs_type: '", type, "' source: '", source, "' } ");
}

const std::string kBtrfsRoot = Entry("/", "0:30", "/@", "btrfs", "/dev/sda1");

// As the recorded engines showed them: a directory of the disk is mounted on /var/lib.
const std::string kVarLib = Entry("/var/lib", "254:0", "/tmp/gd/var-lib", "ext4", "/dev/vda");

const RuleCases kDataRoot(
    {"azure-docker/1.01", "edge-docker/1.01"},
    {
        {.name = "own partition",
         .status = Verdict::PASS,
         .reason = "",
         .findings = 1,
         .observed = "/dev/sdb1"},
        {.name = "no mount",
         .facts = Mounts("", "8:1", "8:1"),
         .status = Verdict::FAIL,
         .reason = "no_mount",
         .findings = 1},
        {.name = "parent alone is not enough",
         .facts = Mounts(Entry("/var", "8:2", "/", "ext4", "/dev/sda2")),
         .status = Verdict::FAIL,
         .reason = "no_mount"},
        {.name = "bind onto itself",
         .facts = Mounts(Entry("/var/lib/docker", "8:1", "/var/lib/docker", "ext4", "/dev/sda1"),
                         "8:1", "8:1"),
         .status = Verdict::FAIL,
         .reason = "self_bind"},
        {.name = "daemon/stock: bind onto itself below a bind",
         .facts = Mounts(absl::StrCat(kVarLib,
                                      Entry("/var/lib/docker", "254:0", "/tmp/gd/var-lib/docker",
                                            "ext4", "/dev/vda"))),
         .status = Verdict::FAIL,
         .reason = "self_bind"},
        {.name = "daemon/partition-ext4",
         .facts = Mounts(absl::StrCat(kVarLib,
                                      Entry("/var/lib/docker", "7:0", "/", "ext4", "/dev/loop0"))),
         .status = Verdict::PASS},
        {.name = "daemon/partition-tmpfs",
         .facts = Mounts(absl::StrCat(kVarLib,
                                      Entry("/var/lib/docker", "0:2360", "/", "tmpfs", "tmpfs"))),
         .status = Verdict::PASS,
         .note = "tmpfs"},
        {.name = "daemon/userns-remap: the mount is below the data root",
         .facts = Mounts(absl::StrCat(kVarLib, Entry("/var/lib/docker/500000.500000", "254:0",
                                                     "/tmp/gd/var-lib/docker/500000.500000", "ext4",
                                                     "/dev/vda"))),
         .status = Verdict::FAIL,
         .reason = "no_mount"},
        {.name = "two tmpfs are two",
         .facts = Mounts(absl::StrCat(Entry("/var/lib", "0:40", "/", "tmpfs", "tmpfs"),
                                      Entry("/var/lib/docker", "0:41", "/", "tmpfs", "tmpfs"))),
         .status = Verdict::PASS},
        {.name = "the last mount counts",
         .facts = Mounts(absl::StrCat(Entry("/var/lib/docker", "8:17", "/", "ext4", "/dev/sdb1"),
                                      Entry("/var/lib/docker", "8:1", "/var/lib/docker", "ext4",
                                            "/dev/sda1"))),
         .status = Verdict::FAIL,
         .reason = "self_bind"},
        {.name = "mounted over afterwards",
         .facts = Mounts(Entry("/var/lib/docker", "8:17", "/", "ext4", "/dev/sdb1"), "8:1", "8:1"),
         .status = Verdict::FAIL,
         .reason = "no_mount"},
        {.name = "stat contradicts",
         .facts = Mounts(Entry("/var/lib/docker", "8:17", "/", "ext4", "/dev/sdb1"), "8:2", "8:1"),
         .status = Verdict::UNKNOWN,
         .reason = "parse_error"},
        {.name = "moved data root",
         .facts = Mounts(Entry("/srv/d", "8:17", "/", "ext4", "/dev/sdb1"), "", "",
                         "data_root: '/srv/d'"),
         .status = Verdict::PASS},
        {.name = "a name that starts alike",
         .facts = Mounts(Entry("/var/lib/docker2", "8:17", "/", "ext4", "/dev/sdb1")),
         .status = Verdict::FAIL,
         .reason = "no_mount"},
        {.name = "same device again",
         .facts = Mounts(Entry("/var/lib/docker", "8:9", "/d", "ext4", "/dev/sda1")),
         .status = Verdict::FAIL,
         .reason = "shared_space"},
        {.name = "zfs dataset",
         .facts = Mounts(absl::StrCat(Entry("/var", "0:50", "/", "zfs", "tank/var"),
                                      Entry("/var/lib/docker", "0:51", "/", "zfs", "tank/docker"))),
         .status = Verdict::PASS},
        {.name = "zfs dataset, not accepted",
         .facts = Mounts(absl::StrCat(Entry("/var", "0:50", "/", "zfs", "tank/var"),
                                      Entry("/var/lib/docker", "0:51", "/", "zfs", "tank/docker"))),
         .args = "accept_zfs_dataset: false",
         .status = Verdict::FAIL,
         .reason = "shared_space"},
        {.name = "subvolume, accepted",
         .facts = absl::StrCat("mounts { ", kBtrfsRoot,
                               Entry("/var/lib/docker", "0:30", "/@docker", "btrfs", "/dev/sda1"),
                               " data_root_device: '' }"),
         .args = "accept_btrfs_subvolume: true",
         .status = Verdict::PASS,
         .note = "same_filesystem"},
        {.name = "subvolume without a mount, accepted",
         .facts = absl::StrCat("mounts { ", kBtrfsRoot,
                               " data_root_device: '0:33' data_root_parent_device: '0:31' }"),
         .args = "accept_btrfs_subvolume: true",
         .status = Verdict::PASS},
        {.name = "subvolume without a mount",
         .facts = absl::StrCat("mounts { ", kBtrfsRoot, " }"),
         .status = Verdict::FAIL,
         .reason = "no_mount"},
        {.name = "accepted parent mount",
         .facts = Mounts(Entry("/data", "8:17", "/", "ext4", "/dev/sdb1"), "", "",
                         "data_root: '/data/docker'"),
         .args = "accept_parent_mounts: '/data'",
         .status = Verdict::PASS},
        {.name = "accepted parent mount under the daemon's own bind",
         .facts = Mounts(absl::StrCat(Entry("/data", "8:17", "/", "ext4", "/dev/sdb1"),
                                      Entry("/data/docker", "8:17", "/docker", "ext4",
                                            "/dev/sdb1")),
                         "", "", "data_root: '/data/docker'"),
         .args = "accept_parent_mounts: '/data'",
         .status = Verdict::PASS},
        {.name = "parent mount that is no partition itself",
         .facts = Mounts(Entry("/data", "8:1", "/srv", "ext4", "/dev/sda1"), "", "",
                         "data_root: '/data/docker'"),
         .args = "accept_parent_mounts: '/data' accept_bind: false",
         .status = Verdict::FAIL},
        {.name = "parent mount that is not accepted",
         .facts = Mounts(Entry("/data", "8:17", "/", "ext4", "/dev/sdb1"), "", "",
                         "data_root: '/data/docker'"),
         .status = Verdict::FAIL},
        {.name = "mounts unread",
         .facts = "mounts { outcome { state: PERMISSION_DENIED } }",
         .status = Verdict::UNKNOWN,
         .reason = "permission_denied"},
        {.name = "data root unresolved",
         .facts = "mounts { data_root: '' data_root_outcome { state: PERMISSION_DENIED } }",
         .status = Verdict::UNKNOWN,
         .reason = "permission_denied"},
        {.name = "data root not said",
         .facts = "mounts { data_root: '' }",
         .status = Verdict::UNKNOWN,
         .reason = "not_collected"},
        {.name = "table without a root",
         .clear = {"mounts.entries"},
         .status = Verdict::UNKNOWN,
         .reason = "parse_error"},
        {.name = "nothing was collected",
         .base = Base::kEmpty,
         .status = Verdict::UNKNOWN,
         .reason = "not_collected"},
    });

// A bind of another directory of the same disk: what the two guides disagree about.
const std::string kOtherDirectory =
    Mounts(Entry("/var/lib/docker", "8:1", "/srv/docker", "ext4", "/dev/sda1"), "8:1", "8:1");
const std::string kSubvolume = absl::StrCat(
    "mounts { ", kBtrfsRoot, Entry("/var/lib/docker", "0:30", "/@docker", "btrfs", "/dev/sda1"),
    " data_root_device: '' }");
const RuleCases kBindRefused({"azure-docker/1.01"}, {{.name = "other directory",
                                                      .facts = kOtherDirectory,
                                                      .status = Verdict::FAIL,
                                                      .reason = "shared_space"},
                                                     {.name = "subvolume",
                                                      .facts = kSubvolume,
                                                      .status = Verdict::FAIL,
                                                      .reason = "shared_space"}});
const RuleCases kBindAccepted({"edge-docker/1.01"}, {{.name = "other directory",
                                                      .facts = kOtherDirectory,
                                                      .status = Verdict::PASS,
                                                      .note = "same_filesystem"},
                                                     {.name = "subvolume",
                                                      .facts = kSubvolume,
                                                      .status = Verdict::PASS,
                                                      .note = "same_filesystem"}});

const RuleCases kAuditLog(
    {"edge-docker/3.19"},
    {
        {.name = "own partition", .status = Verdict::PASS, .findings = 1, .observed = "/dev/sdc1"},
        {.name = "no mount", .facts = Mounts(""), .status = Verdict::FAIL, .reason = "no_mount"},
        {.name = "/var/log alone",
         .facts = Mounts(Entry("/var/log", "8:5", "/", "xfs", "/dev/sda5")),
         .status = Verdict::FAIL},
        {.name = "/var/log, accepted",
         .facts = Mounts(Entry("/var/log", "8:5", "/", "xfs", "/dev/sda5")),
         .args = "accept_parent_mounts: '/var/log'",
         .status = Verdict::PASS},
        {.name = "no such directory",
         .facts = "mounts { audit_log_outcome { state: NOT_PRESENT } audit_log_directory: '' }",
         .status = Verdict::NOT_APPLICABLE,
         .reason = "file_absent"},
        {.name = "unread",
         .facts = "mounts { audit_log_outcome { state: PERMISSION_DENIED } }",
         .status = Verdict::UNKNOWN,
         .reason = "permission_denied"},
        {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
    });

}  // namespace
}  // namespace plimsoll::evaluate
