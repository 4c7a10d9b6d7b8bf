#include "controller/reevaluate/reevaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"
#include "controller/policy/policy_book.h"
#include "controller/reevaluate/judge_host.h"
#include "controller/store/facts_codec.h"
#include "proto/support/digest.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::reevaluate {
namespace {

absl::Time At(int seconds) { return absl::FromUnixSeconds(1700000000 + seconds); }

v1::HostFacts MakeFacts(const std::string& name) {
  v1::HostFacts facts;
  facts.mutable_observed_time()->set_seconds(absl::ToUnixSeconds(At(10)));
  facts.mutable_machine()->set_hostname(name);
  facts.mutable_machine()->mutable_outcome()->set_state(v1::SourceOutcome::OK);
  v1::EngineFacts& engine = *facts.mutable_engine();
  engine.mutable_outcome()->set_state(v1::SourceOutcome::OK);
  engine.set_is_docker_engine(true);
  facts.mutable_containers()->mutable_outcome()->set_state(v1::SourceOutcome::OK);
  for (const char digit : {'a', 'b'}) {
    v1::Container& container = *facts.mutable_containers()->add_containers();
    container.set_id(std::string(64, digit));
    container.set_name(std::string(1, digit));
    container.mutable_outcome()->set_state(v1::SourceOutcome::OK);
    container.set_status(v1::Container::RUNNING);
    container.set_privileged(true);
  }
  return facts;
}

std::vector<v1::Baseline> Shipped() {
  std::vector<v1::Baseline> baselines;
  for (const std::string& id : evaluate::ShippedBaselineIds()) {
    baselines.push_back(*evaluate::ShippedBaseline(id));
  }
  return baselines;
}

class ReevaluatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    url_ = plimsoll::testing::FreshDatabase();
    auto store = store::Store::Open({.url = url_, .pool_size = 4});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ASSERT_TRUE(store_->reports().PutBaselines(baselines_).ok());
    book_ = std::make_unique<policy::PolicyBook>(*store_, clock_, baselines_);
    index_ = std::make_unique<fleet::FleetIndex>(store_->fleet(), store_->reports(), baselines_,
                                                 clock_, fleet::FleetIndex::Options());
    ASSERT_TRUE(index_->Load().ok());
  }

  // Hosts "host 0" ... with facts that nobody has judged.
  void AddHosts(int count) {
    v1::EnrollmentToken token;
    token.set_id("t");
    token.set_max_uses(count);
    ASSERT_TRUE(store_->enrollment().CreateToken(token, "s").ok());
    for (int i = 0; i < count; ++i) {
      const std::string id = absl::StrCat("host ", i);
      ASSERT_TRUE(store_->enrollment().Enroll("s", id, {id, id, At(0), At(9)}, At(0)).ok());
      ASSERT_TRUE(Put(id, 1, {}).ok());
    }
    Show();
  }
  // The index shows what is stored.
  void Show() {
    index_->CatchUp();
    ASSERT_TRUE(index_->Await(absl::Seconds(30)));
  }
  absl::Status Put(const std::string& id, uint64_t sequence,
                   std::vector<store::Judgement> judgements, uint64_t policy_key = 0) {
    const v1::HostFacts facts = MakeFacts(id);
    store::Evaluation evaluation;
    evaluation.host_id = id;
    evaluation.sequence = sequence;
    evaluation.content = *store::Compress(facts);
    evaluation.facts_digest = support::FactsDigest(facts);
    evaluation.observed = At(10);
    evaluation.recorded = At(11);
    evaluation.judgements = std::move(judgements);
    evaluation.policy_key = policy_key;
    return store_->reports().Put(evaluation);
  }
  std::vector<std::string> Outdated() {
    Show();
    return index_->ListOutdated(*book_->current(), "", 1000);
  }
  void Sql(const std::string& sql) {
    pqxx::connection connection(url_);
    pqxx::nontransaction(connection).exec(sql);
  }

  std::string url_;
  std::unique_ptr<store::Store> store_;
  const std::vector<v1::Baseline> baselines_ = Shipped();
  support::FakeClock clock_{At(1000)};
  std::unique_ptr<policy::PolicyBook> book_;
  std::unique_ptr<fleet::FleetIndex> index_;
};

