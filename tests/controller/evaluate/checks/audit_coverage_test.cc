#include "controller/evaluate/checks/audit_coverage.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::evaluate {
namespace {

using State = Coverage::State;
using v1::AuditRule;
using Rules = google::protobuf::RepeatedPtrField<AuditRule>;

// A watch on a file as the kernel lists it, with permissions as letters ("": no perm field).
std::string Path(const std::string& path, const std::string& perm, const std::string& more = "") {
  const auto bits = ParsePermissions(perm);
  return absl::StrCat("list: EXIT action: ALWAYS all_syscalls: true path: '", path,
                      "' canonical_form: '", path, "' device: '8:1' ",
                      bits.has_value() ? absl::StrCat("permissions: ", *bits, " ") : "", "|", more);
}

// The same for a directory and all below it.
std::string Dir(const std::string& dir, const std::string& perm, const std::string& more = "") {
  const auto bits = ParsePermissions(perm);
  return absl::StrCat("list: EXIT action: ALWAYS all_syscalls: true dir: '", dir,
                      "' canonical_form: '", dir, "' device: '8:1' ",
                      bits.has_value() ? absl::StrCat("permissions: ", *bits, " ") : "", "|", more);
}

constexpr char kNever[] = "action: NEVER";
constexpr char kLink[] = "last_is_symlink: true";
constexpr char kAuid[] = "extra { name: 'auid' operator: '>=' value: '1000' }";
constexpr char kOneCall[] = "syscall_count: 1";

// What stands after a "|" is laid over what stands before it.
Rules Parse(const std::vector<std::string>& texts) {
  Rules rules;
  for (const std::string& text : texts) {
    AuditRule& rule = *rules.Add();
    for (const absl::string_view part : absl::StrSplit(text, '|')) {
      AuditRule patch;
      EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(std::string(part), &patch)) << text;
      rule.MergeFrom(patch);
    }
    if (absl::StrContains(text, kOneCall)) rule.set_all_syscalls(false);
  }
  return rules;
}

struct Vector {
  std::string name;
  std::string target;
  std::vector<std::string> rules;
  State state;
  CoverageOptions options = {};
  bool is_directory = false;
  std::string device = "8:1";
};

class AuditCoverage : public testing::TestWithParam<Vector> {};

TEST_P(AuditCoverage, IsAsStated) {
  const Vector& v = GetParam();
  const Rules rules = Parse(v.rules);
  const Coverage coverage = CoveredBy(
      rules, {.canonical_path = v.target, .is_directory = v.is_directory, .device = v.device},
      v.options);
  EXPECT_EQ(static_cast<int>(coverage.state), static_cast<int>(v.state));
  EXPECT_EQ(coverage.rules.empty(), v.state != State::kCovered);
}

constexpr char kJson[] = "/etc/docker/daemon.json";
constexpr State kYes = State::kCovered;
constexpr State kNo = State::kNotCovered;
constexpr State kPerhaps = State::kMountBoundary;

// The vectors of rules.md S3.
INSTANTIATE_TEST_SUITE_P(
    Stated, AuditCoverage,
    testing::Values(
        Vector{"recursive on its directory", kJson, {Dir("/etc/docker", "wa")}, kYes},
        Vector{"recursive further above", kJson, {Dir("/etc", "wa")}, kYes},
        Vector{"other permission", kJson, {Path(kJson, "x")}, kNo},
        Vector{"two rules together", kJson, {Path(kJson, "w"), Path(kJson, "a")}, kYes},
        Vector{"longer name", kJson, {Path("/etc/docker/daemon.json.bak", "wa")}, kNo},
        Vector{"file below", "/etc/docker", {Path(kJson, "wa")}, kNo, {}, true},
        Vector{"shallow", "/etc/docker", {Path("/etc/docker", "wa")}, kNo, {}, true},
        Vector{"recursive", "/etc/docker", {Dir("/etc/docker", "wa")}, kYes, {}, true},
        Vector{"name that starts alike", "/usr/bin/docker", {Path("/usr/bin/dockerd", "wa")}, kNo},
        Vector{"some users only", "/usr/bin/docker", {Path("/usr/bin/docker", "x", kAuid)}, kNo},
        Vector{"never first",
               "/usr/bin/docker",
               {Dir("/usr/bin", "", kNever), Path("/usr/bin/docker", "wa")},
               kNo},
        Vector{"link", "/usr/sbin/runc", {Path("/usr/bin/runc", "wa", kLink)}, kNo},
        Vector{"target of the link", "/usr/sbin/runc", {Path("/usr/sbin/runc", "wa")}, kYes}),
    [](const auto& info) { return absl::StrCat("Vector", info.index); });

