// Rules 7.03 and 7.06.
#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

constexpr char kNoSockets[] = "listeners { outcome { state: PERMISSION_DENIED } } ";

std::string Listens(const std::string& address, int port) {
  return absl::StrCat("listeners { address: '", address, "' port: ", port, " } ");
}
std::string Sockets(const std::string& list) {
  return absl::StrCat("listeners { outcome { state: OK } ", list, "} ");
}

Case Address(std::string name, const std::string& facts, Verdict::Status status,
             std::string reason = "*") {
  return {.name = std::move(name), .facts = facts, .status = status, .reason = std::move(reason)};
}

// Facts are laid one over the other, so each case states swarm and listeners in one message each.
std::string Swarm(const std::string& fields, const std::string& listeners) {
  return absl::StrCat("swarm { local_node_state: ACTIVE ", fields, " } ", listeners);
}
constexpr char kOpenFile[] =
    "control_available: true state_file_outcome { state: OK } listen_address: '0.0.0.0:2377'";

std::string ManagerFile(const std::string& address) {
  return absl::StrCat("control_available: true state_file_outcome { state: OK } listen_address: '",
                      address, "'");
}

const std::string kSpecific = Sockets(Listens("10.0.0.1", 2377) + Listens("10.0.0.1", 7946));

const RuleCases kListen(
    {"azure-docker/7.03"},
    {
        Address("no swarm", "", Verdict::NOT_APPLICABLE, "swarm_inactive"),
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        Address("'swarm-default'", Swarm(kOpenFile, ""), Verdict::FAIL),
        Address("'swarm-listen-lo'", Swarm(ManagerFile("127.0.0.1:2377"), ""), Verdict::PASS),
        Address("'swarm-listen-one'", Swarm(ManagerFile("10.99.0.1:2377"), ""), Verdict::PASS),
        Address("an interface", Swarm(ManagerFile("eth0:2377"), ""), Verdict::PASS),
        Address("an interface without a port", Swarm(ManagerFile("eth0"), ""), Verdict::PASS),
        Address("a specific IPv6 address", Swarm(ManagerFile("[fe80::1]:2377"), ""), Verdict::PASS),
        Address("[::]", Swarm(ManagerFile("[::]:2377"), ""), Verdict::FAIL),
        Address("::", Swarm(ManagerFile("::"), ""), Verdict::FAIL),
        Address("a port alone", Swarm(ManagerFile(":2377"), ""), Verdict::FAIL),
        Address("the file says specific, a socket is open",
                Swarm(ManagerFile("10.0.0.1:2377"), Sockets(Listens("::", 7946))), Verdict::FAIL),
        Address("another port than 2377",
                Swarm(ManagerFile("10.0.0.1:4000"), Sockets(Listens("0.0.0.0", 4000))),
                Verdict::FAIL),
        Address("an open port of something else",
                Swarm(ManagerFile("10.0.0.1:2377"), Sockets(Listens("::", 2376))), Verdict::PASS),
        Address("sockets alone, open",
                Swarm("control_available: true", Sockets(Listens("::", 2377))), Verdict::FAIL),
        Address("sockets alone, specific", Swarm("control_available: true", kSpecific),
                Verdict::PASS),
        Address("sockets alone, one is missing",
                Swarm("control_available: true state_file_outcome { state: PERMISSION_DENIED }",
                      Sockets(Listens("10.0.0.1", 7946))),
                Verdict::UNKNOWN, "permission_denied"),
        Address("a worker has 7946 alone",
                Swarm("state_file_outcome { state: PERMISSION_DENIED }",
                      Sockets(Listens("10.0.0.1", 7946))),
                Verdict::PASS),
        Address("a worker, open", Swarm("", Sockets(Listens("*", 7946))), Verdict::FAIL),
        {.name = "a locked manager does not listen: the file decides",
         .facts = "swarm { local_node_state: LOCKED state_file_outcome { state: OK } "
                  "listen_address: '10.0.0.1:2377' }",
         .status = Verdict::PASS},
        Address("neither source",
                Swarm("control_available: true state_file_outcome { state: PERMISSION_DENIED }",
                      kNoSockets),
                Verdict::UNKNOWN, "permission_denied"),
        Address("the file alone", Swarm(ManagerFile("10.0.0.1:2377"), kNoSockets), Verdict::PASS),
        Address("a file without the key",
                Swarm("control_available: true state_file_outcome { state: OK }", ""),
                Verdict::UNKNOWN, "parse_error"),
        Address("/info was not read", "swarm { outcome { state: TIMED_OUT } }", Verdict::UNKNOWN,
                "timed_out"),
        {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
    });

Case State(std::string name, const std::string& swarm, Verdict::Status status,
           std::string reason = "*") {
  return Address(std::move(name), absl::StrCat("swarm { ", swarm, " }"), status, std::move(reason));
}

const RuleCases kLocked(
    {"azure-docker/7.06"},
    {
        State("no swarm", "", Verdict::NOT_APPLICABLE, "swarm_inactive"),
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        State("a worker", "local_node_state: ACTIVE", Verdict::NOT_APPLICABLE, "not_a_manager"),
        State("'swarm-autolock'",
              "local_node_state: ACTIVE control_available: true auto_lock_managers: true",
              Verdict::PASS),
        State("'swarm-default'",
              "local_node_state: ACTIVE control_available: true auto_lock_managers: false",
              Verdict::FAIL),
        State("'swarm-locked'", "local_node_state: LOCKED", Verdict::PASS),
        State("a manager without its cluster", "local_node_state: ACTIVE control_available: true",
              Verdict::UNKNOWN, "parse_error"),
        State("pending", "local_node_state: PENDING", Verdict::UNKNOWN),
        State("in error", "local_node_state: ERROR", Verdict::UNKNOWN),
        State("no state at all", "local_node_state: NODE_STATE_UNSPECIFIED", Verdict::UNKNOWN),
        State("/info was refused", "outcome { state: PERMISSION_DENIED }", Verdict::UNKNOWN,
              "engine_denied"),
        {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
    });

}  // namespace
}  // namespace plimsoll::evaluate