TEST_F(ReevaluatorTest, JudgesEveryHostAndEnds) {
  AddHosts(120);
  EXPECT_EQ(Outdated().size(), 120u);
  Reevaluator reevaluator(*store_, *book_, *index_, clock_);
  reevaluator.Start();
  reevaluator.Await();
  EXPECT_TRUE(Outdated().empty());
  const Reevaluator::Progress progress = reevaluator.progress();
  EXPECT_EQ(progress.stored, 120);
  EXPECT_EQ(progress.passed_over, 0);
  EXPECT_EQ(progress.failed, 0);
  EXPECT_EQ(progress.left, 0);
  EXPECT_FALSE(progress.running);
  const auto states = store_->fleet().Get({"host 7"});
  ASSERT_EQ(states->front().verdicts.size(), baselines_.size());
  const store::HostVerdicts& verdicts = states->front().verdicts[0];
  EXPECT_EQ(static_cast<int>(verdicts.statuses.size()), baselines_[0].rules_size());
  ASSERT_GE(verdicts.failing.configurations_size(), 1);
  EXPECT_EQ(verdicts.failing.configurations(0).count(), 2);
}

TEST_F(ReevaluatorTest, NothingToDoEndsAtOnce) {
  Reevaluator reevaluator(*store_, *book_, *index_, clock_);
  reevaluator.Start();
  reevaluator.Await();
  reevaluator.Stop();
  EXPECT_EQ(reevaluator.progress().stored, 0);
}

TEST_F(ReevaluatorTest, OneDamagedHostHoldsUpNobody) {
  AddHosts(60);
  Sql("UPDATE facts_snapshot SET content = 'x' WHERE host_id = 'host 30'");
  Reevaluator reevaluator(*store_, *book_, *index_, clock_);
  reevaluator.Start();
  reevaluator.Await();
  EXPECT_THAT(Outdated(), ::testing::ElementsAre("host 30"));
  EXPECT_EQ(reevaluator.progress().stored, 59);
  EXPECT_EQ(reevaluator.progress().failed, 1);
  EXPECT_EQ(reevaluator.progress().left, 0);
}

TEST_F(ReevaluatorTest, StopsInTheMiddleAndAnotherGoesOn) {
  AddHosts(150);
  // The second batch waits for a host that somebody holds.
  pqxx::connection connection(url_);
  pqxx::work holder(connection);
  holder.exec("SELECT FROM host WHERE id = 'host 99' FOR UPDATE");
  {
    Reevaluator reevaluator(*store_, *book_, *index_, clock_, 1);
    reevaluator.Start();
    while (reevaluator.progress().stored == 0) absl::SleepFor(absl::Milliseconds(1));
    std::thread release([&] { holder.commit(); });
    reevaluator.Stop();
    release.join();
    EXPECT_FALSE(reevaluator.progress().running);
  }
  Reevaluator second(*store_, *book_, *index_, clock_);
  second.Start();
  second.Await();
  EXPECT_TRUE(Outdated().empty());
}

TEST_F(ReevaluatorTest, IngestionGoesOnMeanwhile) {
  AddHosts(100);
  Reevaluator reevaluator(*store_, *book_, *index_, clock_);
  reevaluator.Start();
  for (int i = 99; i >= 0; --i) {
    const std::string id = absl::StrCat("host ", i);
    const v1::HostFacts facts = MakeFacts(id);
    const policy::HostPolicy policy = book_->current()->For(id, {});
    const absl::Status status =
        Put(id, 2, JudgeHost(facts, policy, At(10), id, support::FactsDigest(facts)), policy.key);
    EXPECT_TRUE(status.ok()) << status;
  }
  reevaluator.Await();
  EXPECT_TRUE(Outdated().empty());
  EXPECT_EQ(store_->reports().GetStreamState("host 0")->sequence, 2u);
}

TEST_F(ReevaluatorTest, AWaiverThatBeginsAndEndsIsJudgedWithoutNewFacts) {
  AddHosts(30);
  Reevaluator reevaluator(*store_, *book_, *index_, clock_);
  book_->OnChanged([&] { reevaluator.Wake(); });
  reevaluator.Start();
  reevaluator.Await();
  v1::Waiver waiver;
  waiver.set_id("w-1");
  waiver.set_state(v1::Waiver::APPROVED);
  v1::RuleRef& rule = *waiver.add_rules();
  rule.set_baseline("azure-docker");
  rule.set_rule("5.04");
  waiver.mutable_selector()->add_hosts("host 3");
  waiver.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(At(2000)));
  ASSERT_TRUE(store_->waivers().Create(waiver, {v1::WaiverChange::PROPOSE, "a", "", At(1)}).ok());
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(book_->Reload().ok());
  reevaluator.Await();
  EXPECT_TRUE(Outdated().empty());
  EXPECT_EQ(reevaluator.progress().stored, 31) << "only the host that is meant is judged again";
  EXPECT_EQ(store_->hosts().Get("host 3")->counts().at("azure-docker").waived(), 1);
  EXPECT_EQ(store_->hosts().Get("host 4")->counts().at("azure-docker").waived(), 0);
  const auto history = store_->reports().ListTransitions({.host_id = "host 3", .rule_id = "5.04"});
  ASSERT_EQ(history->transitions.size(), 2u);
  EXPECT_EQ(history->transitions[0].cause(), v1::Transition::WAIVER);
  EXPECT_EQ(history->transitions[0].from(), v1::Verdict::FAIL);
  EXPECT_EQ(history->transitions[0].to(), v1::Verdict::FAIL);
  EXPECT_TRUE(history->transitions[0].to_waived());
  clock_.Advance(absl::Seconds(1000));
  ASSERT_TRUE(book_->Reload().ok());
  reevaluator.Await();
  EXPECT_EQ(store_->hosts().Get("host 3")->counts().at("azure-docker").waived(), 0);
}

