#include "controller/evaluate/waivers.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/failing_containers.h"
#include "tests/support/sample_facts.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// Privileged containers "a" and "b", and "c", which is not.
v1::HostFacts Facts() {
  v1::HostFacts facts = testing::SampleHost(3, testing::Habit::kHardened);
  const char* names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; ++i) {
    v1::Container& container = *facts.mutable_containers()->mutable_containers(i);
    container.set_name(names[i]);
    if (i < 2) container.set_privileged(true);
  }
  return facts;
}

v1::Container& ContainerOf(v1::HostFacts& facts, int place) {
  return *facts.mutable_containers()->mutable_containers(place);
}

WaiverTerms Terms(const std::string& id, const std::string& pattern = "") {
  WaiverTerms terms;
  terms.id = id;
  terms.rules.emplace("azure-docker", "5.04");
  terms.object_pattern = pattern;
  return terms;
}

Verdict Judge(const v1::HostFacts& facts, const std::vector<HostWaiver>& waivers,
              v1::HostReport* report = nullptr) {
  const v1::HostReport judged =
      Evaluate(facts, *ShippedBaseline("azure-docker"), {.waivers = waivers});
  if (report != nullptr) *report = judged;
  for (const Verdict& verdict : judged.verdicts()) {
    if (verdict.rule_id() == "5.04") return verdict;
  }
  return {};
}

TEST(WaiversTest, CoverWhatTheirPatternMeans) {
  const v1::HostFacts facts = Facts();
  const std::string id = facts.containers().containers(0).id();
  const struct {
    const char* name;
    std::string pattern;
    const char* covers;
  } rows[] = {
      {"everything", "", "ab"},
      {"any name", "*", "ab"},
      {"the name alone", "a", "a"},
      {"the id", id, "a"},
      {"the end of an id", "*" + id.substr(20), "a"},
      {"a name that is a part only", "aa", ""},
      {"one character", "?", "ab"},
      {"case counts", "A", ""},
  };
  for (const auto& row : rows) {
    const WaiverTerms terms = Terms("w-1", row.pattern);
    const Verdict verdict = Judge(facts, {{&terms, nullptr}});
    std::string covered;
    for (const v1::Finding& finding : verdict.findings()) {
      if (finding.waiver_id() == "w-1") covered += finding.object().substr(0, 1);
    }
    EXPECT_EQ(covered, row.covers) << row.name;
    EXPECT_EQ(verdict.waived(), covered == "ab") << row.name;
    EXPECT_EQ(verdict.status(), Verdict::FAIL) << row.name;
  }
}

TEST(WaiversTest, AreAboutTheirRulesOnly) {
  WaiverTerms terms = Terms("w-1");
  terms.rules = {{"edge-docker", "5.04"}, {"azure-docker", "5.05"}};
  const Verdict verdict = Judge(Facts(), {{&terms, nullptr}});
  EXPECT_FALSE(verdict.waived());
  for (const v1::Finding& finding : verdict.findings()) EXPECT_EQ(finding.waiver_id(), "");
}

TEST(WaiversTest, TheFirstThatCoversHasTheFinding) {
  const WaiverTerms first = Terms("w-1", "a");
  const WaiverTerms second = Terms("w-2");
  const Verdict verdict = Judge(Facts(), {{&first, nullptr}, {&second, nullptr}});
  ASSERT_EQ(verdict.findings_size(), 2);
  EXPECT_EQ(verdict.findings(0).waiver_id(), "w-1");
  EXPECT_EQ(verdict.findings(1).waiver_id(), "w-2");
  EXPECT_TRUE(verdict.waived());
}

TEST(WaiversTest, NeverChangeAStatusOrACount) {
  for (const std::string& id : ShippedBaselineIds()) {
    const v1::Baseline baseline = *ShippedBaseline(id);
    WaiverTerms all;
    all.id = "w-1";
    for (const v1::Rule& rule : baseline.rules()) all.rules.emplace(id, rule.id());
    for (const testing::Habit habit : {testing::Habit::kHardened, testing::Habit::kUsual}) {
      const v1::HostFacts facts = testing::SampleHost(5, habit);
      const v1::HostReport plain = Evaluate(facts, baseline, {});
      const std::vector<HostWaiver> waivers = {{&all, nullptr}};
      v1::HostReport waived = Evaluate(facts, baseline, {.waivers = waivers});
      EXPECT_EQ(waived.counts().waived(), waived.counts().fail());
      for (Verdict& verdict : *waived.mutable_verdicts()) {
        EXPECT_EQ(verdict.waived(), verdict.status() == Verdict::FAIL) << verdict.rule_id();
        verdict.clear_waived();
        verdict.clear_waiver_id();
        for (v1::Finding& finding : *verdict.mutable_findings()) finding.clear_waiver_id();
      }
      waived.mutable_counts()->clear_waived();
      EXPECT_EQ(waived.SerializeAsString(), plain.SerializeAsString()) << id;
    }
  }
}

TEST(WaiversTest, AVerdictWithoutFindingsIsWaivedAsTheHostItself) {
  Verdict verdict;
  verdict.set_rule_id("5.04");
  verdict.set_status(Verdict::FAIL);
  verdict.set_message("not so");
  const v1::HostFacts facts;
  const FactIndex index(facts);
  const WaiverTerms named = Terms("w-1", "web-*");
  ApplyWaivers(index, "azure-docker", std::vector<HostWaiver>{{&named, nullptr}}, verdict);
  EXPECT_FALSE(verdict.waived());
  const WaiverTerms all = Terms("w-2");
  ApplyWaivers(index, "azure-docker", std::vector<HostWaiver>{{&all, nullptr}}, verdict);
  EXPECT_TRUE(verdict.waived());
  EXPECT_EQ(verdict.waiver_id(), "w-2");
}

