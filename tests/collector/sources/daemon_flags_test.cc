#include "collector/sources/daemon_flags.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using google::protobuf::util::MessageDifferencer;

std::string Join(const std::vector<std::string>& words) {
  return absl::StrJoin(words, absl::string_view("\0", 1)) + std::string(1, '\0');
}

v1::DaemonFacts::CommandLine Expected(const std::string& text) {
  v1::DaemonFacts::CommandLine expected;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &expected)) << text;
  expected.mutable_settings();
  return expected;
}

void ExpectParsed(const std::string& cmdline, const std::string& text, const std::string& name) {
  const v1::DaemonFacts::CommandLine actual = ParseCommandLine(cmdline);
  EXPECT_TRUE(MessageDifferencer::Equals(actual, Expected(text)))
      << name << ": " << actual.DebugString();
}

TEST(ParseCommandLine, Grammar) {
  const struct {
    const char* name;
    std::vector<std::string> words;
    const char* expected;
  } kCases[] = {
      {"none", {}, ""},
      {"bare boolean", {"--icc"}, "settings { icc: true }"},
      {"boolean with value", {"--icc=false"}, "settings { icc: false }"},
      {"boolean by letter", {"--icc=F"}, "settings { icc: false }"},
      {"boolean never takes the next word",
       {"--icc", "false"},
       "settings { icc: true } stray_argument: true"},
      {"no boolean", {"--icc=maybe"}, "stray_argument: true"},
      {"tlsverify=false is present and false",
       {"--tlsverify=false"},
       "settings { tlsverify: false }"},
      {"value glued", {"--log-level=debug"}, "settings { log_level: 'debug' }"},
      {"value apart", {"--log-level", "debug"}, "settings { log_level: 'debug' }"},
      {"value apart begins with a dash", {"--log-level", "-D"}, "settings { log_level: '-D' }"},
      {"empty value", {"--userns-remap="}, "settings { userns_remap: '' }"},
      {"value holds =", {"--data-root=/a=b"}, "settings { data_root: '/a=b' }"},
      {"value lacks", {"--log-level"}, "stray_argument: true"},
      {"last scalar wins", {"--log-level=a", "-l", "b"}, "settings { log_level: 'b' }"},
      {"last boolean wins", {"--icc=false", "--icc"}, "settings { icc: true }"},
      {"lists accumulate",
       {"-H", "fd://", "--host=tcp://:1", "-Hunix://"},
       "settings { hosts { values: 'fd://' values: 'tcp://:1' values: 'unix://' } }"},
      {"short apart", {"-l", "debug"}, "settings { log_level: 'debug' }"},
      {"short with =", {"-l=debug"}, "settings { log_level: 'debug' }"},
      {"short glued", {"-ldebug"}, "settings { log_level: 'debug' }"},
      {"short = and nothing is the value =", {"-l="}, "settings { log_level: '=' }"},
      {"cluster", {"-DH", "fd://"}, "settings { debug: true hosts { values: 'fd://' } }"},
      {"cluster glued", {"-DHfd://"}, "settings { debug: true hosts { values: 'fd://' } }"},
      {"short boolean with value", {"-D=false"}, "settings { debug: false }"},
      {"all letters",
       {"-b", "b0", "-g", "/g", "-G", "grp", "-p", "/p", "-s", "vfs"},
       "settings { bridge: 'b0' data_root: '/g' group: 'grp' pidfile: '/p' storage_driver: 'vfs' "
       "}"},
      {"other letters are counted", {"-vD"}, "settings { debug: true } other_flag_count: 1"},
      {"unknown letter ends the cluster", {"-xD"}, "other_flag_count: 1"},
      {"stray word", {"daemon", "-D"}, "settings { debug: true } stray_argument: true"},
      {"empty word is stray", {"", "-D"}, "settings { debug: true } stray_argument: true"},
      {"dash is stray", {"-"}, "stray_argument: true"},
      {"-- ends the flags", {"-D", "--", "--icc"}, "settings { debug: true } stray_argument: true"},
      {"-- at the end", {"-D", "--"}, "settings { debug: true }"},
      {"known other boolean takes nothing",
       {"--ipv6", "-D"},
       "settings { debug: true } other_flag_count: 1"},
      {"known other flag takes all", {"--label", "-D"}, "other_flag_count: 1"},
      {"unknown flag takes a word",
       {"--zzz", "MARKER", "-D"},
       "settings { debug: true } other_flag_count: 1"},
      {"unknown flag takes no flag",
       {"--zzz", "-D"},
       "settings { debug: true } other_flag_count: 1"},
      {"unknown flag with value",
       {"--zzz=MARKER", "-D"},
       "settings { debug: true } other_flag_count: 1"},
      {"no abbreviation", {"--log-lev=debug"}, "other_flag_count: 1"},
      {"quotes of TLS paths",
       {"--tlscacert=\"/a b\"", "--tlskey='/k'", "--tlscert=\"/c"},
       "settings { tlscacert: '/a b' tlskey: '/k' tlscert: '\"/c' }"},
      {"other paths keep quotes", {"--data-root=\"/d\""}, "settings { data_root: '\"/d\"' }"},
      {"ulimit without a limit", {"--default-ulimit", "nofile"}, "stray_argument: true"},
      {"number", {"--network-diagnostic-port=9000"}, "settings { network_diagnostic_port: 9000 }"},
      {"no number", {"--network-diagnostic-port=x"}, "stray_argument: true"},
      {"not UTF-8", {"--group=\xff"}, "settings { group: '\xEF\xBF\xBD' }"},
  };
  for (const auto& c : kCases) {
    std::vector<std::string> words = {"dockerd"};
    words.insert(words.end(), c.words.begin(), c.words.end());
    ExpectParsed(Join(words), c.expected, c.name);
  }
}

