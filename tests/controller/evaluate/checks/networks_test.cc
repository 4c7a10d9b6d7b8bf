// Rules 5.29 and 7.04.
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

constexpr char kBridgeId[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

// The default bridge with these attached, by its own inspect.
std::string Bridge(const std::string& fields) {
  return absl::StrCat("networks { networks { name: 'bridge' ", fields, " } }");
}
std::string On(const std::string& name, const std::string& id) {
  return absl::StrCat("networks { name: '", name, "' id: '", id, "' }");
}

const RuleCases kDefaultBridge(
    {"azure-docker/5.29"},
    {
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        {.name = "the bridge exists, and no container at all",
         .clear = {"containers.containers[*]"},
         .status = Verdict::PASS},
        {.name = "no default bridge",
         .clear = {"networks.networks"},
         .facts = "networks { networks { id: 'x' name: 'app' driver: 'bridge' } }",
         .status = Verdict::PASS},
        {.name = "attached by the bridge's inspect",
         .facts = Bridge("container_ids: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaa'"),
         .status = Verdict::FAIL,
         .findings = 1,
         .message = "1 of 3 fail, 1 out of scope"},
        {.name = "another device name is the default bridge all the same",
         .facts = Bridge("bridge_name: 'br9' container_ids: 'feedfeedfeedfeed'"),
         .status = Verdict::FAIL,
         .findings = 1},
        One("'plain' by its own settings", On("bridge", kBridgeId), Verdict::FAIL),
        One("'net-two': connected later", On("app", "x") + On("bridge", kBridgeId), Verdict::FAIL),
        One("mode default, on an overlay: a swarm task",
            "network_mode: 'default' " + On("ov1", "x"), Verdict::PASS),
        One("'net-user'", "network_mode: 'app' " + On("app", "x"), Verdict::PASS),
        OneWith("never started, without ids", "scope { states: 'created' }",
                "status: CREATED " + On("bridge", ""), Verdict::FAIL),
        One("stopped is out of scope", "status: EXITED " + On("bridge", kBridgeId), Verdict::PASS),
        {.name = "attached, and not inspected by itself",
         .facts = Bridge("container_ids: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaa'") +
                  "containers { containers { name: 'web' outcome { state: TIMED_OUT } } }",
         .status = Verdict::FAIL,
         .findings = 2},
        {.name = "exempt",
         .facts = Bridge("container_ids: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                         "aaaaaaaa'"),
         .args = "scope { exempt: 'web' }",
         .status = Verdict::PASS,
         .note = "exempt"},
        {.name = "the bridge's inspect failed",
         .facts = Bridge("inspect_outcome { state: TIMED_OUT }"),
         .status = Verdict::UNKNOWN,
         .reason = "timed_out"},
        Given(One("the bridge's inspect failed, and one names it", On("bridge", kBridgeId),
                  Verdict::FAIL),
              Bridge("inspect_outcome { state: TIMED_OUT }")),
        {.name = "networks not listed",
         .facts = "networks { outcome { state: PERMISSION_DENIED } }",
         .status = Verdict::UNKNOWN,
         .reason = "engine_denied"},
        {.name = "containers not listed",
         .facts = "containers { outcome { state: TIMED_OUT } }",
         .status = Verdict::UNKNOWN,
         .reason = "timed_out"},
        {.name = "containers not listed, and one is attached",
         .facts = "containers { outcome { state: TIMED_OUT } }" +
                  Bridge("container_ids: 'feedfeedfeedfeed'"),
         .status = Verdict::FAIL},
        {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
    });

std::string Overlay(const std::string& fields, const std::string& state = "ACTIVE",
                    const std::string& outcome = "OK") {
  return absl::StrCat("networks { outcome { state: ", outcome,
                      " } networks { id: 'ov' name: 'ov' driver: 'overlay' ", fields,
                      " } } swarm { local_node_state: ", state, " }");
}

const RuleCases kOverlays(
    {"azure-docker/7.04"},
    {
        {.name = "no swarm", .status = Verdict::NOT_APPLICABLE, .reason = "swarm_inactive"},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        {.name = "a swarm without overlays",
         .facts = "swarm { local_node_state: ACTIVE }",
         .status = Verdict::NOT_APPLICABLE,
         .reason = "no_objects"},
        {.name = "encrypted", .facts = Overlay("encrypted: true"), .status = Verdict::PASS},
        {.name = "not encrypted", .facts = Overlay(""), .status = Verdict::FAIL, .findings = 1},
        {.name = "no swarm, and an overlay left over",
         .facts = Overlay("", "INACTIVE"),
         .status = Verdict::FAIL},
        {.name = "ingress",
         .facts = Overlay("ingress: true"),
         .status = Verdict::FAIL,
         .observed = "ingress"},
        {.name = "ingress, not judged",
         .facts = Overlay("ingress: true"),
         .args = "include_ingress: false",
         .status = Verdict::NOT_APPLICABLE},
        {.name = "exempt",
         .facts = Overlay(""),
         .args = "exempt: 'o*'",
         .status = Verdict::NOT_APPLICABLE,
         .note = "exempt"},
        {.name = "locked: what is listed",
         .facts = Overlay("encrypted: true"),
         .status = Verdict::PASS},
        {.name = "networks not listed",
         .facts = "networks { outcome { state: UNAVAILABLE } }",
         .status = Verdict::UNKNOWN,
         .reason = "engine_unreachable"},
        {.name = "a listing cut off still proves a violation",
         .facts = Overlay("", "ACTIVE", "TRUNCATED"),
         .status = Verdict::FAIL},
        {.name = "a listing cut off proves nothing else",
         .facts = "networks { outcome { state: TRUNCATED } }",
         .status = Verdict::UNKNOWN,
         .reason = "partial_listing"},
        {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
    });

}  // namespace
}  // namespace plimsoll::evaluate
