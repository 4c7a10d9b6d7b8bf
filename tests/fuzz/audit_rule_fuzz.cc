// Audit rules: lines of a file as an administrator wrote them (first byte "f"), and the kernel's
// own encoding (any other).
// Links: collector/sources collector/host
#include <memory>
#include <string>

#include "collector/sources/audit_file.h"
#include "collector/sources/audit_kernel.h"
#include "proto/support/clock.h"
#include "tests/fuzz/invariants.h"
#include "tests/support/fake_docker_client.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/fake_ports.h"

namespace plimsoll::sources {
namespace {

void FuzzFile(absl::string_view text) {
  test::FakeFileSystem files;
  files.AddFile("/etc/audit/audit.rules", text).AddDirectory("/etc/docker");
  test::FakeDockerClient docker;
  test::FakeAuditNetlink audit;
  test::FakeNameService names;
  test::FakeSystemdBus systemd;
  const support::FakeClock clock(absl::FromUnixSeconds(1800000000));
  host::HostEnv env{
      docker, files, [&](int64_t) { return std::make_unique<test::FakeFileSystem>(files); },
      audit,  names, systemd,
      clock};
  v1::AuditFacts facts;
  CollectPersistedRules(env, &facts);
  fuzz::RequireReadable(facts);
}

void FuzzKernel(absl::string_view raw) {
  auto rule = DecodeAuditRule(raw);
  if (!rule.ok()) return fuzz::Require(absl::IsDataLoss(rule.status()), "refused otherwise");
  fuzz::RequireReadable(*rule);
  const test::FakeFileSystem files;
  AuditRuleList list(files);
  list.Add(*rule);
  fuzz::Require(list.kept().size() + list.other_count() == 1, "a rule neither kept nor counted");
  for (const v1::AuditRule& kept : list.kept()) fuzz::RequireReadable(kept);
  fuzz::Require(list.Remove(*rule), "a rule that cannot be taken back");
}

}  // namespace
}  // namespace plimsoll::sources

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'f') {
    plimsoll::sources::FuzzFile(rest);
  } else {
    plimsoll::sources::FuzzKernel(rest);
  }
  return 0;
}
