// Which files the rules on files are about: units' files and the daemon.json in use.
#include "controller/evaluate/checks/file_targets.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

constexpr char kService[] = "/lib/systemd/system/docker.service";
constexpr char kSocketUnit[] = "/lib/systemd/system/docker.socket";

std::vector<Case> UnitCases(const std::string& unit, const std::string& file) {
  std::vector<Case> cases = {
      {.name = "masked",
       .facts = "units { units { name: '$U' load_state: MASKED fragment_path: '/dev/null' } }",
       .status = Verdict::NOT_APPLICABLE,
       .reason = "unit_masked"},
      {.name = "no such unit",
       .facts = "units { units { name: '$U' load_state: NOT_FOUND fragment_path: '' } }",
       .status = Verdict::NOT_APPLICABLE,
       .reason = "unit_absent"},
      {.name = "broken unit without a file",
       .facts = "units { units { name: '$U' load_state: LOAD_ERROR fragment_path: '' } }",
       .status = Verdict::UNKNOWN,
       .reason = "parse_error"},
      {.name = "unit not looked for",
       .clear = {"units.units[$U]"},
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "units unread",
       .facts = "units { outcome { state: PERMISSION_DENIED } }",
       .status = Verdict::UNKNOWN,
       .reason = "permission_denied"},
      {.name = "this unit unread",
       .facts = "units { units { name: '$U' outcome { state: TIMED_OUT } } }",
       .status = Verdict::UNKNOWN,
       .reason = "timed_out"},
      {.name = "unit's file is gone",
       .facts = "files { files { path: '$F' outcome { state: NOT_PRESENT } } }",
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "found by search path",
       .facts = "units { units { name: '$U' how: BY_SEARCH_PATH } }",
       .status = Verdict::PASS,
       .note = "by_search_path"},
      {.name = "file known by its canonical path",
       .clear = {"files.files[$F]"},
       .facts = R"pb(files {
                       files {
                         path: "/usr$F"
                         outcome { state: OK }
                         type: REGULAR
                         mode: 0644
                       }
                     })pb",
       .status = Verdict::PASS},
      {.name = "drop-ins are noted",
       .facts = "units { units { name: '$U' drop_in_paths: '/etc/x.conf' } }",
       .status = Verdict::PASS,
       .note = "drop_ins"},
      {.name = "drop-ins are judged",
       .facts = R"pb(units { units { name: "$U" drop_in_paths: "/etc/x.conf" } }
                     files {
                       files {
                         path: "/etc/x.conf"
                         outcome { state: OK }
                         uid: 9
                         mode: 0666
                       }
                     })pb",
       .args = "dropins: ENFORCE",
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "drop-in not looked at",
       .facts = "units { units { name: '$U' drop_in_paths: '/etc/x.conf' } }",
       .args = "dropins: ENFORCE",
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
  };
  for (Case& c : cases) {
    c.facts = absl::StrReplaceAll(c.facts, {{"$U", unit}, {"$F", file}});
    for (std::string& path : c.clear) {
      path = absl::StrReplaceAll(path, {{"$U", unit}, {"$F", file}});
    }
  }
  return cases;
}

const RuleCases kUnits[] = {
    {{"azure-docker/3.01", "azure-docker/3.02", "edge-docker/8.01", "edge-docker/8.02"},
     UnitCases("docker.service", kService)},
    {{"azure-docker/3.03", "azure-docker/3.04", "edge-docker/8.03", "edge-docker/8.04"},
     UnitCases("docker.socket", kSocketUnit)},
};

const RuleCases kSnapUnit(
    {"azure-docker/3.02"},
    {{.name = "snap's unit stands in",
      .facts = R"pb(units {
                      units { name: "docker.service" load_state: NOT_FOUND fragment_path: "" }
                      units {
                        name: "snap.docker.dockerd.service"
                        outcome { state: OK }
                        load_state: LOADED
                        fragment_path: "/etc/systemd/system/snap.docker.dockerd.service"
                      }
                    }
                    files {
                      files {
                        path: "/etc/systemd/system/snap.docker.dockerd.service"
                        outcome { state: OK }
                        mode: 0666
                      }
                    })pb",
      .status = Verdict::FAIL,
      .findings = 1}});