// What a bound waiver makes of container "a", approved as in Facts(), after `change`.
template <class Change>
std::string BoundAnswer(Change change) {
  const v1::HostFacts approved_facts = Facts();
  const std::vector<uint64_t> approved = {
      GrantedFingerprint(approved_facts.containers().containers(0))};
  v1::HostFacts facts = Facts();
  change(ContainerOf(facts, 0));
  WaiverTerms terms = Terms("w-1", "a*");
  terms.bound = true;
  const Verdict verdict = Judge(facts, {{&terms, &approved}});
  for (const v1::Finding& finding : verdict.findings()) {
    if (finding.object().substr(0, 1) != "a") continue;
    if (!finding.waiver_id().empty()) return "covered";
    return finding.lapsed_waiver_id() == "w-1" ? "lapsed" : "open";
  }
  return "gone";
}

TEST(WaiversTest, WhatANewerCollectorSaysBesideIsNotPartOfWhatWasGranted) {
  v1::Container container;
  container.mutable_security_options()->set_no_new_privileges(true);
  container.add_devices()->set_host_path("/dev/fuse");
  container.add_device_requests()->set_driver("nvidia");
  const uint64_t before = GrantedFingerprint(container);
  for (google::protobuf::Message* part : std::initializer_list<google::protobuf::Message*>{
           container.mutable_security_options(), container.mutable_devices(0),
           container.mutable_device_requests(0)}) {
    part->GetReflection()->MutableUnknownFields(part)->AddVarint(900, 1);
    EXPECT_EQ(GrantedFingerprint(container), before) << part->GetTypeName();
  }
}

TEST(WaiversTest, BoundOnesLapseWhenWhatWasGrantedChanges) {
  using Container = v1::Container;
  const struct {
    const char* name;
    void (*change)(Container&);
    const char* answer;
  } rows[] = {
      {"nothing", [](Container&) {}, "covered"},
      {"another id", [](Container& c) { c.set_id(std::string(64, 'e')); }, "covered"},
      {"another name that fits", [](Container& c) { c.set_name("a-2"); }, "covered"},
      {"restarted", [](Container& c) { c.set_pid(99); }, "covered"},
      {"more memory", [](Container& c) { c.set_memory_limit_bytes(1 << 30); }, "covered"},
      {"another image", [](Container& c) { c.set_image_id("sha256:other"); }, "lapsed"},
      {"a capability", [](Container& c) { c.add_cap_add("SYS_ADMIN"); }, "lapsed"},
      {"another user", [](Container& c) { c.set_user("1234"); }, "lapsed"},
      {"a mount", [](Container& c) { c.add_mounts()->set_source("/etc"); }, "lapsed"},
      {"the host's network", [](Container& c) { c.set_network_mode("host"); }, "lapsed"},
      {"a device", [](Container& c) { c.add_devices()->set_host_path("/dev/mem"); }, "lapsed"},
      {"unconfined",
       [](Container& c) {
         c.mutable_security_options()->set_seccomp(Container::SecurityOptions::SECCOMP_UNCONFINED);
       },
       "lapsed"},
  };
  for (const auto& row : rows) EXPECT_EQ(BoundAnswer(row.change), row.answer) << row.name;
}

TEST(WaiversTest, BoundOnesCoverNothingOnAHostThatWasNotThere) {
  WaiverTerms terms = Terms("w-1");
  terms.bound = true;
  const Verdict verdict = Judge(Facts(), {{&terms, nullptr}});
  EXPECT_FALSE(verdict.waived());
  EXPECT_EQ(verdict.findings(0).lapsed_waiver_id(), "w-1");
}

TEST(WaiversTest, OtherObjectsAreBoundToWhatWasObserved) {
  const v1::HostFacts facts;
  const FactIndex index(facts);
  v1::Finding finding;
  finding.set_object("/etc/docker");
  finding.set_object_id("/etc/docker");
  finding.set_observed("mode 0777");
  const uint64_t before = ObjectFingerprint(index, "b", "r", finding);
  EXPECT_EQ(ObjectFingerprint(index, "b", "r", finding), before);
  EXPECT_NE(ObjectFingerprint(index, "b", "other", finding), before);
  finding.set_observed("mode 0776");
  EXPECT_NE(ObjectFingerprint(index, "b", "r", finding), before);
}

TEST(WaiversTest, ARuleThatIsSwitchedOffIsNotJudged) {
  v1::Baseline baseline = *ShippedBaseline("azure-docker");
  for (v1::Rule& rule : *baseline.mutable_rules()) {
    if (rule.id() == "5.04") rule.set_switched_off("not for build machines");
  }
  const v1::HostReport report = Evaluate(Facts(), baseline, {});
  for (const Verdict& verdict : report.verdicts()) {
    if (verdict.rule_id() != "5.04") continue;
    EXPECT_EQ(verdict.status(), Verdict::NOT_APPLICABLE);
    EXPECT_EQ(verdict.reason(), "switched_off");
    EXPECT_EQ(verdict.message(), "not for build machines");
    EXPECT_EQ(verdict.findings_size(), 0);
  }
}

}  // namespace
}  // namespace plimsoll::evaluate
