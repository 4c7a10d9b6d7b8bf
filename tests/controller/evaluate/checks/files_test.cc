// Owner and mode of files: azure-docker 3.01 to 3.14 and 3.17 to 3.20, edge-docker 8.01 to 8.14 and
// 8.17 to 8.20. Which files those are: file_targets_test.cc and certificates_test.cc.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "controller/evaluate/checks/permissions.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::FileFact;
using v1::Verdict;

// The vectors of rules.md S4.
TEST(ExtraBits, OfTheStatedVectors) {
  struct Vector {
    uint32_t allowed;
    FileFact::Type type;
    std::vector<uint32_t> pass, fail;
  };
  const Vector vectors[] = {
      {0644,
       FileFact::REGULAR,
       {0644, 0640, 0604, 0600, 0444, 0400, 0},
       {0646, 0664, 0622, 0666, 0744, 0755, 04644, 02640}},
      {0755, FileFact::DIRECTORY, {0755, 0750, 0700, 0555, 01755}, {0775, 0777, 0577, 02755}},
      {0755, FileFact::REGULAR, {0755}, {01755}},
      {0660, FileFact::SOCKET, {0660, 0640, 0600}, {0666, 0606, 0661}},
      {0444, FileFact::REGULAR, {0444, 0440, 0400}, {0644, 0464, 0422}},
      {0400, FileFact::REGULAR, {0400, 0}, {0440, 0600, 0500}},
  };
  for (const Vector& v : vectors) {
    FileFact file;
    file.set_type(v.type);
    for (const uint32_t mode : v.pass) {
      file.set_mode(mode);
      EXPECT_EQ(ExtraBits(file, v.allowed), 0u) << ModeText(mode) << " of " << ModeText(v.allowed);
    }
    for (const uint32_t mode : v.fail) {
      file.set_mode(mode);
      EXPECT_NE(ExtraBits(file, v.allowed), 0u) << ModeText(mode) << " of " << ModeText(v.allowed);
    }
  }
}

TEST(ParseMode, TakesOctalDigitsOnly) {
  EXPECT_EQ(ParseMode("0644"), 0644u);
  EXPECT_EQ(ParseMode("4755"), 04755u);
  EXPECT_EQ(ParseMode("0"), 0u);
  for (const char* bad : {"", "0849", "u+w", "17777", "-1", "0644 "}) {
    EXPECT_EQ(ParseMode(bad), std::nullopt) << bad;
  }
}

// A case per rule from one table: "$F" stands for the rule's file.
std::vector<Case> For(const std::string& file, std::vector<Case> cases) {
  for (Case& c : cases) {
    c.facts = absl::StrReplaceAll(c.facts, {{"$F", file}});
    for (std::string& path : c.clear) path = absl::StrReplaceAll(path, {{"$F", file}});
  }
  return cases;
}

std::vector<Case> OwnerCases() {
  return {
      {.name = "root:root",
       .status = Verdict::PASS,
       .reason = "",
       .findings = 1,
       .observed = "uid 0, gid 0"},
      {.name = "other user",
       .facts = "files { files { path: '$F' uid: 1000 } }",
       .status = Verdict::FAIL,
       .reason = "",
       .findings = 1,
       .observed = "uid 1000, gid 0"},
      {.name = "other group alone",
       .facts = "files { files { path: '$F' gid: 998 } }",
       .status = Verdict::FAIL,
       .findings = 1,
       .observed = "uid 0, gid 998"},
      {.name = "directory open to others",
       .facts = "files { files { path: '$F' parent_writable_by_others: true } }",
       .status = Verdict::PASS,
       .note = "parent_writable_by_others"},
      {.name = "not collected",
       .clear = {"files.files[$F]"},
       .status = Verdict::UNKNOWN,
       .reason = "not_collected",
       .findings = 1},
      {.name = "cannot be read",
       .facts = "files { files { path: '$F' outcome { state: PERMISSION_DENIED } } }",
       .status = Verdict::UNKNOWN,
       .reason = "permission_denied",
       .findings = 1},
      {.name = "no file was looked at",
       .facts = "files { outcome { state: TIMED_OUT } }",
       .status = Verdict::UNKNOWN,
       .reason = "timed_out"},
      {.name = "nothing was collected",
       .base = Base::kEmpty,
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "group by number",
       .facts = "files { files { path: '$F' gid: 7 } }",
       .args = "group: '7'",
       .status = Verdict::PASS},
      {.name = "group by name",
       .facts = "files { files { path: '$F' gid: 998 } }",
       .args = "group: 'docker'",
       .status = Verdict::PASS},
      {.name = "group that nobody looked up",
       .args = "group: 'staff'",
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "wrong user, whatever the group",
       .facts = "files { files { path: '$F' uid: 7 } }",
       .args = "group: 'staff'",
       .status = Verdict::FAIL},
  };
}

