#include "collector/sources/audit_kernel.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <libaudit.h>

#include <boost/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "collector/sources/audit_line.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using google::protobuf::util::MessageDifferencer;

struct RecordedForm {
  std::string line;
  bool accepted = false;
  std::string listed;
  std::string raw;
};

// Rules given to auditctl on a real kernel, and what that kernel stored. The words are put on one
// line as a rule file has them.
std::vector<RecordedForm> RecordedForms() {
  std::vector<RecordedForm> forms;
  for (const absl::string_view text :
       absl::StrSplit(test::Fixture("docker-20.10/audit/forms.jsonl"), '\n', absl::SkipEmpty())) {
    const boost::json::value value = boost::json::parse({text.data(), text.size()});
    RecordedForm form;
    for (const auto& word : value.at("asked").as_array()) {
      form.line += form.line.empty() ? "" : " ";
      for (const char c : word.as_string()) form.line += c == ' ' ? "\\ " : std::string(1, c);
    }
    form.accepted = value.at("exit").as_int64() == 0;
    for (const auto& line : value.at("listed").as_array()) form.listed = line.as_string().c_str();
    if (const auto* hex = value.as_object().if_contains("audit_rule_data_hex");
        hex != nullptr && hex->is_string()) {
      form.raw = absl::HexStringToBytes(hex->as_string().c_str());
    }
    forms.push_back(std::move(form));
  }
  return forms;
}

// The places that the recorded rules name, as they were then.
test::FakeFileSystem RecordedFiles() {
  test::FakeFileSystem files;
  files.AddFile("/usr/bin/docker")
      .AddDirectory("/var/lib/docker")
      .AddFile("/etc/docker/daemon.json")
      .AddFile("/usr/lib/systemd/system/docker.service")
      .AddFile("/usr/lib/systemd/system/docker.socket")
      .AddSymlink("/lib", "usr/lib")
      .AddSymlink("/var/run", "/run")
      .AddSocket("/run/docker.sock")
      .AddDirectory("/run/containerd")
      .AddFile("/usr/sbin/dockerd")
      .AddSymlink("/srv/audit-test/symlink-dockerd", "/usr/sbin/dockerd")
      .AddFile("/srv/audit-test/with space")
      .AddFile("/etc/default/docker");
  return files;
}

v1::AuditRule Decoded(const std::string& raw) {
  absl::StatusOr<v1::AuditRule> rule = DecodeAuditRule(raw);
  EXPECT_TRUE(rule.ok()) << rule.status();
  return rule.value_or(v1::AuditRule());
}

v1::AuditRule FromText(const std::string& text) {
  v1::AuditRule rule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &rule)) << text;
  return rule;
}

TEST(DecodeAuditRule, EveryRecordedRuleIsWhatItsTextSays) {
  const test::FakeFileSystem files = RecordedFiles();
  int compared = 0;
  for (const RecordedForm& form : RecordedForms()) {
    const absl::StatusOr<AuditLine> line = ParseAuditLine(form.line, files);
    EXPECT_EQ(line.ok(), form.accepted) << form.line << ": " << line.status();
    if (!form.accepted || !line.ok()) continue;
    EXPECT_EQ(line->kind, AuditLine::Kind::kRule) << form.line;
    const v1::AuditRule kernel = Decoded(form.raw);
    EXPECT_TRUE(MessageDifferencer::Equals(line->rule, kernel))
        << form.line << "\nfrom the file: " << line->rule.ShortDebugString()
        << "\nfrom the kernel: " << kernel.ShortDebugString();
    ++compared;
  }
  EXPECT_GE(compared, 38);
}

