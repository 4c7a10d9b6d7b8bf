// Which containers are judged, and how they are named (rules.md S6), shown on rule 5.04.
#include "controller/evaluate/checks/container_scope.h"

#include <gtest/gtest.h>

#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

const std::string kTwo = Containers(AContainer("good", "") + AContainer("bad", "privileged: true"));

Case Two(std::string name, std::string args, Verdict::Status status) {
  return {.name = std::move(name),
          .clear = {"containers.containers[*]"},
          .facts = kTwo,
          .args = std::move(args),
          .status = status};
}

const RuleCases kScope(
    {"azure-docker/5.04"},
    {
        One("running", "status: RUNNING privileged: true", Verdict::FAIL, "privileged"),
        One("paused", "status: PAUSED privileged: true", Verdict::FAIL),
        One("restarting", "status: RESTARTING privileged: true", Verdict::FAIL),
        Because(One("exited is out of scope", "status: EXITED privileged: true",
                    Verdict::NOT_APPLICABLE),
                "no_objects"),
        One("created is judged before it runs", "status: CREATED privileged: true", Verdict::FAIL),
        Because(OneWith("created is left out where asked", "scope { states: 'running' }",
                        "status: CREATED privileged: true", Verdict::NOT_APPLICABLE),
                "no_objects"),
        OneWith("exited is judged where asked", "scope { states: 'exited' }",
                "status: EXITED privileged: true", Verdict::FAIL),
        OneWith("a state that does not exist", "scope { states: 'asleep' }", "", Verdict::UNKNOWN),
        Noting(One("a stopped one may come back", "status: EXITED restart_policy: 'always'",
                   Verdict::NOT_APPLICABLE),
               "stopped_may_return"),
        Because(One("state not read", "status: STATUS_UNSPECIFIED", Verdict::UNKNOWN),
                "parse_error"),
        Two("one of two", "", Verdict::FAIL),
        Noting(Two("exempt by glob", "scope { exempt: 'b?d' }", Verdict::PASS), "exempt"),
        Noting(Two("exempt by id prefix", "scope { exempt: '03a03a03a03a' }", Verdict::PASS),
               "exempt"),
        Two("a short prefix exempts nobody", "scope { exempt: '03a03a' }", Verdict::FAIL),
        Two("exempt until a day to come", "scope { exempt: 'bad until 2026-01-02' }",
            Verdict::PASS),
        Two("exempt until a day gone by", "scope { exempt: 'bad until 2026-01-01' }",
            Verdict::FAIL),
        Two("exempt until nonsense", "scope { exempt: 'bad until soon' }", Verdict::FAIL),
        OneWith("exempt by image id", "scope { exempt: 'sha256:abc' }",
                "privileged: true image_id: 'sha256:abc'", Verdict::NOT_APPLICABLE),
        Given(OneWith("exempt by image digest", "scope { exempt: 'sha256:feed' }",
                      "privileged: true image_id: 'sha256:abc'", Verdict::NOT_APPLICABLE),
              "images { images { id: 'sha256:abc' repo_digests: 'r.example/x@sha256:feed' } }"),
        OneWith("exempt by label", "scope { exempt: 'team=infra*' }",
                "privileged: true labels { key: 'team' value: 'infra-eu' }",
                Verdict::NOT_APPLICABLE),
        OneWith("another label", "scope { exempt: 'team=infra' }",
                "privileged: true labels { key: 'team' value: 'web' }", Verdict::FAIL),
        {.name = "a listing cut off still proves a violation",
         .facts = "containers { outcome { state: TRUNCATED } containers { name: 'web' "
                  "privileged: true } }",
         .status = Verdict::FAIL,
         .findings = 1},
        {.name = "a listing cut off proves no pass",
         .facts = "containers { outcome { state: TRUNCATED } }",
         .status = Verdict::UNKNOWN,
         .reason = "partial_listing"},
        {.name = "a failure beside an inspect that failed",
         .clear = {"containers.containers[*]"},
         .facts = Containers(AContainer("it", "privileged: true") +
                             AContainer("that", "inspect_failed")),
         .status = Verdict::FAIL,
         .findings = 2},
        {.name = "gone between list and inspect",
         .facts = "containers { containers { name: 'web' outcome { state: NOT_PRESENT } } }",
         .status = Verdict::PASS},
    });

TEST(ContainerScope, NamesTasksByServiceAndTask) {
  v1::Container container;
  container.set_id("0123456789abcdef");
  EXPECT_EQ(ObjectName(container), "0123456789ab");
  container.set_name("web-1");
  EXPECT_EQ(ObjectName(container), "web-1 (0123456789ab)");
  (*container.mutable_labels())["com.docker.swarm.service.name"] = "shop";
  (*container.mutable_labels())["com.docker.swarm.task.id"] = "xyz";
  EXPECT_EQ(ObjectName(container), "shop (task xyz)");
}

TEST(ContainerScope, PlansTheLabelsThatExemptionsName) {
  v1::ContainerScope scope;
  scope.add_exempt("team=infra");
  scope.add_exempt("web-*");
  v1::CollectionPlan plan;
  PlanScope(scope, plan);
  ASSERT_EQ(plan.label_keys_size(), 1);
  EXPECT_EQ(plan.label_keys(0), "team");
}

}  // namespace
}  // namespace plimsoll::evaluate
