// Rule 5.17.
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

std::string Device(const std::string& path, const std::string& permissions) {
  return absl::StrCat("devices { host_path: '", path, "' container_path: '/dev/x' permissions: '",
                      permissions, "' }\n");
}
std::string Bind(const std::string& source, const std::string& type, bool rw = true) {
  return absl::StrCat("mounts { type: 'bind' source: '", source, "' real_source: '", source,
                      "' resolution: RESOLVED source_type: ", type,
                      " destination: '/x' read_write: ", rw ? "true" : "false", " }\n");
}

const RuleCases kDevices(
    {"azure-docker/5.17"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'plain'", "", Verdict::PASS),
        One("'device-rwm' by the default list", Device("/dev/null", "rwm"), Verdict::PASS),
        One("'device-r' by the default list", Device("/dev/zero", "r"), Verdict::PASS),
        OneWith("'device-rwm' without the list", "allowed: '/dev/other'",
                Device("/dev/null", "rwm"), Verdict::FAIL),
        One("a disk", Device("/dev/sda", "rwm"), Verdict::FAIL, "/dev/sda (rwm)"),
        OneWith("allowed by glob", "allowed: '/dev/ttyUSB*'", Device("/dev/ttyUSB0", "rwm"),
                Verdict::PASS),
        OneWith("r within rw", "allowed: '/dev/sda:rw'", Device("/dev/sda", "r"), Verdict::PASS),
        OneWith("rw within rw", "allowed: '/dev/sda:rw'", Device("/dev/sda", "rw"), Verdict::PASS),
        OneWith("rwm beyond rw", "allowed: '/dev/sda:rw'", Device("/dev/sda", "rwm"),
                Verdict::FAIL),
        OneWith("no permissions given is all of them", "allowed: '/dev/sda:r'",
                Device("/dev/sda", ""), Verdict::FAIL),
        One("'device-cgroup-rule'", "device_cgroup_rules: 'c 1:3 rwm'", Verdict::FAIL, "c 1:3 rwm"),
        One("a GPU", "device_requests { count: -1 capabilities: 'gpu' }", Verdict::FAIL, "gpu"),
        OneWith("a GPU, accepted", "accept_gpu: true", "device_requests { capabilities: 'gpu' }",
                Verdict::PASS),
        One("'gpus-none'", "", Verdict::PASS),
        One("'privileged'", "privileged: true", Verdict::FAIL, "every device"),
        OneWith("privileged is left to 5.04", "count_privileged: false", "privileged: true",
                Verdict::PASS),
        One("'bind-dev'", Bind("/dev", "DIRECTORY"), Verdict::FAIL),
        One("'bind-root' holds /dev", Bind("/", "DIRECTORY"), Verdict::FAIL),
        One("a disk by bind", Bind("/dev/sda", "BLOCK_DEVICE"), Verdict::FAIL, "/dev/sda"),
        One("a character device by bind", Bind("/dev/kvm", "CHARACTER_DEVICE"), Verdict::FAIL),
        One("/dev/null by bind", Bind("/dev/null", "CHARACTER_DEVICE"), Verdict::PASS),
        OneWith("a disk by bind, allowed read-only", "allowed: '/dev/sda:r'",
                Bind("/dev/sda", "BLOCK_DEVICE", false), Verdict::PASS),
        OneWith("a disk by bind, allowed read-only, bound read-write", "allowed: '/dev/sda:r'",
                Bind("/dev/sda", "BLOCK_DEVICE"), Verdict::FAIL),
        One("/dev/log is a socket", Bind("/dev/log", "SOCKET"), Verdict::PASS),
        One("/dev/shm is a directory", Bind("/dev/shm", "DIRECTORY"), Verdict::PASS),
        Because(One("below /dev, and nobody looked", Bind("/dev/sdz", "SOURCE_TYPE_UNSPECIFIED"),
                    Verdict::UNKNOWN),
                "not_collected"),
        One("/srv/device is none", Bind("/srv/device", "DIRECTORY"), Verdict::PASS),
    }));

}  // namespace
}  // namespace plimsoll::evaluate
