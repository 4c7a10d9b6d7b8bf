// Rules 4.01, 5.12, 5.24, 5.26. Case names in quotes are recorded containers of the fixtures.
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

constexpr char kNoMap[] = "accept_userns_remap: true";

Case User(const std::string& name, const std::string& user, Verdict::Status status,
          std::string observed = {}) {
  return One(name, absl::StrCat("user: '", user, "'"), status, std::move(observed));
}

const RuleCases kUser(
    {"azure-docker/4.01"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'plain'", "", Verdict::FAIL, "no user, so root"),
        User("'user-zero'", "0", Verdict::FAIL),
        User("'user-zero-zero'", "0:0", Verdict::FAIL, "0:0"),
        User("'user-root'", "root", Verdict::FAIL),
        User("'user-padded-zero'", "00", Verdict::FAIL),
        User("root:root", "root:root", Verdict::FAIL),
        User("a group alone", ":1000", Verdict::FAIL),
        User("+0", "+0", Verdict::FAIL),
        User("-0", "-0", Verdict::FAIL),
        User("'user-id' has zeros in it", "1000", Verdict::PASS),
        User("'user-id-group'", "1000:1000", Verdict::PASS),
        User("the root group is not root", "1000:0", Verdict::PASS),
        User("leading zeros", "0100", Verdict::PASS),
        One("'user-name', whose process is somebody",
            "user: 'app' runtime { outcome { state: OK } "
            "uid: 1000 mapped_uid: 1000 }",
            Verdict::PASS),
        One("a name that is uid 0",
            "user: 'toor' runtime { outcome { state: OK } uid: 100000 "
            "mapped_uid: 0 }",
            Verdict::FAIL, "uid 0"),
        Because(One("a name, running, and its process is hidden",
                    "user: 'app' runtime { outcome { state: PERMISSION_DENIED } }",
                    Verdict::UNKNOWN),
                "permission_denied"),
        Because(One("a name and no runtime facts", "user: 'app'", Verdict::UNKNOWN),
                "not_collected"),
        Noting(OneWith("a name, not running", "scope { states: 'exited' }",
                       "user: 'app' status: EXITED", Verdict::PASS),
               "uid_unverified"),
        One("root that drops itself", "runtime { outcome { state: OK } mapped_uid: 33 }",
            Verdict::FAIL),
        Noting(OneWith("root that drops itself, accepted", "accept_runtime_nonroot: true",
                       "runtime { outcome { state: OK } mapped_uid: 33 }", Verdict::PASS),
               "drops_root"),
        OneWith("root remapped by the engine", kNoMap, "", Verdict::PASS),
        OneWith("root remapped, but this one asks for the host", kNoMap, "userns_mode: 'host'",
                Verdict::FAIL),
        OneWith("the map in force is the identity", kNoMap,
                "runtime { uid_map { inside: 0 outside: 0 length: 4294967295 } }", Verdict::FAIL),
        Without(OneWith("no remap on this engine", kNoMap, "", Verdict::FAIL),
                "engine.security_options"),
        Because(Given(OneWith("whether the engine remaps was not read", kNoMap, "",
                              Verdict::UNKNOWN),
                      "engine { info_outcome { state: PERMISSION_DENIED } }"),
                "engine_denied"),
        {.name = "images are noted when not judged",
         .facts = "images { images { id: 'sha256:1111111111111111111111111111111111111111111111111"
                  "111111111111111' user: '' } }",
         .status = Verdict::PASS,
         .note = "image_user_root"},
        {.name = "images judged: 'userroot_1' in use",
         .facts = "images { images { id: 'sha256:aa' outcome { state: OK } repo_tags: 'userroot:1' "
                  "user: 'root' container_count: 1 } }",
         .args = "judge_images: IN_USE",
         .status = Verdict::FAIL,
         .findings = 1,
         .observed = "root"},
        {.name = "images judged: 'user0_1' not in use",
         .facts = "images { images { id: 'sha256:aa' outcome { state: OK } user: '0' } }",
         .args = "judge_images: IN_USE",
         .status = Verdict::PASS},
        {.name = "images judged: all, 'user0_1'",
         .facts = "images { images { id: 'sha256:aa' outcome { state: OK } user: '0' } }",
         .args = "judge_images: ALL",
         .status = Verdict::FAIL},
        {.name = "images judged: 'user_1', 'username_1', 'full_1'",
         .args = "judge_images: ALL",
         .status = Verdict::PASS},
        {.name = "images judged and one not inspected",
         .facts = "images { images { id: 'sha256:aa' outcome { state: TIMED_OUT } } }",
         .args = "judge_images: ALL",
         .status = Verdict::UNKNOWN,
         .reason = "timed_out"},
        {.name = "images judged and not listed",
         .facts = "images { outcome { state: UNAVAILABLE } }",
         .args = "judge_images: ALL",
         .status = Verdict::UNKNOWN,
         .reason = "engine_unreachable"},
    }));

