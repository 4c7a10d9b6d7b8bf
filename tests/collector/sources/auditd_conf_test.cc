#include "collector/sources/auditd_conf.h"

#include <gtest/gtest.h>

#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

constexpr char kPath[] = "/etc/audit/auditd.conf";

TEST(ParseAuditdConf, TakesThreeKeysInAnyCase) {
  const auto config = ParseAuditdConf(
      "# max_log_file_action = IGNORE\nlog_file = /srv/audit/a.log\n  "
      "Max_Log_File_Action=ROTATE\r\n"
      "num_logs = 5\nadmin_space_left_action = MARKER\naction_mail_acct = MARKER\n\n=\nnonsense\n");
  EXPECT_EQ(config.max_log_file_action(), "rotate");
  EXPECT_EQ(config.num_logs(), 5);
  EXPECT_EQ(config.log_file(), "/srv/audit/a.log");
  EXPECT_EQ(config.SerializeAsString().find("MARKER"), std::string::npos);
}

TEST(ParseAuditdConf, UnsetStaysAbsent) {
  const auto config = ParseAuditdConf("num_logs = many\nlog_file = relative\n");
  EXPECT_FALSE(config.has_max_log_file_action());
  EXPECT_FALSE(config.has_num_logs());
  EXPECT_EQ(config.log_file(), kDefaultAuditLog);
  EXPECT_EQ(ParseAuditdConf("num_logs = 1\nnum_logs = 0\n").num_logs(), 0);
}

TEST(CollectAuditdConf, OutcomesAndDefault) {
  test::DaemonHost host;
  v1::AuditFacts::DaemonConfig config;
  CollectAuditdConf(host.env, &config);
  EXPECT_EQ(config.outcome().state(), v1::SourceOutcome::NOT_PRESENT);
  EXPECT_EQ(config.log_file(), kDefaultAuditLog);

  host.files.AddFile(kPath, "max_log_file_action = keep_logs\n");
  CollectAuditdConf(host.env, &config);
  EXPECT_EQ(config.outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(config.max_log_file_action(), "keep_logs");

  host.files.SetReadError(kPath, absl::PermissionDeniedError("no"));
  CollectAuditdConf(host.env, &config);
  EXPECT_EQ(config.outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
  EXPECT_FALSE(config.has_max_log_file_action());
}

}  // namespace
}  // namespace plimsoll::sources