TEST(DecodeAuditRule, ByExample) {
  const struct {
    const char* line;
    const char* expected;
  } kCases[] = {
      {"-w /usr/bin/docker -k docker",
       "list: EXIT action: ALWAYS all_syscalls: true path: '/usr/bin/docker' permissions: 15 keys: "
       "'docker'"},
      {"-w /usr/bin/docker -k docker -k second",
       "list: EXIT action: ALWAYS all_syscalls: true path: '/usr/bin/docker' permissions: 15 "
       "keys: 'docker' keys: 'second'"},
      {"-w /etc/docker -p wa -k docker",
       "list: EXIT action: ALWAYS all_syscalls: true dir: '/etc/docker' permissions: 10 keys: "
       "'docker'"},
      {"-a always,exit -F path=/var/lib/docker -F perm=wa -k docker",
       "list: EXIT action: ALWAYS all_syscalls: true path: '/var/lib/docker' permissions: 10 keys: "
       "'docker'"},
      {"-a always,exit -F path=/usr/bin/docker -k docker",
       "list: EXIT action: ALWAYS all_syscalls: true path: '/usr/bin/docker' keys: 'docker'"},
      {"-a never,exit -F path=/usr/bin/docker -F perm=wa -k docker",
       "list: EXIT action: NEVER all_syscalls: true path: '/usr/bin/docker' permissions: 10 keys: "
       "'docker'"},
      {"-a always,exit -F arch=b64 -S open,openat,unlink -F dir=/etc/docker -k docker",
       "list: EXIT action: ALWAYS syscall_count: 3 dir: '/etc/docker' keys: 'docker' arch: 'b64'"},
      {"-a always,exit -F path=/usr/bin/docker -F perm=x -F auid>=1000 -F auid!=unset -k "
       "user-docker",
       "list: EXIT action: ALWAYS all_syscalls: true path: '/usr/bin/docker' permissions: 1 keys: "
       "'user-docker' extra { name: 'auid' operator: '>=' value: '1000' } extra { name: 'auid' "
       "operator: '!=' value: 'unset' }"},
      {"-a always,exit -F exe=/usr/bin/docker -F arch=b64 -S execve -k docker",
       "list: EXIT action: ALWAYS syscall_count: 1 keys: 'docker' arch: 'b64' extra { name: 'exe' "
       "operator: '=' value: '/usr/bin/docker' }"},
      {"-a never,task", "list: TASK action: NEVER"},
      {"-a always,exclude -F msgtype=CWD",
       "list: EXCLUDE action: ALWAYS all_syscalls: true extra { name: 'msgtype' operator: '=' "
       "value: '1307' }"},
      {"-a never,filesystem -F fstype=9p",
       "list: FILESYSTEM action: NEVER all_syscalls: true extra { name: 'fstype' operator: '=' "
       "value: '9' }"},
      {"-a never,user -F uid=1000",
       "list: USER action: NEVER all_syscalls: true extra { name: 'uid' operator: '=' value: "
       "'1000' }"},
  };
  const std::vector<RecordedForm> forms = RecordedForms();
  for (const auto& c : kCases) {
    const auto form = std::find_if(forms.begin(), forms.end(),
                                   [&](const RecordedForm& f) { return f.line == c.line; });
    ASSERT_NE(form, forms.end()) << c.line;
    const v1::AuditRule actual = Decoded(form->raw);
    EXPECT_TRUE(MessageDifferencer::Equals(actual, FromText(c.expected)))
        << c.line << ": " << actual.ShortDebugString();
  }
}

TEST(DecodeAuditRule, CutOffAndLyingRecordsAreMalformed) {
  const std::string raw = RecordedForms().front().raw;
  ASSERT_GT(raw.size(), offsetof(audit_rule_data, buf));
  for (size_t size = 0; size < raw.size(); ++size) {
    EXPECT_EQ(DecodeAuditRule(raw.substr(0, size)).status().code(), absl::StatusCode::kDataLoss)
        << size;
  }
  std::string many_fields = raw;
  many_fields[offsetof(audit_rule_data, field_count)] = 65;
  EXPECT_FALSE(DecodeAuditRule(many_fields).ok());
  std::string long_string = raw;
  long_string[offsetof(audit_rule_data, values)] = 22;
  EXPECT_FALSE(DecodeAuditRule(long_string).ok());
}

TEST(DecodeAuditRule, AnyBytesAreSafe) {
  std::mt19937 random(7);
  const std::string raw = RecordedForms().front().raw;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = raw;
    for (int i = 0; i < 8; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    const absl::StatusOr<v1::AuditRule> rule = DecodeAuditRule(bytes);
    if (rule.ok()) EXPECT_FALSE(rule->SerializeAsString().empty());
  }
}