TEST(ParseCommandLine, NothingAtAll) {
  EXPECT_TRUE(MessageDifferencer::Equals(ParseCommandLine(absl::string_view()), Expected("")));
  EXPECT_TRUE(MessageDifferencer::Equals(ParseCommandLine(""), Expected("")));
}

TEST(ParseCommandLine, RecordedEngines) {
  const struct {
    const char* engine;
    const char* expected;
  } kCases[] = {
      {"stock", ""},
      {"hardened-json", ""},
      {"hardened-flags",
       "settings { icc: false log_level: 'info' live_restore: true userland_proxy: false "
       "no_new_privileges: true log_driver: 'journald' default_ulimits { "
       "ulimits { name: 'nofile' soft: 1024 hard: 2048 } ulimits { name: 'nproc' soft: 512 hard: "
       "512 } } }"},
      {"bad-flags",
       "settings { hosts { values: 'unix:///var/run/docker.sock' values: 'tcp://127.0.0.1:2375' } "
       "insecure_registries { values: '10.0.0.0/8' values: 'reg.example:5000' } iptables: false "
       "debug: true experimental: true storage_driver: 'vfs' cgroup_parent: '/odd' }"},
      {"flags-spaces",
       "settings { icc: false log_level: 'info' log_driver: 'journald' userland_proxy: false "
       "data_root: '/var/lib/docker' exec_root: '/var/run/docker' pidfile: '/var/run/docker.pid' } "
       "other_flag_count: 1"},
      {"tls-verify",
       "settings { hosts { values: 'unix:///var/run/docker.sock' values: 'tcp://127.0.0.1:2376' } "
       "tlsverify: true tlscacert: '/etc/docker/tls/ca.pem' tlscert: '/etc/docker/tls/cert.pem' "
       "tlskey: '/etc/docker/tls/key.pem' }"},
      {"tls-noverify",
       "settings { hosts { values: 'unix:///var/run/docker.sock' values: 'tcp://127.0.0.1:2376' } "
       "tls: true tlscacert: '/etc/docker/tls/ca.pem' tlscert: '/etc/docker/tls/cert.pem' "
       "tlskey: '/etc/docker/tls/key.pem' }"},
      {"config-file-elsewhere", "settings { config_file: '/etc/other-daemon.json' }"},
      {"config-file-elsewhere-eq", "settings { config_file: '/etc/other-daemon.json' }"},
      {"data-root-elsewhere", "settings { data_root: '/var/lib/elsewhere' }"},
      {"userns-remap", "settings { userns_remap: 'default' }"},
      {"authz", "settings { authorization_plugins { values: 'allowall' } }"},
      {"selinux-flag", "settings { selinux_enabled: true }"},
      {"seccomp-profile", "other_flag_count: 1"},
  };
  for (const auto& c : kCases) {
    ExpectParsed(test::EngineFixture(c.engine, "cmdline.bin"), c.expected, c.engine);
  }
}

TEST(ParseCommandLine, NothingSecretGetsThrough) {
  const std::string cmdline = Join({"dockerd",
                                    "--log-opt",
                                    "splunk-token=MARKER",
                                    "--log-opt=gelf-address=udp://u:MARKER@h:1",
                                    "--http-proxy",
                                    "http://u:MARKER@p",
                                    "--https-proxy=http://u:MARKER@p",
                                    "--label",
                                    "MARKER=MARKER",
                                    "--label=a=MARKER",
                                    "--cluster-store-opt",
                                    "kv.key=MARKER",
                                    "--zzz",
                                    "MARKER",
                                    "--zzz=MARKER",
                                    "-zMARKER",
                                    "MARKER",
                                    "--MARKER",
                                    "--storage-opt",
                                    "x=MARKER",
                                    "--registry-mirror=https://u:MARKER@m",
                                    "--exec-opt=MARKER",
                                    "-H",
                                    "tcp://u:MARKER@h:1",
                                    "--",
                                    "MARKER"});
  const v1::DaemonFacts::CommandLine parsed = ParseCommandLine(cmdline);
  EXPECT_EQ(parsed.SerializeAsString().find("MARKER"), std::string::npos) << parsed.DebugString();
  EXPECT_TRUE(parsed.stray_argument());
}

TEST(ParseCommandLine, AnyBytesAreSafe) {
  std::mt19937 random(7);
  static const std::vector<std::string> kPieces = {
      "-", "--", "=", "\0", "H", "D", "host", "icc", "log-opt", "\xff", "x", "default-ulimit", ":"};
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = random() % 12; i > 0; --i) {
      const std::string& piece = kPieces[random() % kPieces.size()];
      bytes += piece.empty() ? std::string(1, '\0') : piece;
    }
    const v1::DaemonFacts::CommandLine parsed = ParseCommandLine(bytes);
    EXPECT_LE(parsed.ByteSizeLong(), 64 + 4 * bytes.size());
  }
}

}  // namespace
}  // namespace plimsoll::sources
