#include "collector/sources/daemon_json.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "proto/support/digest.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using google::protobuf::util::MessageDifferencer;

// Everything but size and digest, which the tests look at apart.
v1::DaemonFacts::ConfigFile Parsed(const std::string& content) {
  v1::DaemonFacts::ConfigFile file;
  EXPECT_TRUE(ParseDaemonJson(content, &file).ok()) << content;
  EXPECT_EQ(file.size_bytes(), static_cast<int64_t>(content.size()));
  EXPECT_EQ(file.sha256(), support::Sha256Hex(content));
  file.clear_size_bytes();
  file.clear_sha256();
  return file;
}

void ExpectParsed(const std::string& content, const std::string& text) {
  v1::DaemonFacts::ConfigFile expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &expected)) << text;
  expected.mutable_settings();
  const v1::DaemonFacts::ConfigFile actual = Parsed(content);
  EXPECT_TRUE(MessageDifferencer::Equals(actual, expected)) << content << actual.DebugString();
}

TEST(ParseDaemonJson, KeysAndTypes) {
  const struct {
    const char* content;
    const char* expected;
  } kCases[] = {
      {"{}", ""},
      {"", ""},
      {" \n\t", ""},
      {R"({"icc":false})", "settings { icc: false }"},
      {R"({"icc":null})", ""},
      {R"({"icc":"false"})", "mistyped_keys: 'icc'"},
      {R"({"ICC":false})", "other_key_count: 1"},
      {R"({"tlsverify":true})", "settings { tlsverify: true }"},
      {R"({"tlsverify":"1"})", "mistyped_keys: 'tlsverify'"},
      {R"({"graph":"/g"})", "settings { data_root: '/g' }"},
      {R"({"hosts":[]})", "settings { hosts {} }"},
      {R"({"hosts":"fd://"})", "mistyped_keys: 'hosts'"},
      {R"({"hosts":["fd://",1]})", "mistyped_keys: 'hosts'"},
      {R"({"host":["fd://"]})", "other_key_count: 1"},
      {R"({"log-level":1})", "mistyped_keys: 'log-level'"},
      {R"({"network-diagnostic-port":9000})", "settings { network_diagnostic_port: 9000 }"},
      {R"({"network-diagnostic-port":1.5})", "mistyped_keys: 'network-diagnostic-port'"},
      {R"({"default-ulimit":{}})", "other_key_count: 1"},
      {R"({"default-ulimits":{}})", "settings { default_ulimits {} }"},
      {R"({"default-ulimits":{"nofile":{"Name":"nofile","Hard":2,"Soft":1}}})",
       "settings { default_ulimits { ulimits { name: 'nofile' soft: 1 hard: 2 } } }"},
      {R"({"default-ulimits":{"nofile":{"soft":-1,"hard":-1}}})",
       "settings { default_ulimits { ulimits { name: 'nofile' soft: -1 hard: -1 } } }"},
      {R"({"default-ulimits":["nofile=1"]})", "mistyped_keys: 'default-ulimits'"},
      {R"({"log-opts":{"max-size":"10m","syslog-address":"tcp://h:1"}})",
       "settings { log_opts { options { name: 'max-size' } options { name: 'syslog-address' "
       "address_scheme: 'tcp' address_is_loopback: false } } }"},
      {R"({"log-opts":{"max-file":3}})", "mistyped_keys: 'log-opts'"},
      {R"({"storage-opts":["dm.basesize=20G","dm.fs=ext4"]})",
       "settings { storage_opts { values: 'dm.basesize=20G' values: 'dm.fs' } }"},
      {R"({"tlskey":"\"/k\""})", "settings { tlskey: '/k' }"},
      {R"({"config-file":"/x","labels":["a=b"],"zzz":{"icc":false}})", "other_key_count: 3"},
      {"{\"group\":\"\xff\"}", "settings { group: '\xEF\xBF\xBD' }"},
  };
  for (const auto& c : kCases) ExpectParsed(c.content, c.expected);
}

TEST(ParseDaemonJson, ByteOrderMarks) {
  const std::string plain = R"({"group":"g)"
                            "\xC3\xA9"
                            R"("})";
  const std::string expected = "settings { group: 'g\xC3\xA9' }";
  ExpectParsed("\xEF\xBB\xBF" + plain, expected);
  std::string little = "\xFF\xFE";
  std::string big = "\xFE\xFF";
  for (const char16_t unit : std::u16string(u"{\"group\":\"g\u00e9\"}")) {
    little += {static_cast<char>(unit & 0xFF), static_cast<char>(unit >> 8)};
    big += {static_cast<char>(unit >> 8), static_cast<char>(unit & 0xFF)};
  }
  ExpectParsed(little, expected);
  ExpectParsed(big, expected);
  // A pair of surrogates, and one alone.
  ExpectParsed(
      std::string("\xFE\xFF\0{\0\"\0g\0r\0o\0u\0p\0\"\0:\0\"\xD8\x3D\xDE\x00\xD8\x3D\0\"\0}", 32),
      "settings { group: '\xF0\x9F\x98\x80\xEF\xBF\xBD' }");
}

