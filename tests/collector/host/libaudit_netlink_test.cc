#include "collector/host/libaudit_netlink.h"

#include <gtest/gtest.h>
#include <libaudit.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

// A watch on a path of our own, in the kernel for as long as the object lives.
class KernelWatch {
 public:
  explicit KernelWatch(const std::string& path) : fd_(audit_open()) {
    audit_add_watch_dir(AUDIT_DIR, &rule_, path.c_str());
    audit_update_watch_perms(rule_, AUDIT_PERM_WRITE | AUDIT_PERM_ATTR);
    added_ = audit_add_rule_data(fd_, rule_, AUDIT_FILTER_EXIT, AUDIT_ALWAYS);
  }
  ~KernelWatch() {
    if (added_ > 0) audit_delete_rule_data(fd_, rule_, AUDIT_FILTER_EXIT, AUDIT_ALWAYS);
    free(rule_);
    audit_close(fd_);
  }
  int added() const { return added_; }

 private:
  const int fd_;
  audit_rule_data* rule_ = nullptr;
  int added_ = 0;
};

TEST(LibauditNetlinkTest, StatusComesFromTheKernel) {
  const auto status = LibauditNetlink().Status();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_LE(status->enabled, 2u);
  EXPECT_LE(status->failure, 2u);
  EXPECT_GT(status->backlog_limit, 0u);
}

TEST(LibauditNetlinkTest, ListsWhatWasAdded) {
  char name[] = "/tmp/plimsoll-audit-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const auto holds = [&name](const std::vector<std::string>& rules) {
    return std::any_of(rules.begin(), rules.end(), [&name](const std::string& rule) {
      return absl::StrContains(rule, name) && rule.size() >= sizeof(audit_rule_data);
    });
  };
  LibauditNetlink audit;
  auto rules = audit.ListRules();
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_FALSE(holds(*rules));
  {
    const KernelWatch watch(name);
    ASSERT_GT(watch.added(), 0) << "needs root, and audit rules that are not locked";
    rules = audit.ListRules();
    ASSERT_TRUE(rules.ok()) << rules.status();
    EXPECT_TRUE(holds(*rules));
  }
  rules = audit.ListRules();
  ASSERT_TRUE(rules.ok());
  EXPECT_FALSE(holds(*rules));
  std::filesystem::remove_all(name);
}

TEST(LibauditNetlinkTest, WithoutRightsIsPermissionDenied) {
  // Rights are dropped in a child, which cannot get them back; the exit status is its finding.
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
    LibauditNetlink audit;
    if (!absl::IsPermissionDenied(audit.Status().status())) _exit(2);
    if (!absl::IsPermissionDenied(audit.ListRules().status())) _exit(3);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "the child was killed";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(LibauditNetlinkTest, TheDeadlineHolds) {
  LibauditNetlink audit(absl::ZeroDuration());
  EXPECT_TRUE(absl::IsDeadlineExceeded(audit.Status().status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(audit.ListRules().status()));
}

}  // namespace
}  // namespace plimsoll::host
