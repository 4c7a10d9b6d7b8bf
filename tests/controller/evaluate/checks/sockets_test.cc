// The sockets the engine listens on: azure-docker 3.15 and 3.16, edge-docker 8.15 and 8.16.
#include "controller/evaluate/checks/sockets.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::FileFact;
using v1::Verdict;

// Facts about the socket in both spellings.
std::string Socket(const std::string& rest) {
  return absl::StrCat("files { files { path: '/run/docker.sock' ", rest,
                      " } files { path: '/var/run/docker.sock' ", rest, " } }");
}

std::string Hosts(const std::string& values) {
  return absl::StrCat("daemon { command_line { settings { hosts { ", values, " } } } }");
}

std::string Group(const std::string& name) {
  return absl::StrCat("daemon { command_line { settings { group: '", name,
                      "' } } } units { units { name: 'docker.socket' socket_group: '", name,
                      "' } }");
}

// What both rules share.
const RuleCases kBoth(
    {"azure-docker/3.15", "azure-docker/3.16", "edge-docker/8.15", "edge-docker/8.16"},
    {
        {.name = "as it should be", .status = Verdict::PASS, .reason = "", .findings = 1},
        {.name = "no host setting: the default socket",
         .clear = {"daemon.command_line.settings.hosts", "daemon.config_file.settings.tlsverify"},
         .status = Verdict::PASS,
         .findings = 1},
        {.name = "two spellings are one socket",
         .facts = Hosts("values: 'fd://' values: 'unix:///var/run/docker.sock'"),
         .status = Verdict::PASS,
         .findings = 1},
        {.name = "another socket is judged, too",
         .facts = absl::StrCat(Hosts("values: 'fd://' values: 'unix:///srv/d.sock'"),
                               "files { files { path: '/srv/d.sock' outcome { state: OK } type: "
                               "SOCKET uid: 5 mode: 0666 } }"),
         .status = Verdict::FAIL,
         .findings = 1},
        {.name = "another socket, not looked at",
         .facts = Hosts("values: 'fd://' values: 'unix:///srv/d.sock'"),
         .status = Verdict::UNKNOWN,
         .reason = "not_collected",
         .findings = 1},
        {.name = "stale socket file",
         .facts = absl::StrCat(Hosts("values: 'unix:///srv/d.sock'"),
                               "files { files { path: '/srv/d.sock' canonical_path: '/srv/d.sock' "
                               "outcome { state: OK } type: SOCKET mode: 0600 } }"),
         .status = Verdict::PASS,
         .note = kStaleSocket},
        {.name = "no unix socket",
         .facts = Hosts("values: 'tcp://0.0.0.0:2376'"),
         .status = Verdict::NOT_APPLICABLE,
         .reason = "no_objects"},
        {.name = "rootless",
         .facts = "engine { security_options { name: 'rootless' } }",
         .status = Verdict::NOT_APPLICABLE,
         .reason = "rootless"},
        {.name = "not a socket",
         .facts = Socket("type: REGULAR"),
         .status = Verdict::FAIL,
         .reason = kNotASocket},
        {.name = "missing",
         .facts = Socket("outcome { state: NOT_PRESENT }"),
         .status = Verdict::UNKNOWN,
         .reason = "not_collected"},
        {.name = "unread",
         .facts = Socket("outcome { state: PERMISSION_DENIED }"),
         .status = Verdict::UNKNOWN,
         .reason = "permission_denied"},
        {.name = "no engine",
         .facts = "daemon { outcome { state: UNAVAILABLE } }",
         .status = Verdict::UNKNOWN,
         .reason = "engine_unreachable"},
        {.name = "command line unread",
         .facts = "daemon { command_line { outcome { state: PERMISSION_DENIED } } }",
         .status = Verdict::UNKNOWN,
         .reason = "permission_denied"},
        {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
        {.name = "sockets of an edited file",
         .clear = {"daemon.command_line.settings.hosts"},
         .facts = R"pb(daemon {
                         config_file {
                           modify_time { seconds: 1767200000 }
                           settings { hosts { values: "unix:///run/docker.sock" } }
                         }
                       })pb",
         .status = Verdict::UNKNOWN,
         .reason = "config_newer_than_process"},
        {.name = "access list for another user",
         .facts = Socket("acl { tag: USER qualifier: 1000 permissions: 6 } acl { tag: MASK "
                         "permissions: 6 }"),
         .status = Verdict::FAIL,
         .reason = kAclGrantsWrite,
         .observed = "uid 1000"},
        {.name = "access list for another group",
         .facts = Socket("acl { tag: GROUP qualifier: 100 permissions: 6 } acl { tag: MASK "
                         "permissions: 6 }"),
         .status = Verdict::FAIL,
         .reason = kAclGrantsWrite,
         .observed = "gid 100"},
        {.name = "access list that its mask makes harmless",
         .facts = Socket("acl { tag: USER qualifier: 1000 permissions: 6 } acl { tag: MASK "
                         "permissions: 4 }"),
         .status = Verdict::PASS},
        {.name = "access list for the right group and root",
         .facts = Socket("acl { tag: GROUP qualifier: 998 permissions: 6 } acl { tag: USER "
                         "qualifier: 0 permissions: 6 } acl { tag: GROUP qualifier: 0 permissions: "
                         "2 }"),
         .status = Verdict::PASS},
        {.name = "access list for group root, not accepted",
         .facts = Socket("acl { tag: GROUP qualifier: 0 permissions: 6 }"),
         .args = "accept_root_group: false",
         .status = Verdict::FAIL,
         .reason = kAclGrantsWrite},
        {.name = "access list for reading",
         .facts = Socket("acl { tag: USER qualifier: 1000 permissions: 4 }"),
         .status = Verdict::PASS},
    });

