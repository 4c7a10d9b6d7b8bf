#include "collector/sources/audit_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

std::vector<std::string> Rules(const v1::AuditFacts& facts) {
  std::vector<std::string> rules;
  for (const v1::AuditRule& rule : facts.persisted_rules()) {
    rules.push_back(
        absl::StrCat(rule.path(), rule.dir(), " ", rule.file().substr(11), ":", rule.line()));
  }
  return rules;
}

v1::AuditFacts Collect(test::DaemonHost& host) {
  v1::AuditFacts facts;
  CollectPersistedRules(host.env, &facts);
  return facts;
}

using Strings = std::vector<std::string>;

TEST(CollectPersistedRules, NothingOnDisk) {
  test::DaemonHost host;
  EXPECT_EQ(Collect(host).persisted_outcome().state(), v1::SourceOutcome::NOT_PRESENT);
  host.files.AddDirectory("/etc/audit/rules.d");
  const v1::AuditFacts facts = Collect(host);
  EXPECT_EQ(facts.persisted_outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(facts.rule_files_size(), 0);
}

TEST(CollectPersistedRules, BothSetsInNaturalOrder) {
  test::DaemonHost host;
  host.files.AddFile("/etc/audit/audit.rules", "-D\n-b 8192\n-w /a -p wa\n")
      .AddFile("/etc/audit/rules.d/10-b.rules", "-w /c\n")
      .AddFile("/etc/audit/rules.d/9-a.rules",
               "# note\n\n  -w /b\n-a always,exit -S open -k MARKER")
      .AddFile("/etc/audit/rules.d/readme.txt", "-w /never\n");
  const v1::AuditFacts facts = Collect(host);
  EXPECT_EQ(facts.persisted_outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(Rules(facts),
            (Strings{"/a audit.rules:3", "/b rules.d/9-a.rules:3", "/c rules.d/10-b.rules:1"}));
  ASSERT_EQ(facts.rule_files_size(), 3);
  EXPECT_EQ(facts.rule_files(1).path(), "/etc/audit/rules.d/9-a.rules");
  EXPECT_EQ(facts.rule_files(1).outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(facts.rule_files(1).modify_time().seconds(), 1700000000);
  EXPECT_EQ(facts.other_persisted_rule_count(), 1);
  EXPECT_EQ(facts.SerializeAsString().find("MARKER"), std::string::npos);
}

TEST(CollectPersistedRules, DeletionsWorkWithinTheirSet) {
  test::DaemonHost host;
  host.files.AddFile("/etc/audit/audit.rules", "-w /a\n-w /b\n-D\n-w /c\n-w /d\n-W /c\n")
      .AddFile("/etc/audit/rules.d/1.rules", "-w /e\n")
      .AddFile("/etc/audit/rules.d/2.rules", "-D\n-w /f\n");
  EXPECT_EQ(Rules(Collect(host)), (Strings{"/d audit.rules:5", "/f rules.d/2.rules:2"}));
}

TEST(CollectPersistedRules, TheFirstErrorEndsTheFile) {
  test::DaemonHost host;
  host.files.AddFile("/etc/audit/audit.rules", "-w /a\n\t-w /b\n-w /c\n");
  v1::AuditFacts facts = Collect(host);
  EXPECT_EQ(Rules(facts), Strings{"/a audit.rules:1"});
  EXPECT_EQ(facts.rule_files(0).error_line(), 2);
  EXPECT_EQ(facts.persisted_outcome().state(), v1::SourceOutcome::OK);

  host.files.AddFile("/etc/audit/audit.rules", "-w /a\n-W /b\n-w /c\n");
  EXPECT_EQ(Collect(host).rule_files(0).error_line(), 2) << "deleting what is not there";

  for (const char* excuse : {"-i\n", "-c\n"}) {
    host.files.AddFile("/etc/audit/audit.rules", absl::StrCat(excuse, "-w /a\nbad\n-w /c\n"));
    facts = Collect(host);
    EXPECT_EQ(Rules(facts), (Strings{"/a audit.rules:2", "/c audit.rules:4"})) << excuse;
    EXPECT_EQ(facts.rule_files(0).error_line(), 0);
  }
}

TEST(CollectPersistedRules, AnUnreadableFileIsAnOutcome) {
  test::DaemonHost host;
  host.files.AddFile("/etc/audit/audit.rules", "-w /a\n")
      .AddFile("/etc/audit/rules.d/1.rules", "-w /b\n")
      .SetReadError("/etc/audit/rules.d/1.rules", absl::PermissionDeniedError("no"));
  const v1::AuditFacts facts = Collect(host);
  EXPECT_EQ(facts.persisted_outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
  ASSERT_EQ(facts.rule_files_size(), 2);
  EXPECT_EQ(facts.rule_files(1).outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
  EXPECT_EQ(Rules(facts), Strings{"/a audit.rules:1"});

  host.files.SetReadError("/etc/audit/rules.d", absl::PermissionDeniedError("no"));
  EXPECT_EQ(Collect(host).persisted_outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
}

TEST(CollectPersistedRules, LimitsAreTruncations) {
  test::DaemonHost host;
  std::string many;
  for (int i = 0; i < 9000; ++i) many += "-w /a\n";
  host.files.AddFile("/etc/audit/audit.rules", many);
  const v1::AuditFacts facts = Collect(host);
  EXPECT_EQ(facts.persisted_outcome().state(), v1::SourceOutcome::TRUNCATED);
  EXPECT_EQ(facts.persisted_rules_size(), 8192);
}

}  // namespace
}  // namespace plimsoll::sources
