// The rule on who is in the group that owns the engine's socket.
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

constexpr char kAlice[] =
    "users { groups { name: 'docker' members { user: 'alice' via: PRIMARY } "
    "members { user: 'alice' via: SECONDARY } members { user: 'bobby' via: SECONDARY } } }";

const RuleCases kGroup(
    {"edge-docker/11.01"},
    {{.name = "empty group", .status = Verdict::PASS},
     {.name = "members and no list", .facts = kAlice, .status = Verdict::MANUAL, .findings = 3},
     {.name = "all trusted",
      .facts = kAlice,
      .args = "trusted_users: 'alice' trusted_users: 'bobby'",
      .status = Verdict::PASS},
     {.name = "one is not",
      .facts = kAlice,
      .args = "trusted_users: 'alice'",
      .status = Verdict::FAIL,
      .findings = 1,
      .observed = "member of docker"},
     {.name = "bob is trusted, bobby is not",
      .facts = kAlice,
      .args = "trusted_users: 'alice' trusted_users: 'bob'",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "the group that owns the socket, by another name",
      .facts = "users { groups { name: 'ops' outcome { state: OK } gid: 5 owns_socket: true "
               "members { user: 'eve' via: SECONDARY } } }",
      .args = "trusted_users: 'alice'",
      .status = Verdict::FAIL,
      .findings = 1},
     {.name = "a group that does not matter",
      .facts = "users { groups { name: 'ops' outcome { state: OK } gid: 5 "
               "members { user: 'eve' via: SECONDARY } } }",
      .args = "trusted_users: 'alice'",
      .status = Verdict::PASS},
     {.name = "root is no surprise",
      .facts = "users { groups { name: 'root' outcome { state: OK } owns_socket: true "
               "members { user: 'root' via: PRIMARY } } }",
      .args = "trusted_users: 'alice'",
      .status = Verdict::PASS},
     {.name = "no such group",
      .clear = {"users.groups[docker]"},
      .facts = "users { groups { name: 'docker' outcome { state: NOT_PRESENT } } }",
      .status = Verdict::PASS},
     {.name = "rootless",
      .facts = "engine { security_options { name: 'rootless' } } " + std::string(kAlice),
      .args = "trusted_users: 'zoe'",
      .status = Verdict::NOT_APPLICABLE,
      .reason = "rootless"},
     {.name = "engine unreachable, its process is root's",
      .facts = "engine { info_outcome { state: UNAVAILABLE } } " + std::string(kAlice),
      .args = "trusted_users: 'zoe'",
      .status = Verdict::FAIL},
     {.name = "neither engine nor process",
      .clear = {"daemon"},
      .facts = "engine { info_outcome { state: UNAVAILABLE } } " + std::string(kAlice),
      .args = "trusted_users: 'zoe'",
      .reason = "engine_unreachable"},
     {.name = "look-up failed",
      .facts = "users { groups { name: 'docker' outcome { state: TIMED_OUT } } }",
      .reason = "timed_out"},
     {.name = "name service unread",
      .facts = "users { outcome { state: PERMISSION_DENIED } }",
      .reason = "permission_denied"}});

}  // namespace
}  // namespace plimsoll::evaluate
