#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::Has;

v1::CollectionPlan Plan(std::vector<std::string> units) {
  v1::CollectionPlan plan;
  for (const std::string& unit : units) plan.add_units(unit);
  return plan;
}

TEST(UnitsTest, SystemdAnswers) {
  FakeEngineHost host;
  host.systemd.error.reset();
  host.files.AddSymlink("/lib", "usr/lib")
      .AddFile("/usr/lib/systemd/system/docker.service", "x")
      .AddFile("/usr/lib/systemd/system/docker.socket", "x")
      .AddSpecial("/dev/null", host::FileType::kCharacterDevice, 0666);
  host.systemd.units["docker.service"] = {
      .load_state = "loaded",
      .fragment_path = "/lib/systemd/system/docker.service",
      .drop_in_paths = {"/etc/systemd/system/docker.service.d/b.conf"},
      .main_pid = 812,
      .listen = {},
      .socket_user = "",
      .socket_group = "",
      .socket_mode = ""};
  host.systemd.units["docker.socket"] = {.load_state = "loaded",
                                         .fragment_path = "/lib/systemd/system/docker.socket",
                                         .drop_in_paths = {},
                                         .main_pid = 0,
                                         .listen = {{"Stream", "/run/docker.sock"}},
                                         .socket_user = "root",
                                         .socket_group = "docker",
                                         .socket_mode = "0660"};
  host.systemd.units["masked.service"].load_state = "masked";
  host.systemd.units["null.service"].load_state = "loaded";
  host.systemd.units["null.service"].fragment_path = "/dev/null";
  host.systemd.units["broken.service"].load_state = "bad-setting";
  host.systemd.units["new.service"].load_state = "enchanted";
  host.systemd.units["gone.service"].load_state = "loaded";
  host.systemd.units["gone.service"].fragment_path = "/run/systemd/transient/gone.service";
  const v1::UnitsFacts facts = CollectUnits(
      host.env, Plan({"docker.socket", "docker.service", "absent.service", "masked.service",
                      "null.service", "broken.service", "new.service", "gone.service"}));
  EXPECT_TRUE(Has(facts, R"pb(
    outcome { state: OK }
    units {
      name: "absent.service"
      outcome { state: OK }
      load_state: NOT_FOUND
      how: BY_DBUS
    }
    units {
      name: "broken.service"
      outcome { state: OK }
      load_state: LOAD_ERROR
      how: BY_DBUS
    }
    units {
      name: "docker.service"
      outcome { state: OK }
      load_state: LOADED
      fragment_path: "/lib/systemd/system/docker.service"
      fragment_canonical: "/usr/lib/systemd/system/docker.service"
      drop_in_paths: "/etc/systemd/system/docker.service.d/b.conf"
      main_pid: 812
      how: BY_DBUS
    }
    units {
      name: "docker.socket"
      outcome { state: OK }
      load_state: LOADED
      fragment_canonical: "/usr/lib/systemd/system/docker.socket"
      listen { kind: "Stream" address: "/run/docker.sock" }
      socket_user: "root"
      socket_group: "docker"
      socket_mode: "0660"
      how: BY_DBUS
    }
    units {
      name: "gone.service"
      outcome { state: OK }
      load_state: LOADED
      how: BY_DBUS
    }
    units {
      name: "masked.service"
      outcome { state: OK }
      load_state: MASKED
      how: BY_DBUS
    }
    units {
      name: "new.service"
      outcome { state: MALFORMED }
      how: BY_DBUS
    }
    units {
      name: "null.service"
      outcome { state: OK }
      load_state: MASKED
      how: BY_DBUS
    }
  )pb"));
}

TEST(UnitsTest, WithoutSystemdTheFilesAnswer) {
  for (const absl::Status& error :
       {absl::UnimplementedError("no systemd"), absl::UnavailableError("bus closed"),
        absl::DeadlineExceededError("hung")}) {
    FakeEngineHost host;
    host.systemd.error = error;
    host.files.AddFile("/usr/lib/systemd/system/docker.service", "x")
        .AddFile("/usr/lib/systemd/system/docker.socket",
                 "[Socket]\nListenStream=/run/docker.sock\nSocketGroup=docker\nSocketMode=0660\n")
        .AddFile("/etc/systemd/system/docker.socket.d/tcp.conf", "[Socket]\nListenStream=2375\n")
        .AddSpecial("/dev/null", host::FileType::kCharacterDevice, 0666)
        .AddSymlink("/etc/systemd/system/masked.socket", "/dev/null");
    EXPECT_TRUE(Has(CollectUnits(host.env, Plan({"docker.service", "docker.socket",
                                                 "absent.service", "masked.socket"})),
                    R"pb(
                      outcome { state: OK }
                      units {
                        name: "absent.service"
                        outcome { state: OK }
                        load_state: NOT_FOUND
                      }
                      units {
                        name: "docker.service"
                        outcome { state: OK }
                        load_state: LOADED
                        fragment_path: "/usr/lib/systemd/system/docker.service"
                        how: BY_SEARCH_PATH
                      }
                      units {
                        name: "docker.socket"
                        outcome { state: OK }
                        load_state: LOADED
                        drop_in_paths: "/etc/systemd/system/docker.socket.d/tcp.conf"
                        listen { kind: "Stream" address: "/run/docker.sock" }
                        listen { kind: "Stream" address: "2375" }
                        socket_group: "docker"
                        socket_mode: "0660"
                        how: BY_SEARCH_PATH
                      }
                      units {
                        name: "masked.socket"
                        outcome { state: OK }
                        load_state: MASKED
                      }
                    )pb"));
    // The content of a service is nobody's business.
    EXPECT_FALSE(host.files.read_paths().contains("/usr/lib/systemd/system/docker.service"));
  }
}

TEST(UnitsTest, WhatCannotBeReadIsNotAbsent) {
  FakeEngineHost host;
  host.files.AddFile("/usr/lib/systemd/system/docker.socket", "[Socket]\nListenStream=/a\n")
      .SetReadError("/usr/lib/systemd/system/docker.socket", absl::PermissionDeniedError("no"));
  EXPECT_TRUE(Has(CollectUnits(host.env, Plan({"docker.socket"})), R"pb(
    units {
      name: "docker.socket"
      outcome { state: PERMISSION_DENIED }
      load_state: LOADED
    }
  )pb"));
  host.files.AddDirectory("/etc/systemd")
      .SetError("/etc/systemd", absl::PermissionDeniedError("no"));
  const v1::UnitsFacts closed = CollectUnits(host.env, Plan({"docker.service"}));
  EXPECT_TRUE(Has(closed, R"pb(
    units {
      name: "docker.service"
      outcome { state: PERMISSION_DENIED }
    }
  )pb"));
  EXPECT_EQ(closed.units(0).load_state(), v1::Unit::LOAD_STATE_UNSPECIFIED);
}

TEST(UnitsTest, HostileNamesAndTooManyOfThem) {
  FakeEngineHost host;
  host.files.AddFile("/etc/shadow", "x");
  for (const std::string& name :
       {std::string("../../shadow"), std::string("a/b.service"), std::string(""),
        std::string("x y.service"), std::string("\xff.service"), std::string(".."),
        std::string(300, 'n')}) {
    const v1::UnitsFacts facts = CollectUnits(host.env, Plan({name}));
    ASSERT_EQ(facts.units_size(), 1) << name;
    EXPECT_EQ(facts.units(0).outcome().state(), v1::SourceOutcome::UNSUPPORTED) << name;
    EXPECT_EQ(facts.units(0).fragment_path(), "") << name;
    EXPECT_FALSE(facts.SerializeAsString().empty());
  }
  std::vector<std::string> many;
  for (int i = 0; i < 70; ++i) many.push_back(absl::StrCat("u", i, ".service"));
  const v1::UnitsFacts facts = CollectUnits(host.env, Plan(many));
  EXPECT_EQ(facts.units_size(), 64);
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::TRUNCATED);
}

}  // namespace
}  // namespace plimsoll::sources
