// Rule 5.13.
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

std::string Port(const std::string& ip, int host, int container, const std::string& protocol,
                 const std::string& origin = "LIVE") {
  return absl::StrCat("ports { container_port: ", container, " protocol: '", protocol,
                      "' host_ip: '", ip, "' host_port: ", host, " origin: ", origin, " }\n");
}

// A container that was never started.
Case Created(const std::string& name, const std::string& fields, Verdict::Status status) {
  return OneWith(name, "scope { states: 'created' }", "status: CREATED " + fields, status);
}

constexpr char kBoundBridge[] =
    "networks { networks { name: 'bridge' host_binding_ipv4: '10.0.0.5' } }";
constexpr char kOpenBridge[] =
    "networks { networks { name: 'bridge' host_binding_ipv4: '0.0.0.0' } }";
constexpr char kBoundBridgeAndOwn[] =
    "networks { networks { name: 'bridge' host_binding_ipv4: '10.0.0.5' } "
    "networks { name: 'own' id: 'own' driver: 'bridge' } }";

std::string Manager(const std::string& rest) {
  return absl::StrCat("swarm { local_node_state: ACTIVE control_available: true ", rest, " }");
}
constexpr char kIngress[] =
    "services_outcome { state: OK } services { id: 's1' name: 'shop' ports { "
    "publish_mode: 'ingress' published_port: 443 target_port: 8443 protocol: 'tcp' } }";

const RuleCases kPorts(
    {"azure-docker/5.13"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'plain'", "network_mode: 'default'", Verdict::PASS),
        One("'port-any'", Port("0.0.0.0", 18080, 80, "tcp") + Port("::", 18080, 80, "tcp"),
            Verdict::FAIL, "0.0.0.0:18080->80/tcp"),
        One("'port-any4'", Port("0.0.0.0", 18081, 80, "tcp"), Verdict::FAIL),
        One("'port-any6' alone", Port("::", 18082, 80, "tcp"), Verdict::FAIL, "[::]:18082->80/tcp"),
        One("'port-random', 'port-all'", Port("0.0.0.0", 32768, 80, "tcp"), Verdict::FAIL),
        One("'port-range'", Port("0.0.0.0", 18090, 80, "tcp") + Port("0.0.0.0", 18091, 81, "tcp"),
            Verdict::FAIL, "18091->81/tcp"),
        One("'port-lo', 'port-privileged'", Port("127.0.0.1", 80, 80, "tcp"), Verdict::PASS),
        One("'port-specific'", Port("10.99.0.1", 18084, 80, "tcp"), Verdict::PASS),
        One("'port-udp'", Port("127.0.0.1", 18085, 53, "udp"), Verdict::PASS),
        One("'expose-only'", "exposed_only_count: 1", Verdict::PASS),
        One("live without an address", Port("", 80, 80, "tcp"), Verdict::FAIL, "any address"),
        One("one open of two", Port("127.0.0.1", 80, 80, "tcp") + Port("0.0.0.0", 81, 81, "tcp"),
            Verdict::FAIL, "0.0.0.0:81->81/tcp"),
        // Bindings that the engine discards.
        One("'net-host' keeps bindings it does not use",
            "network_mode: 'host' " + Port("", 80, 80, "tcp", "CONFIGURED"),
            Verdict::NOT_APPLICABLE),
        One("no network", "network_mode: 'none' " + Port("", 80, 80, "tcp", "CONFIGURED"),
            Verdict::NOT_APPLICABLE),
        One("another container's network",
            "network_mode: 'container:x' " + Port("", 80, 80, "tcp", "CONFIGURED"),
            Verdict::NOT_APPLICABLE),
        // Before the start.
        One("running: what is configured does not count", Port("", 80, 80, "tcp", "CONFIGURED"),
            Verdict::PASS),
        Given(Created("default bridge bound by --ip",
                      "network_mode: 'default' " + Port("", 80, 80, "tcp", "CONFIGURED"),
                      Verdict::PASS),
              kBoundBridge),
        Given(Created("default bridge open",
                      "network_mode: 'default' " + Port("", 80, 80, "tcp", "CONFIGURED"),
                      Verdict::FAIL),
              kOpenBridge),
        Given(Created("--ip is not inherited by user networks",
                      "network_mode: 'own' " + Port("", 80, 80, "tcp", "CONFIGURED"),
                      Verdict::FAIL),
              kBoundBridgeAndOwn),
        Created("a user network with a binding",
                "network_mode: 'app' " + Port("", 80, 80, "tcp", "CONFIGURED"), Verdict::PASS),
        Created("configured for every address",
                "network_mode: 'app' " + Port("0.0.0.0", 80, 80, "tcp", "CONFIGURED"),
                Verdict::FAIL),
        Given(Created("all exposed ports",
                      "network_mode: 'default' publish_all_ports: true "
                      "exposed_only_count: 2",
                      Verdict::FAIL),
              kOpenBridge),
        Given(Created("all exposed ports, bound",
                      "network_mode: 'default' publish_all_ports: true "
                      "exposed_only_count: 2",
                      Verdict::PASS),
              kBoundBridge),
        Created("all of no exposed ports", "publish_all_ports: true", Verdict::PASS),
        Because(Without(Given(Created("the network was not read",
                                      "network_mode: 'default' " +
                                          Port("", 80, 80, "tcp", "CONFIGURED"),
                                      Verdict::UNKNOWN),
                              "networks { outcome { state: TIMED_OUT } }"),
                        "networks.networks"),
                "timed_out"),
        // Parameters.
        OneWith("allowed port", "allowed_wildcard_ports: '443/tcp'", Port("::", 443, 8443, "tcp"),
                Verdict::PASS),
        OneWith("allowed by number", "allowed_wildcard_ports: '443'", Port("::", 443, 8443, "udp"),
                Verdict::PASS),
        OneWith("allowed for another protocol", "allowed_wildcard_ports: '443/udp'",
                Port("::", 443, 8443, "tcp"), Verdict::FAIL),
        // The swarm.
        {.name = "an ingress port",
         .facts = Manager(kIngress),
         .status = Verdict::FAIL,
         .findings = 1,
         .observed = "ingress"},
        {.name = "an ingress port, not judged",
         .facts = Manager(kIngress),
         .args = "judge_ingress: false",
         .status = Verdict::PASS},
        {.name = "an ingress port, allowed",
         .facts = Manager(kIngress),
         .args = "allowed_wildcard_ports: '443/tcp'",
         .status = Verdict::PASS},
        {.name = "an exempt service",
         .facts = Manager(kIngress),
         .args = "scope { exempt: 'shop' }",
         .status = Verdict::PASS,
         .note = "exempt"},
        {.name = "host-mode ports show on the tasks",
         .facts = Manager("services_outcome { state: OK } services { id: 's1' ports { "
                          "publish_mode: 'host' published_port: 443 } }"),
         .status = Verdict::PASS},
        {.name = "services not read on a manager",
         .facts = Manager("services_outcome { state: TIMED_OUT }"),
         .status = Verdict::UNKNOWN,
         .reason = "timed_out"},
        {.name = "workers know no services",
         .facts = "swarm { local_node_state: ACTIVE control_available: false }",
         .status = Verdict::PASS},
        {.name = "the swarm's state was not read",
         .facts = "swarm { outcome { state: PERMISSION_DENIED } }",
         .status = Verdict::UNKNOWN,
         .reason = "engine_denied"},
    }));

}  // namespace
}  // namespace plimsoll::evaluate