const RuleCases kOwner(
    {"azure-docker/3.15", "edge-docker/8.15"},
    {
        {.name = "root:root is stricter", .facts = Socket("gid: 0"), .status = Verdict::PASS},
        {.name = "root:root, not accepted",
         .facts = Socket("gid: 0"),
         .args = "accept_root_group: false",
         .status = Verdict::FAIL,
         .observed = "gid 0"},
        {.name = "other user",
         .facts = Socket("uid: 1000"),
         .status = Verdict::FAIL,
         .observed = "uid 1000"},
        {.name = "other group",
         .facts = Socket("gid: 100"),
         .status = Verdict::FAIL,
         .reason = "",
         .observed = "gid 100"},
        {.name = "the group is gone, the number stayed",
         .facts = "users { groups { name: 'docker' outcome { state: NOT_PRESENT } gid: 0 } }",
         .status = Verdict::FAIL},
        {.name = "groups unread",
         .facts = "users { outcome { state: TIMED_OUT } }",
         .status = Verdict::UNKNOWN,
         .reason = "not_collected"},
        {.name = "group not looked up",
         .clear = {"users.groups[docker]"},
         .status = Verdict::UNKNOWN,
         .reason = "not_collected"},
        {.name = "groups unread, but the user is wrong",
         .facts = absl::StrCat("users { outcome { state: TIMED_OUT } }", Socket("uid: 5")),
         .status = Verdict::FAIL},
        {.name = "a configured group of another name",
         .facts = absl::StrCat(Group("staff"), Socket("gid: 50"),
                               "users { groups { name: 'staff' outcome { state: OK } gid: 50 } }"),
         .status = Verdict::FAIL,
         .reason = kGroupNotAllowed},
        {.name = "a configured group of another name, allowed",
         .facts = absl::StrCat(Group("staff"), Socket("gid: 50"),
                               "users { groups { name: 'staff' outcome { state: OK } gid: 50 } }"),
         .args = "allowed_groups: 'docker' allowed_groups: 'staff'",
         .status = Verdict::PASS},
        {.name = "docker's number, configured", .facts = Group("998"), .status = Verdict::PASS},
        {.name = "docker's group, but another is configured",
         .facts = absl::StrCat(Group("staff"),
                               "users { groups { name: 'staff' outcome { state: OK } gid: 50 } }"),
         .status = Verdict::FAIL},
        {.name = "systemd's group",
         .facts = absl::StrCat("units { units { name: 'docker.socket' socket_group: 'staff' } }",
                               Socket("gid: 50"),
                               "users { groups { name: 'staff' outcome { state: OK } gid: 50 } }"),
         .args = "allowed_groups: 'staff'",
         .status = Verdict::PASS},
    });

const RuleCases kMode(
    {"azure-docker/3.16", "edge-docker/8.16"},
    {
        {.name = "0600", .facts = Socket("mode: 0600"), .status = Verdict::PASS},
        {.name = "0666",
         .facts = Socket("mode: 0666"),
         .status = Verdict::FAIL,
         .observed = "mode 0666"},
        {.name = "0606", .facts = Socket("mode: 0606"), .status = Verdict::FAIL},
        {.name = "0661", .facts = Socket("mode: 0661"), .status = Verdict::FAIL},
        {.name = "own limit", .args = "max_mode: '0600'", .status = Verdict::FAIL},
        {.name = "mode is no number",
         .args = "max_mode: '9'",
         .status = Verdict::UNKNOWN,
         .reason = "parse_error"},
        {.name = "users do not matter without an access list",
         .facts = "users { outcome { state: TIMED_OUT } }",
         .status = Verdict::PASS},
    });

TEST(WriterBeside, FindsTheFirstThatCounts) {
  FileFact file;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(acl { tag: GROUP qualifier: 998 permissions: 7 }
           acl { tag: GROUP qualifier: 100 permissions: 2 }
           acl { tag: USER qualifier: 5 permissions: 2 })pb",
      &file));
  EXPECT_EQ(WriterBeside(file, {998})->qualifier(), 100u);
  EXPECT_EQ(WriterBeside(file, {998, 100})->qualifier(), 5u);
  file.mutable_acl()->RemoveLast();
  EXPECT_EQ(WriterBeside(file, {998, 100}), nullptr);
}

}  // namespace
}  // namespace plimsoll::evaluate