TEST(ParseDaemonJson, RefusesWhatIsNoJsonObjectWithoutQuotingIt) {
  for (const std::string content :
       {"{\"icc\": MARKER}", "[]", "\"MARKER\"", "{\"icc\":false", "{} MARKER", "MARKER",
        "{\"a\":1,}", "# MARKER\n{}", "\xFE\xFFMARKER", "null"}) {
    v1::DaemonFacts::ConfigFile file;
    const absl::Status status = ParseDaemonJson(content, &file);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << content;
    EXPECT_FALSE(absl::StrContains(std::string(status.message()), "MARKER")) << status;
    EXPECT_EQ(file.sha256().size(), 64u);
  }
  v1::DaemonFacts::ConfigFile file;
  EXPECT_TRUE(absl::StrContains(std::string(ParseDaemonJson("{\"icc\": MARKER}", &file).message()),
                                "byte 8"));
}

TEST(ParseDaemonJson, DeepNestingIsRefusedAndNotFollowed) {
  v1::DaemonFacts::ConfigFile file;
  EXPECT_FALSE(ParseDaemonJson("{\"a\":" + std::string(100000, '['), &file).ok());
}

TEST(ParseDaemonJson, RecordedEngines) {
  ExpectParsed(test::EngineFixture("hardened-json", "daemon.json"),
               "settings { icc: false log_level: 'info' live_restore: true userland_proxy: false "
               "no_new_privileges: true log_driver: 'syslog' default_ulimits { ulimits { name: "
               "'nofile' soft: 1024 hard: 2048 } } log_opts { options { name: 'syslog-address' "
               "address_scheme: 'udp' address_is_loopback: true } } }");
  ExpectParsed(
      test::EngineFixture("bad-json", "daemon.json"),
      "settings { hosts { values: 'unix:///var/run/docker.sock' values: "
      "'tcp://127.0.0.1:2375' } insecure_registries { values: 'reg.example:5000' } iptables: "
      "false debug: true experimental: true userland_proxy: true } other_key_count: 1");
  ExpectParsed(test::EngineFixture("tls-json", "daemon.json"),
               "settings { hosts { values: 'unix:///var/run/docker.sock' values: "
               "'tcp://127.0.0.1:2376' } tlsverify: true tlscacert: '/etc/docker/tls/ca.pem' "
               "tlscert: '/etc/docker/tls/cert.pem' tlskey: '/etc/docker/tls/key.pem' }");
}

TEST(ParseDaemonJson, NothingSecretGetsThrough) {
  const v1::DaemonFacts::ConfigFile file = Parsed(R"({
    "log-opts": {"splunk-token": "MARKER", "gelf-address": "udp://u:MARKER@h:1"},
    "registry-mirrors": ["https://u:MARKER@m"], "labels": ["a=MARKER"], "MARKER": "MARKER",
    "proxies": {"http-proxy": "http://u:MARKER@p"}, "runtimes": {"MARKER": {"runtimeArgs": ["MARKER"]}},
    "insecure-registries": ["u:MARKER@reg:5000"], "hosts": ["tcp://u:MARKER@h:1"],
    "storage-opts": ["x=MARKER", "MARKER"], "icc": "MARKER", "default-ulimits": {"MARKER x": {}},
    "metrics-addr": "u:MARKER@127.0.0.1:9323"})");
  EXPECT_EQ(file.SerializeAsString().find("MARKER"), std::string::npos) << file.DebugString();
  EXPECT_EQ(file.settings().metrics_addr(), "127.0.0.1:9323");
}

}  // namespace
}  // namespace plimsoll::sources
