#include <gtest/gtest.h>

#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::Has;

class UsersTest : public ::testing::Test {
 protected:
  UsersTest() {
    host_.names.groups = {{"docker", 998, {"bob", "alice", "alice"}},
                          {"wheel", 10, {"zoe"}},
                          {"root", 0, {}},
                          {"other", 50, {"eve"}}};
    host_.names.users = {{"root", 0, 0, "/root"},
                         {"carol", 1003, 998, "/home/carol"},
                         {"alice", 1001, 998, "/home/alice"},
                         {"nameless", 1005, 4000, "/"}};
  }
  v1::UsersFacts Collect() { return CollectUsers(host_.env, daemon_, files_, units_); }
  void AddSocket(uint32_t gid) {
    v1::FileFact* file = files_.add_files();
    file->set_type(v1::FileFact::SOCKET);
    file->set_gid(gid);
  }

  FakeEngineHost host_;
  v1::DaemonFacts daemon_;
  v1::FilesFacts files_;
  v1::UnitsFacts units_;
};

TEST_F(UsersTest, TheDockerGroupAndItsMembersBothWays) {
  AddSocket(998);
  const v1::UsersFacts facts = Collect();
  EXPECT_TRUE(Has(facts, R"pb(
    outcome { state: OK }
    groups {
      name: "docker"
      outcome { state: OK }
      gid: 998
      owns_socket: true
      members { user: "alice" via: SECONDARY }
      members { user: "alice" via: PRIMARY }
      members { user: "bob" via: SECONDARY }
      members { user: "carol" via: PRIMARY }
    }
  )pb"));
}

TEST_F(UsersTest, ConfiguredGroupsAndOwnersOfSockets) {
  daemon_.mutable_command_line()->mutable_settings()->set_group("wheel");
  daemon_.mutable_config_file()->mutable_settings()->set_group("50");
  units_.add_units()->set_socket_group("docker");
  units_.add_units()->set_socket_group("missing");
  AddSocket(0);
  AddSocket(10);
  AddSocket(4000);
  files_.add_files()->set_gid(777);  // Not a socket.
  EXPECT_TRUE(Has(Collect(), R"pb(
    groups {
      name: ""
      outcome { state: OK }
      gid: 4000
      owns_socket: true
      members { user: "nameless" via: PRIMARY }
    }
    groups {
      name: "docker"
      gid: 998
      members { user: "alice" via: SECONDARY }
      members { user: "alice" via: PRIMARY }
      members { user: "bob" via: SECONDARY }
      members { user: "carol" via: PRIMARY }
    }
    groups {
      name: "missing"
      outcome { state: NOT_PRESENT }
    }
    groups {
      name: "other"
      gid: 50
      members { user: "eve" via: SECONDARY }
    }
    groups {
      name: "root"
      owns_socket: true
      members { user: "root" via: PRIMARY }
    }
    groups {
      name: "wheel"
      gid: 10
      owns_socket: true
      members { user: "zoe" via: SECONDARY }
    }
  )pb"));
  EXPECT_FALSE(Collect().groups(1).owns_socket());
}

TEST_F(UsersTest, AnAbsentGroupIsPresentEvidenceAndAFailureIsNot) {
  host_.names.groups.clear();
  EXPECT_TRUE(Has(Collect(), R"pb(
    outcome { state: OK }
    groups {
      name: "docker"
      outcome { state: NOT_PRESENT }
    }
  )pb"));
  AddSocket(998);
  host_.names.error = absl::UnavailableError("ldap is down");
  const v1::UsersFacts facts = Collect();
  EXPECT_TRUE(Has(facts, R"pb(
    groups {
      name: ""
      outcome { state: UNAVAILABLE }
      gid: 998
      owns_socket: true
    }
    groups {
      name: "docker"
      outcome { state: UNAVAILABLE message: "ldap is down" }
    }
  )pb"));
}

TEST_F(UsersTest, WithoutEnumerationTheListIsNotWhole) {
  host_.names.users_error = absl::ResourceExhaustedError("too many");
  EXPECT_TRUE(Has(Collect(), R"pb(
    groups {
      name: "docker"
      outcome { state: TRUNCATED }
      members { user: "alice" via: SECONDARY }
      members { user: "bob" via: SECONDARY }
    }
  )pb"));
}

TEST_F(UsersTest, HostileNamesAndVeryLongLists) {
  host_.names.groups = {{"docker", 998, {}}};
  for (int i = 0; i < 5000; ++i) {
    host_.names.groups[0].members.push_back(absl::StrCat("u\xff", std::string(300, 'x'), i));
  }
  const v1::UsersFacts facts = Collect();
  EXPECT_LE(facts.groups(0).members_size(), 4096);
  EXPECT_LE(facts.groups(0).members(0).user().size(), 255u);
  v1::UsersFacts again;
  EXPECT_TRUE(again.ParseFromString(facts.SerializeAsString()));
  host_.names.groups[0].members.clear();
  for (int i = 0; i < 5000; ++i) host_.names.groups[0].members.push_back(absl::StrCat("u", i));
  const v1::UsersFacts cut = Collect();
  EXPECT_EQ(cut.groups(0).outcome().state(), v1::SourceOutcome::TRUNCATED);
  EXPECT_EQ(cut.groups(0).members_size(), 4096);
}

}  // namespace
}  // namespace plimsoll::sources