// The sentences of S3 beyond its vectors.
INSTANTIATE_TEST_SUITE_P(
    Walked, AuditCoverage,
    testing::Values(
        Vector{"no rules", kJson, {}, kNo},
        Vector{"no perm field is all", kJson, {Path(kJson, "")}, kYes, {.need = 15}},
        Vector{"rwxa", kJson, {Path(kJson, "wa")}, kNo, {.need = 15}},
        Vector{"sibling directory", "/etc/docker-x/f", {Dir("/etc/docker", "wa")}, kNo},
        Vector{"everything below root", kJson, {Dir("/", "wa")}, kYes},
        Vector{"never after", kJson, {Path(kJson, "wa"), Path(kJson, "wa", kNever)}, kYes},
        Vector{"never of reading", kJson, {Path(kJson, "r", kNever), Path(kJson, "wa")}, kYes},
        Vector{"never of half", kJson, {Path(kJson, "w", kNever), Path(kJson, "wa")}, kNo},
        Vector{"never of what is left",
               kJson,
               {Path(kJson, "w"), Path(kJson, "a", kNever), Path(kJson, "a")},
               kNo},
        Vector{"never of what is done",
               kJson,
               {Path(kJson, "w"), Path(kJson, "w", kNever), Path(kJson, "a")},
               kYes},
        Vector{"never for some users",
               kJson,
               {Path(kJson, "wa", absl::StrCat(kNever, " ", kAuid)), Path(kJson, "wa")},
               kYes},
        Vector{"never of another file",
               kJson,
               {Path("/etc/docker/other", "wa", kNever), Path(kJson, "wa")},
               kYes},
        Vector{"never without a path",
               kJson,
               {"list: EXIT action: NEVER all_syscalls: true", Path(kJson, "wa")},
               kNo},
        Vector{"never of one call",
               kJson,
               {"list: EXIT action: NEVER syscall_count: 1", Path(kJson, "wa")},
               kYes},
        Vector{"never of 32 bit",
               kJson,
               {Path(kJson, "wa", "action: NEVER arch: 'b32'"), Path(kJson, "wa")},
               kYes},
        Vector{"shallow never does not reach the files",
               "/etc/docker",
               {Path("/etc/docker", "wa", kNever), Dir("/etc/docker", "wa")},
               kYes,
               {},
               true},
        Vector{"never,task", kJson, {Path(kJson, "wa"), "list: TASK action: NEVER"}, kNo},
        Vector{"never,task for some",
               kJson,
               {Path(kJson, "wa"), absl::StrCat("list: TASK action: NEVER ", kAuid)},
               kYes},
        Vector{"another list", kJson, {Path(kJson, "wa", "list: USER")}, kNo},
        Vector{"one call without perm", kJson, {Path(kJson, "", kOneCall)}, kNo},
        Vector{"calls spelled out by the loader", kJson, {Path(kJson, "wa", kOneCall)}, kYes},
        Vector{"narrowed, accepted",
               kJson,
               {Path(kJson, "wa", kAuid)},
               kYes,
               {.accept_filtered = true}},
        Vector{"one call, accepted",
               kJson,
               {Path(kJson, "", kOneCall)},
               kYes,
               {.accept_filtered = true}},
        Vector{"shallow, accepted",
               "/etc/docker",
               {Path("/etc/docker", "wa")},
               kYes,
               {.accept_shallow = true},
               true},
        Vector{"shallow accepted, shallow never",
               "/etc/docker",
               {Path("/etc/docker", "wa", kNever), Path("/etc/docker", "wa")},
               kNo,
               {.accept_shallow = true},
               true},
        Vector{"ancestors not accepted",
               kJson,
               {Dir("/etc/docker", "wa")},
               kNo,
               {.accept_ancestor_dir = false}},
        Vector{"itself is no ancestor",
               "/etc/docker",
               {Dir("/etc/docker", "wa")},
               kYes,
               {.accept_ancestor_dir = false},
               true},
        Vector{"64 bit alone", kJson, {Path(kJson, "wa", "arch: 'b64'")}, kYes},
        Vector{"32 bit alone", kJson, {Path(kJson, "wa", "arch: 'b32'")}, kNo},
        Vector{"64 bit alone, both wanted",
               kJson,
               {Path(kJson, "wa", "arch: 'b64'")},
               kNo,
               {.require_b32 = true}},
        Vector{"both, both wanted",
               kJson,
               {Path(kJson, "wa", "arch: 'b64'"), Path(kJson, "wa", "arch: 'b32'")},
               kYes,
               {.require_b32 = true}},
        Vector{"no arch, both wanted", kJson, {Path(kJson, "wa")}, kYes, {.require_b32 = true}},
        Vector{"key wanted",
               kJson,
               {Path(kJson, "wa", "keys: 'a' keys: 'docker'")},
               kYes,
               {.require_key = "docker"}},
        Vector{"other key",
               kJson,
               {Path(kJson, "wa", "keys: 'docker2'")},
               kNo,
               {.require_key = "docker"}},
        Vector{"link to a directory",
               "/var/lib/docker",
               {Dir("/var/lib/docker", "wa", kLink)},
               kNo,
               {},
               true},
        Vector{"link above", "/etc/docker/f", {Dir("/etc/docker", "wa", kLink)}, kNo}),
    [](const auto& info) { return absl::StrCat("Vector", info.index); });