std::vector<Case> ModeCases(const std::string& good, const std::string& loose) {
  return {
      {.name = "as it should be",
       .status = Verdict::PASS,
       .reason = "",
       .findings = 1,
       .observed = absl::StrCat("mode ", good)},
      {.name = "nothing at all",
       .facts = "files { files { path: '$F' mode: 0 } }",
       .status = Verdict::PASS},
      {.name = "looser",
       .facts = absl::StrCat("files { files { path: '$F' mode: ", loose, " } }"),
       .status = Verdict::FAIL,
       .reason = "",
       .findings = 1,
       .observed = absl::StrCat("mode ", loose)},
      {.name = "write for all",
       .facts = "files { files { path: '$F' mode: 0222 } }",
       .status = Verdict::FAIL},
      {.name = "setuid",
       .facts = "files { files { path: '$F' mode: 04400 } }",
       .status = Verdict::FAIL},
      {.name = "a link is followed and noted",
       .facts = "files { files { path: '$F' is_symlink: true } }",
       .status = Verdict::PASS,
       .note = "symlink"},
      {.name = "not collected",
       .clear = {"files.files[$F]"},
       .status = Verdict::UNKNOWN,
       .reason = "not_collected",
       .findings = 1},
      {.name = "cannot be read",
       .facts = "files { files { path: '$F' outcome { state: UNAVAILABLE } } }",
       .status = Verdict::UNKNOWN,
       .findings = 1},
      {.name = "nothing was collected",
       .base = Base::kEmpty,
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "mode is no number",
       .args = "max_mode: 'rw'",
       .status = Verdict::UNKNOWN,
       .reason = "parse_error"},
  };
}

constexpr char kService[] = "/lib/systemd/system/docker.service";
constexpr char kSocketUnit[] = "/lib/systemd/system/docker.socket";
constexpr char kEtcDocker[] = "/etc/docker";
constexpr char kDaemonJson[] = "/etc/docker/daemon.json";
constexpr char kDefault[] = "/etc/default/docker";
constexpr char kCa[] = "/etc/docker/tls/ca.pem";
constexpr char kCertificate[] = "/etc/docker/tls/cert.pem";
constexpr char kKey[] = "/etc/docker/tls/key.pem";

const RuleCases kOwners[] = {
    {{"azure-docker/3.01", "edge-docker/8.01"}, For(kService, OwnerCases())},
    {{"azure-docker/3.03", "edge-docker/8.03"}, For(kSocketUnit, OwnerCases())},
    {{"azure-docker/3.05", "edge-docker/8.05"}, For(kEtcDocker, OwnerCases())},
    {{"azure-docker/3.09", "edge-docker/8.09"}, For(kCa, OwnerCases())},
    {{"azure-docker/3.11", "edge-docker/8.11"}, For(kCertificate, OwnerCases())},
    {{"azure-docker/3.13", "edge-docker/8.13"}, For(kKey, OwnerCases())},
    {{"azure-docker/3.17", "edge-docker/8.17"}, For(kDaemonJson, OwnerCases())},
    {{"azure-docker/3.19", "edge-docker/8.19"}, For(kDefault, OwnerCases())},
};

