#include "controller/policy/policy.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"

namespace plimsoll::policy {
namespace {

absl::Time At(int seconds) { return absl::FromUnixSeconds(1700000000 + seconds); }

Document MakeDocument(const std::string& id, const std::string& digest) {
  auto document = std::make_shared<v1::Baseline>();
  document->set_id(id);
  document->set_digest(digest);
  return document;
}

// Approved, from At(10) to At(20).
store::StoredWaiver MakeWaiver(const std::string& id) {
  store::StoredWaiver stored;
  v1::Waiver& waiver = stored.waiver;
  waiver.set_id(id);
  waiver.set_version(2);
  waiver.set_state(v1::Waiver::APPROVED);
  waiver.mutable_selector()->set_all(true);
  waiver.mutable_start_time()->set_seconds(absl::ToUnixSeconds(At(10)));
  waiver.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(At(20)));
  return stored;
}

std::shared_ptr<const Policy> Make(std::vector<store::StoredWaiver> waivers, int now = 15) {
  return Policy::Make({.documents = {MakeDocument("one", "d1"), MakeDocument("two", "d2")},
                       .waivers = std::move(waivers)},
                      At(now));
}

std::string Ids(const HostPolicy& policy) {
  std::string ids;
  for (const evaluate::HostWaiver& waiver : policy.waivers) {
    absl::StrAppend(&ids, waiver.terms->id, " ");
  }
  return ids;
}

TEST(PolicyTest, ASavedSelectorThatChangesChangesWhomWaiversCover) {
  const auto make = [](const std::string& expression) {
    PolicyParts parts;
    parts.documents = {MakeDocument("one", "d1")};
    parts.waivers = {MakeWaiver("w-1")};
    parts.waivers[0].waiver.mutable_selector()->set_all(false);
    parts.waivers[0].waiver.mutable_selector()->set_expression("@live,!canary");
    if (!expression.empty()) {
      v1::SavedSelector saved;
      saved.set_name("live");
      saved.set_expression(expression);
      parts.selectors = {saved};
    }
    return Policy::Make(std::move(parts), At(15));
  };
  const Labels prod = {{"env", "prod"}};
  const auto first = make("env=prod");
  EXPECT_EQ(Ids(first->For("h", prod)), "w-1 ");
  EXPECT_EQ(Ids(first->For("h", {{"env", "prod"}, {"canary", ""}})), "");
  const auto other = make("env=test");
  EXPECT_EQ(Ids(other->For("h", prod)), "");
  EXPECT_EQ(Ids(other->For("h", {{"env", "test"}})), "w-1 ");
  EXPECT_NE(other->digest(), first->digest());
  EXPECT_NE(other->For("h", prod).key, first->For("h", prod).key);
  // One that is gone, or cannot be read, covers nobody.
  for (const char* gone : {"", "env in ("}) {
    EXPECT_EQ(Ids(make(gone)->For("h", prod)), "") << gone;
    EXPECT_EQ(Ids(make(gone)->For("h", {})), "") << gone;
  }
}

TEST(PolicyTest, WaiversHoldFromTheirStartUntilTheirEnd) {
  const struct {
    int now;
    const char* waivers;
    absl::Time until;
  } rows[] = {{5, "", At(10)},
              {10, "w-1 ", At(20)},
              {19, "w-1 ", At(20)},
              {20, "", absl::InfiniteFuture()}};
  for (const auto& row : rows) {
    const auto policy = Make({MakeWaiver("w-1")}, row.now);
    EXPECT_EQ(Ids(policy->For("h", {})), row.waivers) << row.now;
    EXPECT_EQ(policy->until(), row.until) << row.now;
  }
}

TEST(PolicyTest, OnlyApprovedOnesHold) {
  for (const v1::Waiver::State state :
       {v1::Waiver::PROPOSED, v1::Waiver::REJECTED, v1::Waiver::REVOKED}) {
    store::StoredWaiver waiver = MakeWaiver("w-1");
    waiver.waiver.set_state(state);
    EXPECT_EQ(Ids(Make({waiver})->For("h", {})), "");
  }
}

TEST(PolicyTest, SelectorsMeanHostsByLabelAndById) {
  store::StoredWaiver by_label = MakeWaiver("w-label");
  by_label.waiver.mutable_selector()->set_all(false);
  by_label.waiver.mutable_selector()->set_expression("env=prod");
  store::StoredWaiver by_id = MakeWaiver("w-id");
  by_id.waiver.mutable_selector()->set_all(false);
  by_id.waiver.mutable_selector()->add_hosts("h-1");
  store::StoredWaiver by_both = MakeWaiver("w-zboth");
  *by_both.waiver.mutable_selector() = by_id.waiver.selector();
  (*by_both.waiver.mutable_selector()->mutable_labels())["env"] = "prod";
  const auto policy = Make({by_id, by_label, by_both});
  EXPECT_EQ(Ids(policy->For("h-1", {{"env", "prod"}})), "w-id w-label w-zboth ");
  EXPECT_EQ(Ids(policy->For("h-1", {{"env", "dev"}})), "w-id ");
  EXPECT_EQ(Ids(policy->For("h-2", {{"env", "prod"}})), "w-label ");
  EXPECT_EQ(Ids(policy->For("h-2", {})), "");
}

TEST(PolicyTest, KeysTellApartWhatIsJudgedDifferently) {
  store::StoredWaiver prod = MakeWaiver("w-1");
  prod.waiver.mutable_selector()->set_all(false);
  prod.waiver.mutable_selector()->set_expression("env=prod");
  store::StoredWaiver again = prod;
  again.waiver.set_version(3);
  const auto plain = Make({});
  const auto waived = Make({prod});
  const uint64_t without = plain->For("h", {{"env", "prod"}}).key;
  const uint64_t with = waived->For("h", {{"env", "prod"}}).key;
  EXPECT_NE(without, 0u);
  EXPECT_NE(with, without);
  EXPECT_NE(Make({again})->For("h", {{"env", "prod"}}).key, with) << "another version";
  EXPECT_EQ(waived->For("h", {{"env", "dev"}}).key, without) << "not meant: as without the waiver";
  EXPECT_EQ(waived->For("g", {{"env", "prod"}, {"x", "y"}}).key, with) << "only labels that matter";
  EXPECT_EQ(Make({prod})->For("h", {{"env", "prod"}}).key, with) << "the same on every controller";
  EXPECT_NE(
      Policy::Make({.documents = {MakeDocument("one", "d3"), MakeDocument("two", "d2")}}, At(15))
          ->For("h", {})
          .key,
      without);
}

TEST(PolicyTest, TailoringsMakeDocumentsOfTheirOwn) {
  auto document = std::make_shared<v1::Baseline>();
  document->set_id("one");
  document->set_digest("d1");
  for (const char* id : {"1.1", "1.2"}) {
    v1::Rule& rule = *document->add_rules();
    rule.set_id(id);
    rule.set_severity(v1::HIGH);
    rule.mutable_check()->mutable_container_not_privileged();
  }
  const auto tailoring = [](const std::string& name, const std::string& expression) {
    v1::Tailoring made;
    made.set_name(name);
    made.set_baseline("one");
    made.mutable_selector()->set_expression(expression);
    return made;
  };
  v1::Tailoring off = tailoring("off", "env=dev");
  off.add_rules()->set_rule("1.1");
  off.mutable_rules(0)->set_switched_off("not here");
  v1::Tailoring low = tailoring("zlow", "env=dev,team");
  low.add_rules()->set_rule("1.1");
  low.mutable_rules(0)->set_severity(v1::LOW);
  std::set<std::string> kept;
  absl::Status keeps;
  const auto policy = Policy::Make({.documents = {document},
                                    .tailorings = {off, low},
                                    .keep =
                                        [&](const v1::Baseline& one) {
                                          if (keeps.ok()) kept.insert(one.digest());
                                          return keeps;
                                        }},
                                   At(0));
  keeps = absl::UnavailableError("not now");
  const HostPolicy unkept = policy->For("h", {{"env", "dev"}});
  EXPECT_EQ(unkept.documents->at(0)->digest(), "d1");
  keeps = absl::OkStatus();
  const HostPolicy plain = policy->For("h", {{"env", "prod"}});
  EXPECT_EQ(plain.documents->at(0), document);
  const HostPolicy dev = policy->For("h", {{"env", "dev"}});
  const v1::Baseline& tailored = *dev.documents->at(0);
  EXPECT_EQ(tailored.tailored_from(), "d1");
  EXPECT_NE(tailored.digest(), "d1");
  EXPECT_TRUE(kept.count(tailored.digest()));
  EXPECT_EQ(tailored.rules(0).switched_off(), "not here");
  EXPECT_EQ(tailored.rules(0).severity(), v1::HIGH);
  EXPECT_NE(dev.key, plain.key);
  const HostPolicy both = policy->For("h", {{"env", "dev"}, {"team", "x"}});
  EXPECT_EQ(both.documents->at(0)->rules(0).severity(), v1::LOW);
  EXPECT_EQ(both.documents->at(0)->rules(0).switched_off(), "not here");
  EXPECT_NE(both.key, dev.key);
}

TEST(PolicyTest, DatedEntriesOfListsHoldUntilTheirEnd) {
  // At(0) is 2023-11-14 22:13:20 UTC.
  auto document = std::make_shared<v1::Baseline>();
  document->set_id("one");
  document->set_digest("d1");
  v1::Rule& rule = *document->add_rules();
  rule.set_id("1.1");
  rule.mutable_check()->mutable_container_not_privileged()->mutable_scope()->add_exempt(
      "web until 2023-11-14");
  v1::Tailoring tailoring;
  tailoring.set_name("t");
  tailoring.set_baseline("one");
  tailoring.mutable_selector()->set_expression("env=dev");
  v1::RuleTailoring& tailored = *tailoring.add_rules();
  tailored.set_rule("1.1");
  (*tailored.mutable_parameters())["scope"] = "{exempt: [db until 2023-11-16]}";
  const absl::Time first = absl::FromCivil(absl::CivilDay(2023, 11, 15), absl::UTCTimeZone());
  const absl::Time second = first + absl::Hours(48);
  const struct {
    absl::Time now, until;
  } rows[] = {{At(0), first},
              {first - absl::Nanoseconds(1), first},
              {first, second},
              {second, absl::InfiniteFuture()}};
  std::vector<std::shared_ptr<const Policy>> policies;
  for (const auto& row : rows) {
    policies.push_back(Policy::Make({.documents = {document}, .tailorings = {tailoring}}, row.now));
    EXPECT_EQ(policies.back()->until(), row.until) << row.now;
    EXPECT_EQ(policies.back()->For("h", {}).now, row.now);
  }
  EXPECT_EQ(policies[1]->digest(), policies[0]->digest());
  EXPECT_EQ(policies[1]->For("h", {}).key, policies[0]->For("h", {}).key);
  for (const size_t later : {size_t{2}, size_t{3}}) {
    EXPECT_NE(policies[later]->digest(), policies[later - 1]->digest());
    EXPECT_NE(policies[later]->For("h", {}).key, policies[later - 1]->For("h", {}).key);
  }
  // Without a date nothing lapses.
  EXPECT_EQ(Make({}, 0)->For("h", {}).key, Make({}, 1'000'000)->For("h", {}).key);
  EXPECT_EQ(Policy::Plain({*document})->until(), absl::InfiniteFuture());
}

TEST(PolicyTest, BindingsAreOfTheirHost) {
  store::StoredWaiver bound = MakeWaiver("w-1");
  bound.waiver.set_bound_to_facts(true);
  bound.bindings["h-1"] = {9, 3};
  const auto policy = Make({bound});
  const HostPolicy first = policy->For("h-1", {});
  ASSERT_NE(first.waivers.at(0).approved, nullptr);
  EXPECT_EQ(*first.waivers[0].approved, (std::vector<uint64_t>{3, 9}));
  EXPECT_EQ(policy->For("h-2", {}).waivers.at(0).approved, nullptr);
}

}  // namespace
}  // namespace plimsoll::policy