v1::AuditRule Watch(const std::string& path) {
  v1::AuditRule rule = FromText("list: EXIT action: ALWAYS");
  rule.set_path(path);
  return rule;
}

TEST(AuditRuleList, ResolvesLinksInEarlierComponentsOnly) {
  const test::FakeFileSystem files = RecordedFiles();
  const struct {
    const char* path;
    const char* canonical;
    bool last_is_symlink;
    const char* device;
  } kCases[] = {
      {"/lib/systemd/system/docker.service", "/usr/lib/systemd/system/docker.service", false,
       "8:1"},
      {"/var/run/docker.sock", "/run/docker.sock", false, "8:1"},
      {"/srv/audit-test/symlink-dockerd", "/srv/audit-test/symlink-dockerd", true, "8:1"},
      {"/lib", "/lib", true, "8:1"},
      {"/lib/", "/lib", true, "8:1"},
      {"/", "/", false, "8:1"},
      {"/var/run/not-yet", "/run/not-yet", false, ""},
      {"/no/such/dir", "/no/such/dir", false, ""},
      {"/var/lib/docker/..", "/var/lib", false, "8:1"},
  };
  for (const auto& c : kCases) {
    AuditRuleList list(files);
    list.Add(Watch(c.path));
    ASSERT_EQ(list.kept().size(), 1u);
    EXPECT_EQ(list.kept()[0].canonical_form(), c.canonical) << c.path;
    EXPECT_EQ(list.kept()[0].last_is_symlink(), c.last_is_symlink) << c.path;
    EXPECT_EQ(list.kept()[0].device(), c.device) << c.path;
  }
}

TEST(AuditRuleList, KeepsPathsTasksAndNeversAndCountsTheRest) {
  const test::FakeFileSystem files;
  AuditRuleList list(files);
  list.Add(FromText("list: EXIT action: ALWAYS syscall_count: 1 keys: 'MARKER'"));
  list.Add(Watch("/a"));
  list.Add(FromText("list: TASK action: NEVER"));
  list.Add(
      FromText("list: USER action: NEVER keys: 'MARKER' extra { name: 'auid' operator: '=' value: "
               "'MARKER' }"));
  list.Add(
      FromText("list: EXCLUDE action: ALWAYS extra { name: 'msgtype' operator: '=' value: '1' }"));
  list.Add(FromText("list: EXIT action: NEVER dir: '/b' keys: 'k'"));
  ASSERT_EQ(list.kept().size(), 4u);
  EXPECT_EQ(list.other_count(), 2);
  // Positions count the rules left out too.
  EXPECT_EQ(list.kept()[0].index(), 1);
  EXPECT_EQ(list.kept()[1].index(), 0);
  EXPECT_EQ(list.kept()[3].index(), 2);
  EXPECT_EQ(list.kept()[3].keys(0), "k");
  // A filter without a path can name people: that there is one stays, whom it names does not.
  EXPECT_EQ(list.kept()[2].extra_size(), 1);
  for (const v1::AuditRule& rule : list.kept()) {
    EXPECT_EQ(rule.SerializeAsString().find("MARKER"), std::string::npos);
  }
}

TEST(AuditRuleList, RemovesAndClears) {
  const test::FakeFileSystem files;
  AuditRuleList list(files);
  for (const char* path : {"/a", "/b", "/c"}) {
    v1::AuditRule rule = Watch(path);
    rule.set_line(7);
    list.Add(rule);
  }
  EXPECT_FALSE(list.Remove(Watch("/d")));
  EXPECT_TRUE(list.Remove(Watch("/b")));
  ASSERT_EQ(list.kept().size(), 2u);
  EXPECT_EQ(list.kept()[1].path(), "/c");
  EXPECT_EQ(list.kept()[1].index(), 1);
  list.Clear();
  list.Add(Watch("/e"));
  EXPECT_EQ(list.kept()[0].index(), 0);
}

}  // namespace
}  // namespace plimsoll::sources
