#include <gtest/gtest.h>
#include <libaudit.h>

#include <memory>
#include <string>

#include "collector/sources/sources.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

std::string RawWatch(const std::string& path) {
  struct Free {
    void operator()(audit_rule_data* rule) const { audit_rule_free_data(rule); }
  };
  audit_rule_data* data = audit_rule_create_data();
  audit_add_watch_dir(AUDIT_WATCH, &data, path.c_str());
  const std::unique_ptr<audit_rule_data, Free> owner(data);
  data->flags = AUDIT_FILTER_EXIT;
  data->action = AUDIT_ALWAYS;
  return {reinterpret_cast<const char*>(data), offsetof(audit_rule_data, buf) + data->buflen};
}

TEST(CollectAudit, StatusAndRules) {
  test::DaemonHost host;
  host.files.AddFile("/etc/audit/audit.rules", "-w /etc\n");
  host.audit.status = host::AuditStatus{2, 1, 0, 64};
  host.audit.rules = std::vector<std::string>{RawWatch("/proc/stat"), RawWatch("/b")};
  const v1::AuditFacts facts = CollectAudit(host.env);
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(facts.status().enabled(), 2u);
  EXPECT_FALSE(facts.status().auditd_running());
  EXPECT_EQ(facts.status().backlog_limit(), 64u);
  ASSERT_EQ(facts.kernel_rules_size(), 2);
  EXPECT_EQ(facts.kernel_rules(1).path(), "/b");
  EXPECT_EQ(facts.kernel_rules(1).index(), 1);
  EXPECT_EQ(facts.kernel_rules(0).canonical_form(), "/proc/stat");
  EXPECT_EQ(facts.persisted_rules_size(), 1);
  EXPECT_EQ(facts.daemon_config().outcome().state(), v1::SourceOutcome::NOT_PRESENT);
}

TEST(CollectAudit, AKernelThatRefusesSaysNothingAndFilesAreReadAllTheSame) {
  const struct {
    absl::Status status;
    v1::SourceOutcome::State state;
  } kCases[] = {
      {absl::PermissionDeniedError("EPERM"), v1::SourceOutcome::PERMISSION_DENIED},
      {absl::UnavailableError("ECONNREFUSED"), v1::SourceOutcome::UNAVAILABLE},
      {absl::UnimplementedError("EPROTONOSUPPORT"), v1::SourceOutcome::UNSUPPORTED},
      {absl::DeadlineExceededError("slow"), v1::SourceOutcome::TIMED_OUT},
  };
  for (const auto& c : kCases) {
    for (const bool status_fails : {true, false}) {
      test::DaemonHost host;
      host.files.AddFile("/etc/audit/audit.rules", "-w /etc\n");
      if (status_fails) host.audit.status = c.status;
      if (!status_fails) host.audit.rules = c.status;
      const v1::AuditFacts facts = CollectAudit(host.env);
      EXPECT_EQ(facts.outcome().state(), c.state);
      EXPECT_FALSE(facts.has_status());
      EXPECT_EQ(facts.persisted_outcome().state(), v1::SourceOutcome::OK);
      EXPECT_EQ(facts.persisted_rules_size(), 1);
    }
  }
}

TEST(CollectAudit, AMalformedRuleSpoilsTheKernelsList) {
  test::DaemonHost host;
  host.audit.rules = std::vector<std::string>{RawWatch("/a"), "short"};
  const v1::AuditFacts facts = CollectAudit(host.env);
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::MALFORMED);
  EXPECT_EQ(facts.kernel_rules_size(), 0);
}

}  // namespace
}  // namespace plimsoll::sources
