#include "controller/evaluate/checks/effective_settings.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// A daemon that started at 1000, with a file written at `file_time`.
v1::HostFacts Facts(const std::string& flags, const std::string& file, int file_time = 500) {
  v1::HostFacts facts;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::StrCat("daemon { outcome { state: OK } start_time { seconds: 1000 } ",
                   "command_line { outcome { state: OK } settings { ", flags, " } } ",
                   "config_file { outcome { state: OK } path: '/etc/docker/daemon.json' ",
                   "settings { ", file, " } modify_time { seconds: ", file_time, " } } }"),
      &facts));
  return facts;
}

Setting<bool> Iptables(const v1::HostFacts& facts) {
  const FactIndex index(facts);
  return Configured(Context{facts, index, absl::UnixEpoch()}, setting::kIptables, true);
}

Verdict Judged(const v1::HostFacts& facts) {
  Verdict verdict;
  Judge judge(verdict);
  const Setting<bool> iptables = Iptables(facts);
  JudgeSetting(iptables, iptables.value, {.observed = "o", .expected = "e"}, judge);
  judge.Finish();
  return verdict;
}

TEST(Configured, CommandLineBeforeFileBeforeDefault) {
  EXPECT_TRUE(Iptables(Facts("", "")).value);
  EXPECT_EQ(SourceText(Iptables(Facts("", ""))), "default");
  const v1::HostFacts in_file = Facts("", "iptables: false");
  const auto file = Iptables(in_file);
  EXPECT_FALSE(file.value);
  EXPECT_EQ(SourceText(file), "/etc/docker/daemon.json iptables");
  const auto flag = Iptables(Facts("iptables: false", ""));
  EXPECT_FALSE(flag.value);
  EXPECT_EQ(SourceText(flag), "command line --iptables");
  EXPECT_FALSE(flag.edited_after_start);
  const auto both = Iptables(Facts("iptables: true", "iptables: false"));
  EXPECT_TRUE(both.value);
  EXPECT_EQ(both.origin, Origin::kCommandLine);
  EXPECT_TRUE(both.edited_after_start);
}

TEST(Configured, TextsAndListsKeepPresence) {
  const v1::HostFacts facts = Facts("log_level: ''", "hosts {}");
  const FactIndex index(facts);
  const Context context{facts, index, absl::UnixEpoch()};
  EXPECT_EQ(Configured(context, setting::kLogLevel, "x").value, "");
  ASSERT_NE(Configured(context, setting::kHosts, nullptr).value, nullptr);
  EXPECT_EQ(Configured(context, setting::kStorageOpts, nullptr).value, nullptr);
}

TEST(Configured, UnreadSourcesMakeItUnknownUnlessTheFlagDecides) {
  v1::HostFacts facts = Facts("iptables: false", "");
  facts.mutable_daemon()->mutable_config_file()->mutable_outcome()->set_state(
      v1::SourceOutcome::PERMISSION_DENIED);
  EXPECT_TRUE(Iptables(facts).known());
  facts.mutable_daemon()->mutable_command_line()->mutable_settings()->clear_iptables();
  EXPECT_FALSE(Iptables(facts).known());
  EXPECT_EQ(Iptables(facts).unread_source, Source::kConfigFile);
  facts = Facts("", "iptables: true");
  facts.mutable_daemon()->mutable_command_line()->clear_outcome();
  EXPECT_EQ(Iptables(facts).unread_source, Source::kCommandLine);
  facts.mutable_daemon()->mutable_outcome()->set_state(v1::SourceOutcome::AMBIGUOUS);
  EXPECT_EQ(Iptables(facts).unread_source, Source::kDaemon);
  EXPECT_FALSE(Iptables(v1::HostFacts()).known());
}

TEST(Configured, DriftIsTheFileNewerThanTheProcess) {
  EXPECT_FALSE(Iptables(Facts("", "", 1000)).drifted);
  EXPECT_FALSE(Iptables(Facts("", "", 1001)).drifted) << "the start is known to the second";
  EXPECT_TRUE(Iptables(Facts("", "", 1002)).drifted);
  EXPECT_TRUE(Iptables(Facts("", "iptables: true", 1002)).drifted);
  EXPECT_FALSE(Iptables(Facts("iptables: true", "", 1002)).drifted);
  v1::HostFacts facts = Facts("", "");
  facts.mutable_daemon()->clear_start_time();
  EXPECT_TRUE(Iptables(facts).drifted) << "no start to compare with";
  facts.mutable_daemon()->mutable_config_file()->mutable_outcome()->set_state(
      v1::SourceOutcome::NOT_PRESENT);
  EXPECT_FALSE(Iptables(facts).drifted) << "no file";
}

TEST(JudgeSetting, PassNeedsAFileOlderThanTheProcess) {
  EXPECT_EQ(Judged(Facts("", "")).status(), Verdict::PASS);
  const Verdict drifted = Judged(Facts("", "", 2000));
  EXPECT_EQ(drifted.status(), Verdict::UNKNOWN);
  EXPECT_EQ(drifted.reason(), "config_newer_than_process");
}

TEST(JudgeSetting, FailOnDiskIsPendingRestart) {
  EXPECT_EQ(Judged(Facts("", "iptables: false")).reason(), "");
  const Verdict pending = Judged(Facts("", "iptables: false", 2000));
  EXPECT_EQ(pending.status(), Verdict::FAIL);
  EXPECT_EQ(pending.reason(), "pending_restart");
  ASSERT_EQ(pending.findings_size(), 1);
  EXPECT_EQ(pending.findings(0).source(), "/etc/docker/daemon.json iptables");
  EXPECT_EQ(Judged(Facts("iptables: false", "", 2000)).reason(), "");
}

TEST(JudgeSetting, AValueTheEngineRefusesIsNotInForce) {
  v1::HostFacts facts = Facts("", "");
  facts.mutable_daemon()->mutable_config_file()->add_mistyped_keys("iptables");
  const Verdict verdict = Judged(facts);
  EXPECT_EQ(verdict.status(), Verdict::UNKNOWN);
  ASSERT_EQ(verdict.notes_size(), 1);
  EXPECT_EQ(verdict.notes(0).code(), "edited_after_start");
}

TEST(ReasonNotInForce, OnlyForWhatSomebodyWrote) {
  EXPECT_EQ(ReasonNotInForce(Iptables(Facts("", "")), true), "");
  EXPECT_EQ(ReasonNotInForce(Iptables(Facts("", "iptables: true")), true),
            "configured_not_in_force");
  EXPECT_EQ(ReasonNotInForce(Iptables(Facts("", "iptables: false")), false), "");
  EXPECT_EQ(ReasonNotInForce(Iptables(v1::HostFacts()), true), "");
}

}  // namespace
}  // namespace plimsoll::evaluate
