#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::FakeFileSystem;
using test::Has;
using State = v1::SourceOutcome::State;

constexpr char kBridgeNf[] = "/proc/sys/net/bridge/bridge-nf-call-iptables";

void Debian(FakeFileSystem& files) {
  files.AddFile("/proc/sys/kernel/hostname", "edge-7\n")
      .AddFile("/proc/sys/kernel/random/boot_id", "6e2a1a6e-0000-4000-8000-000000000000\n")
      .AddFile("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
      .AddFile("/etc/os-release",
               "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n"
               "# ID=comment\nODD\n")
      .AddDirectory("/run/systemd/system")
      .AddFile("/sys/module/apparmor/parameters/enabled", "Y\n")
      .AddDirectory("/sys/fs")
      .AddFile("/proc/filesystems", "nodev\tsysfs\n\text4\n")
      .AddFile(kBridgeNf, "1\n")
      .AddSymlink("/proc/1/ns/net", "net:[4026531840]")
      .AddSymlink("/proc/1/ns/user", "user:[4026531837]")
      .AddSymlink("/proc/812/ns/net", "net:[4026532000]")
      .AddSymlink("/proc/812/ns/pid", "pid:[4026531836]")
      .AddSymlink("/proc/812/ns/ipc", "ipc:[4026531839]")
      .AddSymlink("/proc/812/ns/uts", "uts:[4026531838]")
      .AddSymlink("/proc/812/ns/user", "user:[not a number]")
      .AddSymlink("/proc/812/ns/mnt", "mnt:[4026531841]");
}

v1::DaemonFacts Daemon() {
  v1::DaemonFacts daemon;
  daemon.set_pid(812);
  return daemon;
}

TEST(MachineTest, ADebianHost) {
  FakeEngineHost host;
  Debian(host.files);
  const v1::MachineFacts facts = CollectMachine(host.env, Daemon());
  EXPECT_TRUE(Has(facts, R"pb(
    outcome { state: OK }
    hostname: "edge-7"
    boot_id: "6e2a1a6e-0000-4000-8000-000000000000"
    kernel_release: "6.1.0-18-amd64"
    os_id: "debian"
    os_version: "12"
    os_pretty_name: "Debian GNU/Linux 12 (bookworm)"
    systemd_is_init: true
    security_modules {
      apparmor_enabled: true
      apparmor_outcome { state: OK }
      selinux_outcome { state: NOT_PRESENT }
    }
    bridge_nf_call_iptables: 1
    bridge_nf_outcome { state: OK }
    engine_namespaces {
      net: 4026532000
      pid: 4026531836
      ipc: 4026531839
      uts: 4026531838
      mnt: 4026531841
    }
    init_namespaces { net: 4026531840 user: 4026531837 }
  )pb"));
  EXPECT_FALSE(facts.architecture().empty());
  EXPECT_FALSE(facts.security_modules().has_selinux_enforcing());
  EXPECT_FALSE(facts.engine_namespaces().has_user());
  EXPECT_FALSE(facts.init_namespaces().has_pid());
}

TEST(MachineTest, SecurityModules) {
  const auto none = [](FakeFileSystem&) {};
  const struct {
    const char* what;
    std::function<void(FakeFileSystem&)> change;
    State apparmor;
    std::optional<bool> apparmor_enabled;
    State selinux;
    std::optional<bool> selinux_enforcing;
  } kRows[] = {
      {"as it is", none, v1::SourceOutcome::OK, true, v1::SourceOutcome::NOT_PRESENT, {}},
      {"AppArmor off",
       [](FakeFileSystem& f) { f.AddFile("/sys/module/apparmor/parameters/enabled", "N\n"); },
       v1::SourceOutcome::OK,
       false,
       v1::SourceOutcome::NOT_PRESENT,
       {}},
      {"neither",
       [](FakeFileSystem& f) { f.Remove("/sys/module/apparmor"); },
       v1::SourceOutcome::NOT_PRESENT,
       {},
       v1::SourceOutcome::NOT_PRESENT,
       {}},
      {"no /sys",
       [](FakeFileSystem& f) { f.Remove("/sys"); },
       v1::SourceOutcome::UNAVAILABLE,
       {},
       v1::SourceOutcome::UNAVAILABLE,
       {}},
      {"SELinux enforcing", [](FakeFileSystem& f) { f.AddFile("/sys/fs/selinux/enforce", "1"); },
       v1::SourceOutcome::OK, true, v1::SourceOutcome::OK, true},
      {"SELinux permissive", [](FakeFileSystem& f) { f.AddFile("/sys/fs/selinux/enforce", "0"); },
       v1::SourceOutcome::OK, true, v1::SourceOutcome::OK, false},
      {"SELinux hidden from us",
       [](FakeFileSystem& f) { f.AddFile("/proc/filesystems", "nodev\tselinuxfs\n"); },
       v1::SourceOutcome::OK,
       true,
       v1::SourceOutcome::UNAVAILABLE,
       {}},
      {"closed",
       [](FakeFileSystem& f) {
         f.SetError("/sys/module/apparmor/parameters", absl::PermissionDeniedError("no"))
             .SetError("/sys/fs/selinux", absl::PermissionDeniedError("no"));
       },
       v1::SourceOutcome::PERMISSION_DENIED,
       {},
       v1::SourceOutcome::PERMISSION_DENIED,
       {}},
      {"nonsense",
       [](FakeFileSystem& f) {
         f.AddFile("/sys/module/apparmor/parameters/enabled", "maybe")
             .AddFile("/sys/fs/selinux/enforce", "2");
       },
       v1::SourceOutcome::MALFORMED,
       {},
       v1::SourceOutcome::MALFORMED,
       {}}};
  for (const auto& row : kRows) {
    FakeEngineHost host;
    Debian(host.files);
    row.change(host.files);
    const auto modules = CollectMachine(host.env, Daemon()).security_modules();
    EXPECT_EQ(modules.apparmor_outcome().state(), row.apparmor) << row.what;
    EXPECT_EQ(modules.has_apparmor_enabled(), row.apparmor_enabled.has_value()) << row.what;
    EXPECT_EQ(modules.apparmor_enabled(), row.apparmor_enabled.value_or(false)) << row.what;
    EXPECT_EQ(modules.selinux_outcome().state(), row.selinux) << row.what;
    EXPECT_EQ(modules.has_selinux_enforcing(), row.selinux_enforcing.has_value()) << row.what;
    EXPECT_EQ(modules.selinux_enforcing(), row.selinux_enforcing.value_or(false)) << row.what;
  }
}

TEST(MachineTest, BridgeFilteringIsThatOfTheEngine) {
  FakeEngineHost host;
  Debian(host.files);
  host.process_files[812] = host.files;
  host.process_files[812].AddFile(kBridgeNf, "0\n");
  const v1::MachineFacts strange = CollectMachine(host.env, Daemon());
  EXPECT_TRUE(strange.has_bridge_nf_call_iptables());
  EXPECT_EQ(strange.bridge_nf_call_iptables(), 0);
  EXPECT_EQ(CollectMachine(host.env, {}).bridge_nf_call_iptables(), 1) << "no process is known";

  const struct {
    absl::Status error;
    State state;
  } kRows[] = {{absl::NotFoundError(""), v1::SourceOutcome::NOT_PRESENT},
               {absl::PermissionDeniedError("setns"), v1::SourceOutcome::PERMISSION_DENIED},
               {absl::UnavailableError("gone"), v1::SourceOutcome::UNAVAILABLE}};
  for (const auto& row : kRows) {
    host.process_files[812].SetError(kBridgeNf, row.error);
    const v1::MachineFacts facts = CollectMachine(host.env, Daemon());
    EXPECT_EQ(facts.bridge_nf_outcome().state(), row.state);
    EXPECT_FALSE(facts.has_bridge_nf_call_iptables());
  }
  host.process_files[812] = FakeFileSystem();
  EXPECT_EQ(CollectMachine(host.env, Daemon()).bridge_nf_outcome().state(),
            v1::SourceOutcome::UNAVAILABLE)
      << "no /proc is no evidence";
}

TEST(MachineTest, WhatIsMissing) {
  FakeEngineHost host;
  Debian(host.files);
  host.files.Remove("/etc/os-release").Remove("/run/systemd");
  host.files.AddFile("/usr/lib/os-release", "ID='arch'\nPRETTY_NAME=\"A \\\"quoted\\\" name\"\n");
  v1::MachineFacts facts = CollectMachine(host.env, {});
  EXPECT_TRUE(
      Has(facts, "outcome { state: OK } os_id: 'arch' os_pretty_name: 'A \"quoted\" name'"));
  EXPECT_EQ(facts.os_version(), "");
  EXPECT_FALSE(facts.systemd_is_init());
  EXPECT_FALSE(facts.has_engine_namespaces());

  host.files.Remove("/usr/lib/os-release");
  EXPECT_EQ(CollectMachine(host.env, {}).outcome().state(), v1::SourceOutcome::OK);
  host.files.SetError("/etc/os-release", absl::PermissionDeniedError("no"));
  EXPECT_EQ(CollectMachine(host.env, {}).outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
  host.files.Remove("/proc");
  EXPECT_EQ(CollectMachine(host.env, {}).outcome().state(), v1::SourceOutcome::UNAVAILABLE);
}

TEST(MachineTest, AHostileHostname) {
  FakeEngineHost host;
  Debian(host.files);
  host.files.AddFile("/proc/sys/kernel/hostname",
                     std::string("a\xff\0b", 4) + std::string(400, 'x'));
  const v1::MachineFacts facts = CollectMachine(host.env, {});
  EXPECT_LE(facts.hostname().size(), 255u);
  v1::MachineFacts again;
  EXPECT_TRUE(again.ParseFromString(facts.SerializeAsString()));
}

}  // namespace
}  // namespace plimsoll::sources
