#include "collector/sources/audit_line.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using google::protobuf::util::MessageDifferencer;
using Kind = AuditLine::Kind;

test::FakeFileSystem Files() {
  test::FakeFileSystem files;
  files.AddFile("/etc/hosts").AddDirectory("/etc/docker").AddFile("/srv/with space");
  return files;
}

TEST(ParseAuditLine, SameRuleInManySpellings) {
  const test::FakeFileSystem files = Files();
  v1::AuditRule expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "list: EXIT action: ALWAYS all_syscalls: true path: '/etc/hosts' permissions: 10 keys: 'k'",
      &expected));
  for (const char* line :
       {"-w /etc/hosts -p wa -k k", "-w /etc/hosts -k k -p wa", "-k k -p wa -w /etc/hosts",
        "-w/etc/hosts -pwa -kk", "   -w   /etc/hosts -p  wa -k k  ", "-w /etc/hosts -p aw -k k",
        "-w /etc/hosts -p x -p wa -k k", "-a always,exit -F path=/etc/hosts -F perm=wa -k k",
        "-a exit,always -F perm=wa -F path=/etc/hosts -F key=k", "-w /etc/hosts/ -p wa -k k",
        "-F path=/etc/hosts -A always,exit -F perm=wa -k k",
        "-a always,exit -S all -F path=/etc/hosts -F perm=wa -k k"}) {
    const absl::StatusOr<AuditLine> parsed = ParseAuditLine(line, files);
    ASSERT_TRUE(parsed.ok()) << line << parsed.status();
    EXPECT_EQ(parsed->kind, Kind::kRule) << line;
    EXPECT_TRUE(MessageDifferencer::Equals(parsed->rule, expected))
        << line << parsed->rule.ShortDebugString();
  }
}

TEST(ParseAuditLine, LinesThatAreNoRule) {
  const struct {
    const char* line;
    Kind kind;
  } kCases[] = {
      {"", Kind::kNothing},
      {"   ", Kind::kNothing},
      {"# -w /etc/hosts", Kind::kNothing},
      {"  # indented", Kind::kNothing},
      {"-e 2", Kind::kNothing},
      {"-b 8192", Kind::kNothing},
      {"-f 1", Kind::kNothing},
      {"-r 100", Kind::kNothing},
      {"--loginuid-immutable", Kind::kNothing},
      {"--backlog_wait_time 60000", Kind::kNothing},
      {"-D", Kind::kDeleteAll},
      {"-D -k key", Kind::kDeleteAll},
      {"-i", Kind::kIgnoreErrors},
      {"-c", Kind::kIgnoreErrors},
      {"-W /etc/hosts -p wa", Kind::kDelete},
      {"-d always,exit -F path=/etc/hosts", Kind::kDelete},
  };
  const test::FakeFileSystem files = Files();
  for (const auto& c : kCases) {
    const absl::StatusOr<AuditLine> parsed = ParseAuditLine(c.line, files);
    ASSERT_TRUE(parsed.ok()) << c.line << parsed.status();
    EXPECT_EQ(parsed->kind, c.kind) << c.line;
  }
}

