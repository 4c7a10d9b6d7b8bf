// Rules 5.10 and 5.28.
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

const RuleCases kMemory(
    {"azure-docker/5.10"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        One("'memory', 'memory-swap'", "memory_limit_bytes: 67108864", Verdict::PASS),
        One("'plain'", "memory_limit_bytes: 0", Verdict::FAIL, "no memory limit"),
        One("'memory-reservation' is no limit", "memory_reservation_bytes: 33554432",
            Verdict::FAIL),
        OneWith("at the maximum", "maximum: 1000", "memory_limit_bytes: 1000", Verdict::PASS),
        OneWith("over the maximum", "maximum: 1000", "memory_limit_bytes: 1001", Verdict::FAIL,
                "1001"),
        One("a limit of the parent alone", "runtime { memory_max_bytes: 1000 }", Verdict::FAIL),
        Noting(OneWith("a limit of the parent, accepted", "accept_parent_cgroup: true",
                       "runtime { memory_max_bytes: 1000 }", Verdict::PASS),
               "limited_by_cgroup"),
        OneWith("a parent's limit over the maximum", "accept_parent_cgroup: true maximum: 999",
                "runtime { memory_max_bytes: 1000 }", Verdict::FAIL),
        OneWith("accepted, but the parent has none", "accept_parent_cgroup: true", "",
                Verdict::FAIL),
        Because(Given(One("the kernel cannot limit", "memory_limit_bytes: 1000", Verdict::FAIL),
                      "engine { memory_limit_supported: false }"),
                "configured_not_in_force"),
    }));

const RuleCases kPids(
    {"azure-docker/5.28"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        One("'pids-limit'", "pids_limit: 100", Verdict::PASS),
        One("'plain', 'pids-zero', 'pids-minus1': null", "", Verdict::FAIL, "no process limit"),
        One("0, as an update stores it", "pids_limit: 0", Verdict::FAIL),
        One("-1, as other engines store it", "pids_limit: -1", Verdict::FAIL),
        OneWith("over the maximum", "maximum: 50", "pids_limit: 51", Verdict::FAIL),
        OneWith("at the maximum", "maximum: 50", "pids_limit: 50", Verdict::PASS),
        Because(Given(One("the kernel cannot limit", "pids_limit: 100", Verdict::FAIL),
                      "engine { pids_limit_supported: false }"),
                "configured_not_in_force"),
        Given(One("the kernel shows the limit", "pids_limit: 100 runtime { pids_max: 100 }",
                  Verdict::PASS),
              "engine { pids_limit_supported: false }"),
    }));

}  // namespace
}  // namespace plimsoll::evaluate