// A rule above the target, on another file system.
INSTANTIATE_TEST_SUITE_P(
    Boundary, AuditCoverage,
    testing::Values(
        Vector{"ancestor", "/var/lib/docker", {Dir("/var/lib", "wa")}, kPerhaps, {}, true, "8:17"},
        Vector{"device unknown", "/var/lib/docker", {Dir("/var", "wa")}, kPerhaps, {}, true, ""},
        Vector{"mounted first",
               "/var/lib/docker",
               {Dir("/var/lib", "wa")},
               kYes,
               {.assume_mounts_first = true},
               true,
               "8:17"},
        Vector{"exact on the mount point",
               "/var/lib/docker",
               {Dir("/var/lib/docker", "wa")},
               kYes,
               {},
               true,
               "8:17"},
        Vector{"half certain",
               "/var/lib/docker",
               {Dir("/var/lib", "wa"), Dir("/var/lib/docker", "w")},
               kPerhaps,
               {},
               true,
               "8:17"},
        Vector{"certain as well",
               "/var/lib/docker",
               {Dir("/var/lib", "wa"), Dir("/var/lib/docker", "wa")},
               kYes,
               {},
               true,
               "8:17"},
        Vector{
            "too little anyway", "/var/lib/docker", {Dir("/var/lib", "x")}, kNo, {}, true, "8:17"},
        Vector{"perhaps silenced",
               "/var/lib/docker",
               {Dir("/var/lib", "", kNever), Dir("/var/lib/docker", "wa")},
               kPerhaps,
               {},
               true,
               "8:17"},
        Vector{"silenced, mounted first",
               "/var/lib/docker",
               {Dir("/var/lib", "", kNever), Dir("/var/lib/docker", "wa")},
               kNo,
               {.assume_mounts_first = true},
               true,
               "8:17"}),
    [](const auto& info) { return absl::StrCat("Vector", info.index); });

TEST(AuditPermissions, LettersAndBits) {
  EXPECT_EQ(ParsePermissions("wa"), 10u);
  EXPECT_EQ(ParsePermissions("axwr"), 15u);
  EXPECT_EQ(ParsePermissions(""), std::nullopt);
  EXPECT_EQ(ParsePermissions("wz"), std::nullopt);
  EXPECT_EQ(PermissionLetters(15), "rwxa");
  EXPECT_EQ(PermissionLetters(10), "wa");
}

TEST(AuditRuleText, ShowsWhatDecides) {
  const Rules rules = Parse({Dir("/etc/docker", "wa", "keys: 'docker'"), Path("/f", "", kNever)});
  EXPECT_EQ(RuleText(rules[0]), "dir /etc/docker -p wa -k docker");
  EXPECT_EQ(RuleText(rules[1]), "never /f");
}

}  // namespace
}  // namespace plimsoll::evaluate