// Each was tried on a real loader and kernel.
TEST(ParseAuditLine, LinesThatAreRefused) {
  const test::FakeFileSystem files = Files();
  for (const char* line : {"\t-w /etc/hosts",
                           "-w\t/etc/hosts",
                           "-w /etc/hosts\t-p wa",
                           "-w \"/etc/hosts\"",
                           "\t",
                           "-w /etc/hosts -p wa # why",
                           "-w /etc/hosts -p wa stray",
                           "-w",
                           "-w etc/hosts",
                           "-w /nodir/x",
                           "-w /etc/hosts -p q",
                           "-w /etc/hosts -p",
                           "-w /etc/hosts -w /etc/passwd",
                           "-z",
                           "nonsense",
                           "-a always,exit -F path=/etc/",
                           "-a always,exit -F path=etc/hosts",
                           "-a always,exit -F path!=/etc/hosts",
                           "-a always,exit -F path=/etc/hosts -F dir=/etc",
                           "-a always,exit -F dir=/nodir",
                           "-a always,task -F path=/etc/hosts",
                           "-a always,entry -F path=/etc/hosts",
                           "-a possible,exit -F path=/etc/hosts",
                           "-a always,exit,x -F path=/etc/hosts",
                           "-a exit -F path=/etc/hosts",
                           "-a never,exit -w /etc/hosts",
                           "-a always,exit -S nosuch -F path=/etc/hosts",
                           "-a always,exit -S open -F arch=b64 -F path=/etc/hosts",
                           "-a always,exit -F path=/etc/hosts -F nosuch=1",
                           "-a always,exit -F path=/etc/hosts -F success=yes",
                           "-a always,exit -F path = /etc/hosts",
                           "-a always,exit -F path=/etc/hosts -k",
                           "-R /etc/audit/other.rules",
                           "--watch /etc/hosts",
                           "-k only"}) {
    const absl::StatusOr<AuditLine> parsed = ParseAuditLine(line, files);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
}

TEST(ParseAuditLine, WhatLooksOddAndIsTaken) {
  const test::FakeFileSystem files = Files();
  const auto rule = [&](const char* line) {
    const absl::StatusOr<AuditLine> parsed = ParseAuditLine(line, files);
    EXPECT_TRUE(parsed.ok()) << line << parsed.status();
    return parsed.ok() ? parsed->rule : v1::AuditRule();
  };
  EXPECT_EQ(rule("-w /etc/hosts -k \"q\"").keys(0), "\"q\"");
  EXPECT_EQ(rule("-w /etc/hosts -k x\ty").keys(0), "x\ty");
  EXPECT_EQ(rule("-w /srv/with\\ space").path(), "/srv/with space");
  EXPECT_EQ(rule("-w /etc/docker").dir(), "/etc/docker");
  EXPECT_EQ(rule("-w /etc/not-yet").path(), "/etc/not-yet");
  EXPECT_EQ(rule("-a always,exit -F dir=/etc/docker/").dir(), "/etc/docker/");
  EXPECT_EQ(rule("-a always,exit -F path=/etc/hosts -F arch=x86_64").arch(), "b64");
  EXPECT_EQ(rule("-a always,exit -F path=/etc/hosts -F arch=b32").arch(), "b32");
  EXPECT_FALSE(rule("-a always,exit -F path=/etc/hosts").has_permissions());
  EXPECT_EQ(rule("-w /etc/hosts -F auid=0").extra(0).value(), "0");
  EXPECT_EQ(rule("-a always,exit -F path=/etc/hosts -C auid!=uid").extra(0).name(),
            "field_compare");
  EXPECT_EQ(rule("-a always,exit -F path=/etc/hosts -F exit=-EPERM").extra(0).value(), "-1");
  // What one line did leaves no trace in the next.
  EXPECT_EQ(rule("-w /etc/hosts").permissions(), 15u);
}

TEST(ParseAuditLine, AnyBytesAreSafe) {
  std::mt19937 random(7);
  const test::FakeFileSystem files = Files();
  static const std::vector<std::string> kPieces = {
      "-w",   "-a",    " ",     " ",  " ",         "/etc/hosts", "always,exit",
      "-F",   "path=", "perm=", "-k", "-S",        "all",        "arch=b64",
      "\\",   "\t",    "\xff",  "-p", "wa",        "-C",         "auid!=uid",
      "a0&=", "=",     "!=",    "-D", "auid>=1000"};
  for (int round = 0; round < 3000; ++round) {
    std::string line;
    for (int i = random() % 14; i > 0; --i) line += kPieces[random() % kPieces.size()];
    const absl::StatusOr<AuditLine> parsed = ParseAuditLine(line, files);
    if (parsed.ok() && parsed->kind == Kind::kRule) {
      EXPECT_NE(parsed->rule.list(), v1::AuditRule::LIST_UNSPECIFIED) << line;
    }
  }
}

}  // namespace
}  // namespace plimsoll::sources
