#include "collector/sources/settings.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace plimsoll::sources {
namespace {

TEST(Settings, EveryFieldCanBeSetFromSomewhere) {
  std::set<int> reached;
  for (const char* flag : {"icc",
                           "debug",
                           "log-level",
                           "iptables",
                           "ip6tables",
                           "insecure-registry",
                           "storage-driver",
                           "storage-opt",
                           "host",
                           "tls",
                           "tlsverify",
                           "tlscacert",
                           "tlscert",
                           "tlskey",
                           "default-ulimit",
                           "userns-remap",
                           "rootless",
                           "no-new-privileges",
                           "authorization-plugin",
                           "log-driver",
                           "log-opt",
                           "live-restore",
                           "userland-proxy",
                           "userland-proxy-path",
                           "experimental",
                           "data-root",
                           "exec-root",
                           "group",
                           "bridge",
                           "ip",
                           "cgroup-parent",
                           "config-file",
                           "pidfile",
                           "containerd",
                           "firewall-backend",
                           "metrics-addr",
                           "network-diagnostic-port",
                           "selinux-enabled",
                           "disable-legacy-registry"}) {
    const SettingSpec* spec = FindSettingByFlag(flag);
    ASSERT_NE(spec, nullptr) << flag;
    reached.insert(spec->field);
  }
  EXPECT_EQ(static_cast<int>(reached.size()), v1::Settings::descriptor()->field_count());
}

TEST(Settings, NamesOutsideTheListAreNotFound) {
  for (const char* name : {"", "label", "http-proxy", "ICC", "hosts", "icc ", "no-proxy"}) {
    EXPECT_EQ(FindSettingByFlag(name), nullptr) << name;
  }
  for (const char* key : {"", "ICC", "host", "default-ulimit", "config-file", "registry-mirrors"}) {
    EXPECT_EQ(FindSettingByKey(key), nullptr) << key;
  }
  EXPECT_EQ(FindSettingByShorthand(0), nullptr);
  EXPECT_EQ(FindSettingByShorthand('r'), nullptr);
}

TEST(ParseGoBool, TakesWhatGoTakes) {
  for (const char* yes : {"1", "t", "T", "TRUE", "true", "True"}) EXPECT_EQ(ParseGoBool(yes), true);
  for (const char* no : {"0", "f", "F", "FALSE", "false", "False"}) {
    EXPECT_EQ(ParseGoBool(no), false);
  }
  for (const char* neither : {"", "yes", "no", "tRUE", "2", " true"}) {
    EXPECT_EQ(ParseGoBool(neither), std::nullopt) << neither;
  }
}

TEST(AddSetting, LogAddressesBecomeSchemeAndLoopback) {
  const struct {
    const char* option;
    const char* scheme;
    bool loopback;
  } kCases[] = {
      {"syslog-address=udp://127.0.0.1:514", "udp", true},
      {"syslog-address=TCP+TLS://logs.example:6514", "tcp+tls", false},
      {"syslog-address=tcp://[::1]:514", "tcp", true},
      {"syslog-address=tcp://[2001:db8::1]:514", "tcp", false},
      {"syslog-address=unix:///dev/log", "unix", true},
      {"syslog-address=unixgram:///dev/log", "unixgram", true},
      {"gelf-address=udp://10.0.0.9:12201", "udp", false},
      {"gelf-address=udp://127.255.0.1:12201", "udp", true},
      {"gelf-address=tcp://user:MARKER@logs.example:1", "tcp", false},
      {"gelf-address=tcp://user:MARKER@localhost:1/MARKER", "tcp", true},
      {"gelf-address=MARKER://h:1", "other", false},
      {"fluentd-address=localhost:24224", "", true},
      {"fluentd-address=fluent.example:24224", "", false},
      {"fluentd-address=fluent.example", "", false},
      {"fluentd-address=/run/fluent.sock", "", true},
      {"fluentd-address=127.0.0.1.example:24224", "", false},
      {"fluentd-address=:24224", "", true},
      {"fluentd-address=::1", "", true},
      {"fluentd-address=::ffff:127.0.0.1", "", true},
      {"fluentd-address=0.0.0.0:24224", "", true},
  };
  const SettingSpec* spec = FindSettingByFlag("log-opt");
  for (const auto& c : kCases) {
    v1::Settings settings;
    EXPECT_TRUE(AddSetting(*spec, c.option, &settings));
    ASSERT_EQ(settings.log_opts().options_size(), 1) << c.option;
    const auto& option = settings.log_opts().options(0);
    EXPECT_EQ(option.address_scheme(), c.scheme) << c.option;
    EXPECT_TRUE(option.has_address_is_loopback());
    EXPECT_EQ(option.address_is_loopback(), c.loopback) << c.option;
    EXPECT_EQ(settings.SerializeAsString().find("MARKER"), std::string::npos) << c.option;
  }
}

TEST(AddSetting, OtherLogOptionsAreNamesOnly) {
  v1::Settings settings;
  const SettingSpec* spec = FindSettingByFlag("log-opt");
  EXPECT_TRUE(AddSetting(*spec, "splunk-token=MARKER", &settings));
  EXPECT_TRUE(AddSetting(*spec, "splunk-url=https://u:MARKER@h", &settings));
  EXPECT_FALSE(AddSetting(*spec, "MARKER", &settings));
  EXPECT_FALSE(AddSetting(*spec, "MARKER with spaces=1", &settings));
  ASSERT_EQ(settings.log_opts().options_size(), 2);
  EXPECT_EQ(settings.log_opts().options(0).name(), "splunk-token");
  EXPECT_FALSE(settings.log_opts().options(0).has_address_is_loopback());
  EXPECT_EQ(settings.SerializeAsString().find("MARKER"), std::string::npos);
}

TEST(AddSetting, StorageOptionsAreNamesButForTheBaseSize) {
  v1::Settings settings;
  const SettingSpec* spec = FindSettingByFlag("storage-opt");
  EXPECT_TRUE(AddSetting(*spec, "dm.basesize=20G", &settings));
  EXPECT_TRUE(AddSetting(*spec, "dm.thinpooldev=/dev/MARKER", &settings));
  EXPECT_FALSE(AddSetting(*spec, "MARKER", &settings));
  ASSERT_EQ(settings.storage_opts().values_size(), 2);
  EXPECT_EQ(settings.storage_opts().values(0), "dm.basesize=20G");
  EXPECT_EQ(settings.storage_opts().values(1), "dm.thinpooldev");
}

TEST(AddSetting, Ulimits) {
  const SettingSpec* spec = FindSettingByFlag("default-ulimit");
  v1::Settings settings;
  EXPECT_TRUE(AddSetting(*spec, "nofile=1024:2048", &settings));
  EXPECT_TRUE(AddSetting(*spec, "nproc=512", &settings));
  EXPECT_TRUE(AddSetting(*spec, "core=-1", &settings));
  EXPECT_TRUE(AddSetting(*spec, "nproc=100:200", &settings));
  for (const char* bad : {"", "nofile", "nofile=", "nofile=a", "nofile=1:2:3", "=1", "nofile=1:"}) {
    EXPECT_FALSE(AddSetting(*spec, bad, &settings)) << bad;
  }
  const auto& limits = settings.default_ulimits().ulimits();
  ASSERT_EQ(limits.size(), 3);
  EXPECT_EQ(limits[0].soft(), 1024);
  EXPECT_EQ(limits[0].hard(), 2048);
  EXPECT_EQ(limits[1].name(), "nproc");
  EXPECT_EQ(limits[1].hard(), 200);
  EXPECT_EQ(limits[2].soft(), -1);
}

TEST(AddSetting, AddressesLoseTheirUserInfo) {
  const struct {
    const char* flag;
    const char* value;
    const char* kept;
  } kCases[] = {
      {"host", "tcp://u:MARKER@10.0.0.1:2376", "tcp://10.0.0.1:2376"},
      {"host", "unix:///run/a@b.sock", "unix:///run/a@b.sock"},
      {"insecure-registry", "u:MARKER@reg.example:5000", "reg.example:5000"},
      {"insecure-registry", "10.0.0.0/8", "10.0.0.0/8"},
  };
  for (const auto& c : kCases) {
    v1::Settings settings;
    ASSERT_TRUE(AddSetting(*FindSettingByFlag(c.flag), c.value, &settings));
    const auto& list = settings.has_hosts() ? settings.hosts() : settings.insecure_registries();
    ASSERT_EQ(list.values_size(), 1);
    EXPECT_EQ(list.values(0), c.kept);
  }
}

}  // namespace
}  // namespace plimsoll::sources