const RuleCases kDaemonConfig(
    {"azure-docker/3.17", "azure-docker/3.18", "edge-docker/8.17", "edge-docker/8.18"},
    {{.name = "another file is in use",
      .facts = R"pb(daemon { config_file { path: "/srv/d.json" path_is_explicit: true } }
                    files {
                      files {
                        path: "/srv/d.json"
                        outcome { state: OK }
                        uid: 5
                        mode: 0666
                      }
                    })pb",
      .status = Verdict::FAIL,
      .findings = 1,
      .note = "default_file_unused"},
     {.name = "named on the command line, but missing",
      .facts = R"pb(daemon { config_file { path: "/srv/d.json" path_is_explicit: true } }
                    files {
                      files {
                        path: "/srv/d.json"
                        outcome { state: NOT_PRESENT }
                      }
                    })pb",
      .status = Verdict::UNKNOWN,
      .reason = "not_collected"},
     {.name = "no engine",
      .facts = "daemon { outcome { state: UNAVAILABLE } }",
      .status = Verdict::UNKNOWN,
      .reason = "engine_unreachable"},
     {.name = "several engines",
      .facts = "daemon { outcome { state: AMBIGUOUS } }",
      .status = Verdict::UNKNOWN,
      .reason = "ambiguous_daemon"},
     {.name = "command line unread",
      .facts = "daemon { command_line { outcome { state: PERMISSION_DENIED } } }",
      .status = Verdict::UNKNOWN,
      .reason = "permission_denied"},
     {.name = "content unread, metadata read",
      .facts = "daemon { config_file { outcome { state: MALFORMED } } }",
      .status = Verdict::PASS}});

const RuleCases kRootlessConfig(
    {"azure-docker/3.17"},
    {{.name = "its user's file",
      .facts = R"pb(engine { security_options { name: "rootless" } }
                    daemon { uid: 1000 }
                    files { files { path: "/etc/docker/daemon.json" uid: 1000 gid: 1000 } })pb",
      .status = Verdict::PASS},
     {.name = "another user's file",
      .facts = R"pb(engine { security_options { name: "rootless" } }
                    daemon { uid: 1000 }
                    files { files { path: "/etc/docker/daemon.json" uid: 1001 gid: 1000 } })pb",
      .status = Verdict::FAIL}});

const RuleCases kRootlessMachine(
    {"azure-docker/3.05"}, {{.name = "the machine's directory stays root's",
                             .facts = R"pb(engine { security_options { name: "rootless" } }
                                           daemon { uid: 1000 }
                                           files { files { path: "/etc/docker" uid: 1000 } })pb",
                             .status = Verdict::FAIL}});

v1::CollectionPlan PlanOf(const std::string& check_text) {
  v1::Check check;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(check_text, &check)) << check_text;
  v1::CollectionPlan plan;
  FindCheck(check.kind_case())->plan(check, plan);
  return plan;
}

TEST(FilePlan, NamesWhatTheCheckLooksAt) {
  EXPECT_EQ(PlanOf("file_owner { path: '/a' also: '/b' }").ShortDebugString(),
            "paths: \"/a\" paths: \"/b\"");
  EXPECT_EQ(PlanOf("file_mode { unit: 'docker.socket' }").ShortDebugString(),
            "units: \"docker.socket\"");
  EXPECT_EQ(PlanOf("file_mode { unit: 'docker.service' }").units_size(), 2);
  EXPECT_EQ(PlanOf("file_mode { daemon_config: true }").paths(0), "/etc/docker/daemon.json");
  EXPECT_EQ(PlanOf("file_owner { tls_file: KEY }").paths(0), "/root/.docker/key.pem");
}

}  // namespace
}  // namespace plimsoll::evaluate