TEST_F(ReevaluatorTest, AnExemptionThatEndsIsJudgedWithoutNewFacts) {
  v1::Tailoring tailoring;
  tailoring.set_name("exempt");
  tailoring.set_baseline("azure-docker");
  tailoring.mutable_selector()->set_all(true);
  v1::RuleTailoring& rule = *tailoring.add_rules();
  rule.set_rule("5.04");
  // To the end of the day of At(0), which is At(6400).
  (*rule.mutable_parameters())["scope"] = "{exempt: ['* until 2023-11-14']}";
  const auto set = store_->tailorings().Set(tailoring, "a", At(1));
  ASSERT_TRUE(set.ok()) << set.status();
  AddHosts(3);
  Reevaluator reevaluator(*store_, *book_, *index_, clock_);
  book_->OnChanged([&] { reevaluator.Wake(); });
  ASSERT_TRUE(book_->Reload().ok());
  EXPECT_EQ(book_->current()->until(), At(6400));
  reevaluator.Start();
  reevaluator.Await();
  EXPECT_TRUE(Outdated().empty());
  clock_.Advance(absl::Seconds(5400));
  ASSERT_TRUE(book_->Reload().ok());
  reevaluator.Await();
  EXPECT_TRUE(Outdated().empty());
  EXPECT_EQ(reevaluator.progress().stored, 6);
  const auto history = store_->reports().ListTransitions({.host_id = "host 1", .rule_id = "5.04"});
  ASSERT_TRUE(history.ok()) << history.status();
  ASSERT_FALSE(history->transitions.empty());
  const v1::Transition& last = history->transitions[0];
  EXPECT_EQ(last.cause(), v1::Transition::WAIVER);
  EXPECT_EQ(last.from(), v1::Verdict::NOT_APPLICABLE);
  EXPECT_EQ(last.to(), v1::Verdict::FAIL);
}

TEST(JudgeHostTest, JudgesAsTheEvaluatorDoes) {
  const std::vector<v1::Baseline> baselines = Shipped();
  const v1::HostFacts facts = MakeFacts("alpha");
  const std::string digest = support::FactsDigest(facts);
  evaluate::ContainerFingerprints fingerprints;
  const policy::HostPolicy policy = policy::Policy::Plain(baselines)->For("h1", {});
  const auto judgements = JudgeHost(facts, policy, At(10), "h1", digest, &fingerprints);
  ASSERT_EQ(judgements.size(), baselines.size());
  for (size_t i = 0; i < judgements.size(); ++i) {
    const v1::HostReport report = evaluate::Evaluate(
        facts, baselines[i],
        {.as_of = At(10), .host_id = "h1", .facts_digest = absl::BytesToHexString(digest)});
    EXPECT_EQ(judgements[i].report.SerializeAsString(), report.SerializeAsString());
    EXPECT_EQ(judgements[i].failing.SerializeAsString(),
              evaluate::FailingContainersOf(facts, baselines[i], report).SerializeAsString());
  }
  // Memory that another host was judged in leaves no trace.
  std::vector<store::Judgement> again = JudgeHost(MakeFacts("beta"), policy, At(20), "h2", "");
  again.emplace_back();
  JudgeHost(facts, policy, At(10), "h1", digest, fingerprints, again);
  ASSERT_EQ(again.size(), judgements.size());
  for (size_t i = 0; i < judgements.size(); ++i) {
    EXPECT_EQ(again[i].report.SerializeAsString(), judgements[i].report.SerializeAsString());
    EXPECT_EQ(again[i].failing.SerializeAsString(), judgements[i].failing.SerializeAsString());
  }
}

}  // namespace
}  // namespace plimsoll::reevaluate
