// Rule 5.14.
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

Case Policy(const std::string& name, const std::string& policy, int attempts,
            Verdict::Status status, std::string observed = {}) {
  return One(name,
             absl::StrCat("restart_policy: '", policy, "' restart_maximum_retry_count: ", attempts),
             status, std::move(observed));
}

// A task of service "svc" on a manager that shows it with these fields.
Case Task(const std::string& name, const std::string& service, Verdict::Status status) {
  return Given(One(name, "labels { key: 'com.docker.swarm.service.id' value: 'svc' }", status),
               absl::StrCat("swarm { local_node_state: ACTIVE control_available: true "
                            "services_outcome { state: OK } services { id: 'svc' ",
                            service, " } }"));
}

const RuleCases kRestart(
    {"azure-docker/5.14"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        Policy("'plain', 'restart-no'", "no", 0, Verdict::PASS),
        Policy("empty, as the API leaves it", "", 0, Verdict::PASS),
        Policy("'restart-on-failure-3'", "on-failure", 3, Verdict::PASS),
        Policy("'restart-on-failure-5'", "on-failure", 5, Verdict::PASS),
        Policy("'restart-on-failure-10'", "on-failure", 10, Verdict::FAIL, "10 attempts"),
        Policy("'restart-on-failure' has no limit", "on-failure", 0, Verdict::FAIL,
               "without a limit"),
        Policy("'restart-always', 'restarting'", "always", 0, Verdict::FAIL, "always"),
        Policy("'restart-unless-stopped'", "unless-stopped", 0, Verdict::FAIL),
        Because(Policy("a policy of a later engine", "sometimes", 0, Verdict::UNKNOWN),
                "parse_error"),
        OneWith("always, accepted", "accept_always: true", "restart_policy: 'always'",
                Verdict::PASS),
        OneWith("unlimited is not always", "accept_always: true", "restart_policy: 'on-failure'",
                Verdict::FAIL),
        OneWith("a maximum of ten", "maximum: 10",
                "restart_policy: 'on-failure' restart_maximum_retry_count: 10", Verdict::PASS),
        Task("service: never", "restart_condition: NONE", Verdict::PASS),
        Task("service: three tries", "restart_condition: ON_FAILURE max_attempts: 3",
             Verdict::PASS),
        Task("service: six tries", "restart_condition: ON_FAILURE max_attempts: 6", Verdict::FAIL),
        Task("service: no limit", "restart_condition: ON_FAILURE max_attempts: 0", Verdict::FAIL),
        Task("service: limit absent", "restart_condition: ON_FAILURE", Verdict::FAIL),
        Task("service: any", "restart_condition: ANY", Verdict::FAIL),
        Task("service: policy absent", "", Verdict::FAIL),
        Because(Given(One("a task on a worker",
                          "labels { key: 'com.docker.swarm.service.id' value: 'svc' }",
                          Verdict::UNKNOWN),
                      "swarm { local_node_state: ACTIVE }"),
                "needs_manager"),
        Because(Given(One("a task, and the services were refused",
                          "labels { key: 'com.docker.swarm.service.id' value: 'svc' }",
                          Verdict::UNKNOWN),
                      "swarm { local_node_state: ACTIVE control_available: true "
                      "services_outcome { state: PERMISSION_DENIED } }"),
                "engine_denied"),
        Because(Given(One("a task, and the swarm's state was not read",
                          "labels { key: 'com.docker.swarm.service.id' value: 'svc' }",
                          Verdict::UNKNOWN),
                      "swarm { outcome { state: TIMED_OUT } }"),
                "timed_out"),
    }));

}  // namespace
}  // namespace plimsoll::evaluate
