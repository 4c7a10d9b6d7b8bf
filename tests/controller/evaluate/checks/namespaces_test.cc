// Rules 5.09, 5.15, 5.16, 5.20, 5.30 (rules.md S7).
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// Several containers, of which the first is about.
Case Group(std::string name, const std::string& containers, Verdict::Status status,
           std::string observed = {}) {
  return {.name = std::move(name),
          .clear = {"containers.containers[*]"},
          .facts = Containers(containers),
          .status = status,
          .findings = -1,
          .observed = std::move(observed)};
}

// A chain c0 -> c1 -> ... of this many joins that ends in `end`.
std::string Chain(const std::string& mode, int joins, const std::string& end) {
  std::string text;
  for (int i = 0; i < joins; ++i) {
    text += AContainer(absl::StrCat("c", i), absl::StrCat(mode, ": 'container:c", i + 1, "'"));
  }
  return text + AContainer(absl::StrCat("c", joins), absl::StrCat(mode, ": '", end, "'"));
}

// The cases that the four kinds share; `field` is the mode, `inode` its runtime twin. The base's
// engine has inodes 1001 to 1004.
std::vector<Case> Shared(const std::string& field, const std::string& inode, int engine_inode) {
  const auto mode = [&](const std::string& m) { return absl::StrCat(field, ": '", m, "' "); };
  const auto runtime = [&](int n) {
    return absl::StrCat("runtime { outcome { state: OK } namespaces { ", inode, ": ", n, " } }");
  };
  return {
      {.name = "compliant base", .status = Verdict::PASS},
      {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
      One("host mode", mode("host"), Verdict::FAIL, "mode host"),
      One("empty", mode(""), Verdict::PASS),
      One("own by mode, the engine's by inode", mode("") + runtime(engine_inode), Verdict::FAIL,
          "the machine's"),
      One("own by mode and inode", mode("") + runtime(77), Verdict::PASS),
      Given(One("rootless: RootlessKit's namespace", mode("") + runtime(500), Verdict::FAIL,
                "the engine's"),
            absl::StrCat("machine { engine_namespaces { ", inode, ": 500 } }")),
      Given(One("rootless: the machine's namespace", mode("") + runtime(engine_inode),
                Verdict::FAIL, "the machine's"),
            absl::StrCat("machine { engine_namespaces { ", inode, ": 500 } }")),
      Without(One("the machine's inodes are not known: the mode decides", mode("") + runtime(77),
                  Verdict::PASS),
              "machine.engine_namespaces"),
  };
}

// Joining: kinds that know it.
std::vector<Case> Joining(const std::string& field, const std::string& inode) {
  const auto runtime = [&](int n) {
    return absl::StrCat(" runtime { outcome { state: OK } namespaces { ", inode, ": ", n, " } }");
  };
  const std::string gone = absl::StrCat(field, ": 'container:gone'");
  return {
      Group("joins one of its own", Chain(field, 1, "private"), Verdict::PASS),
      Group("joins one in host mode", Chain(field, 1, "host"), Verdict::FAIL, "joins c1"),
      Group("a long chain to the host", Chain(field, 15, "host"), Verdict::FAIL),
      Because(Group("a chain too long", Chain(field, 18, "private"), Verdict::UNKNOWN),
              "partial_listing"),
      Because(Group("a circle",
                    AContainer("c0", absl::StrCat(field, ": 'container:c1'")) +
                        AContainer("c1", absl::StrCat(field, ": 'container:c0'")),
                    Verdict::UNKNOWN),
              "partial_listing"),
      Because(One("joins one that is not listed", gone, Verdict::UNKNOWN, "not listed"),
              "partial_listing"),
      One("joins one not listed, by inode its own", gone + runtime(77), Verdict::PASS),
      Group("joins one that was not inspected",
            AContainer("a", absl::StrCat(field, ": 'container:b'")) +
                AContainer("b", "inspect_failed"),
            Verdict::UNKNOWN),
  };
}

std::vector<Case> Join(std::vector<std::vector<Case>> parts) {
  std::vector<Case> all = CommonCases();
  for (auto& part : parts) {
    for (Case& c : part) all.push_back(std::move(c));
  }
  return all;
}

const RuleCases kNetwork({"azure-docker/5.09"},
                         Join({Shared("network_mode", "net", 1001),
                               Joining("network_mode", "net"),
                               {One("'net-none'", "network_mode: 'none'", Verdict::PASS),
                                One("'net-user'", "network_mode: 'app'", Verdict::PASS)}}));

const RuleCases kPid({"azure-docker/5.15"},
                     Join({Shared("pid_mode", "pid", 1002), Joining("pid_mode", "pid")}));

const RuleCases kIpc({"azure-docker/5.16"},
                     Join({Shared("ipc_mode", "ipc", 1003),
                           Joining("ipc_mode", "ipc"),
                           {One("'ipc-shareable'", "ipc_mode: 'shareable'", Verdict::PASS),
                            One("'ipc-private'", "ipc_mode: 'private'", Verdict::PASS),
                            One("none", "ipc_mode: 'none'", Verdict::PASS)}}));

const RuleCases kUts({"azure-docker/5.20"}, Join({Shared("uts_mode", "uts", 1004),
                                                  {One("'net-host' keeps its own",
                                                       "network_mode: 'host'", Verdict::PASS)}}));

constexpr char kIdentity[] =
    "runtime { outcome { state: OK } uid_map { inside: 0 outside: 0 length: 4294967295 } }";
constexpr char kMapped[] =
    "runtime { outcome { state: OK } uid_map { inside: 0 outside: 100000 length: 65536 } }";

const RuleCases kUserns(
    {"azure-docker/5.30"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'userns-host'", "userns_mode: 'host'", Verdict::FAIL),
        {.name = "'userns-host' behind another container",
         .clear = {"containers.containers[*]"},
         .facts = Containers(AContainer("first", "") + AContainer("second", "userns_mode: 'host'")),
         .status = Verdict::FAIL,
         .findings = 1},
        Without(One("'userns-host' on an engine without remap", "userns_mode: 'host'",
                    Verdict::FAIL),
                "engine.security_options"),
        One("'plain'", "", Verdict::PASS),
        Because(Given(One("rootless", "userns_mode: 'host'", Verdict::NOT_APPLICABLE),
                      "engine { security_options { name: 'rootless' } }"),
                "rootless"),
        Because(Given(One("whether it is rootless was not read", "userns_mode: 'host'",
                          Verdict::UNKNOWN),
                      "engine { info_outcome { state: PERMISSION_DENIED } }"),
                "engine_denied"),
        One("the identity map is 2.08's business", kIdentity, Verdict::PASS),
        OneWith("effective: identity", "effective: true", kIdentity, Verdict::FAIL),
        OneWith("effective: mapped", "effective: true", kMapped, Verdict::PASS),
        Because(OneWith("effective: not readable", "effective: true",
                        "runtime { outcome { state: PERMISSION_DENIED } }", Verdict::UNKNOWN),
                "permission_denied"),
    }));

}  // namespace
}  // namespace plimsoll::evaluate