const RuleCases kModes[] = {
    {{"azure-docker/3.02", "edge-docker/8.02"}, For(kService, ModeCases("0644", "0622"))},
    {{"azure-docker/3.04", "edge-docker/8.04"}, For(kSocketUnit, ModeCases("0644", "0664"))},
    {{"azure-docker/3.06", "edge-docker/8.06"}, For(kEtcDocker, ModeCases("0755", "0577"))},
    {{"azure-docker/3.10", "edge-docker/8.10"}, For(kCa, ModeCases("0444", "0644"))},
    {{"azure-docker/3.12", "edge-docker/8.12"}, For(kCertificate, ModeCases("0444", "0422"))},
    {{"azure-docker/3.14", "edge-docker/8.14"}, For(kKey, ModeCases("0400", "0440"))},
    {{"azure-docker/3.18", "edge-docker/8.18"}, For(kDaemonJson, ModeCases("0644", "0622"))},
    {{"azure-docker/3.20", "edge-docker/8.20"}, For(kDefault, ModeCases("0644", "0666"))},
};

// Stricter than asked is no violation (a peer demands the very digits).
const RuleCases kStricter(
    {"azure-docker/3.02", "azure-docker/3.18", "azure-docker/3.20"},
    {{.name = "0600",
      .facts = R"pb(files {
                      files { path: "/lib/systemd/system/docker.service" mode: 0600 }
                      files { path: "/etc/docker/daemon.json" mode: 0600 }
                      files { path: "/etc/default/docker" mode: 0600 }
                    })pb",
      .status = Verdict::PASS}});

const RuleCases kStickyDirectory({"azure-docker/3.06"},
                                 {{.name = "sticky",
                                   .facts = "files { files { path: '/etc/docker' mode: 01755 } }",
                                   .status = Verdict::PASS},
                                  {.name = "setgid",
                                   .facts = "files { files { path: '/etc/docker' mode: 02755 } }",
                                   .status = Verdict::FAIL}});

// Paths that the plan names, absent on read evidence.
std::vector<Case> AbsentPath(const std::string& path) {
  return {{.name = "absent",
           .facts = absl::StrCat("files { files { path: '", path,
                                 "' outcome { state: NOT_PRESENT } } }"),
           .status = Verdict::NOT_APPLICABLE,
           .reason = "file_absent"}};
}

const RuleCases kAbsent[] = {
    {{"azure-docker/3.05", "azure-docker/3.06", "edge-docker/8.05", "edge-docker/8.06"},
     AbsentPath(kEtcDocker)},
    {{"azure-docker/3.17", "azure-docker/3.18", "edge-docker/8.17", "edge-docker/8.18"},
     AbsentPath(kDaemonJson)},
    {{"azure-docker/3.19", "azure-docker/3.20", "edge-docker/8.19", "edge-docker/8.20"},
     AbsentPath(kDefault)},
};

// The file of the RHEL family counts where it exists, and only in azure-docker.
constexpr char kSysconfig[] =
    "files { path: '/etc/sysconfig/docker' outcome { state: OK } mode: 0666 uid: 5 } ";

const RuleCases kAlso[] = {
    {{"azure-docker/3.19", "azure-docker/3.20"},
     {{.name = "sysconfig too",
       .facts = absl::StrCat("files { ", kSysconfig, "}"),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "sysconfig alone",
       .facts =
           absl::StrCat("files { ", kSysconfig,
                        "files { path: '/etc/default/docker' outcome { state: NOT_PRESENT } } }"),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "sysconfig unread",
       .facts = "files { files { path: '/etc/sysconfig/docker' outcome { state: TIMED_OUT } } }",
       .status = Verdict::UNKNOWN,
       .reason = "timed_out"}}},
    {{"edge-docker/8.19", "edge-docker/8.20"},
     {{.name = "sysconfig is not asked for",
       .facts = absl::StrCat("files { ", kSysconfig, "}"),
       .status = Verdict::PASS}}},
};

}  // namespace
}  // namespace plimsoll::evaluate