const RuleCases kReadOnly({"azure-docker/5.12"},
                          WithCommon({
                              {.name = "compliant base", .status = Verdict::PASS},
                              One("'read-only'", "readonly_rootfs: true", Verdict::PASS),
                              One("'plain'", "readonly_rootfs: false", Verdict::FAIL, "writable"),
                              Because(One("the engine sent nothing", "", Verdict::UNKNOWN),
                                      "parse_error"),
                          }));

Case Parent(const std::string& name, const std::string& parent, const std::string& driver,
            Verdict::Status status) {
  return Given(One(name, absl::StrCat("cgroup_parent: '", parent, "'"), status),
               absl::StrCat("engine { cgroup_driver: '", driver, "' }"));
}

const RuleCases kCgroupParent(
    {"azure-docker/5.24"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        Parent("'plain'", "", "cgroupfs", Verdict::PASS),
        Parent("'cgroup-parent'", "/odd", "cgroupfs", Verdict::FAIL),
        Parent("docker", "docker", "cgroupfs", Verdict::PASS),
        Parent("/docker", "/docker", "cgroupfs", Verdict::PASS),
        Parent("the other driver's default", "system.slice", "cgroupfs", Verdict::FAIL),
        Parent("system.slice", "system.slice", "systemd", Verdict::PASS),
        Parent("cgroupfs's default under systemd", "docker", "systemd", Verdict::FAIL),
        Parent("user.slice is for rootless", "user.slice", "systemd", Verdict::FAIL),
        Given(One("user.slice, rootless", "cgroup_parent: 'user.slice'", Verdict::PASS),
              "engine { cgroup_driver: 'systemd' security_options { name: 'rootless' } }"),
        OneWith("allowed", "allowed: 'kubepods*'", "cgroup_parent: 'kubepods-burstable.slice'",
                Verdict::PASS),
        One("'cgroupns-host' is another thing", "cgroupns_mode: 'host'", Verdict::PASS),
        Because(Given(One("the driver was not read", "cgroup_parent: 'docker'", Verdict::UNKNOWN),
                      "engine { info_outcome { state: TIMED_OUT } }"),
                "timed_out"),
        Noting(Given(One("a parent for the whole daemon is noted", "", Verdict::PASS),
                     "daemon { config_file { settings { cgroup_parent: '/all' } } }"),
               "daemon_cgroup_parent"),
    }));

const RuleCases kHealth(
    {"azure-docker/5.26"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        One("'health-cmd'", "healthcheck: HEALTHCHECK_CMD_SHELL", Verdict::PASS),
        One("'health-image'", "healthcheck: HEALTHCHECK_CMD", Verdict::PASS),
        One("'health-failing'", "healthcheck: HEALTHCHECK_CMD health_status: 'unhealthy'",
            Verdict::PASS),
        One("'health-off', 'health-none-image'", "healthcheck: HEALTHCHECK_NONE", Verdict::FAIL,
            "NONE"),
        One("'plain'", "healthcheck: HEALTHCHECK_ABSENT", Verdict::FAIL, "no health check"),
        One("what the engine does not run", "healthcheck: HEALTHCHECK_OTHER", Verdict::FAIL),
        Because(One("not read", "", Verdict::UNKNOWN), "not_collected"),
        OneWith("unhealthy, and health is asked for", "require_healthy: true",
                "healthcheck: HEALTHCHECK_CMD health_status: 'unhealthy'", Verdict::FAIL),
        OneWith("starting, and health is asked for", "require_healthy: true",
                "healthcheck: HEALTHCHECK_CMD health_status: 'starting'", Verdict::PASS),
        OneWith("running without a status", "require_healthy: true", "healthcheck: HEALTHCHECK_CMD",
                Verdict::UNKNOWN),
        OneWith("not started yet", "require_healthy: true scope { states: 'created' }",
                "healthcheck: HEALTHCHECK_CMD status: CREATED", Verdict::PASS),
    }));

}  // namespace
}  // namespace plimsoll::evaluate
