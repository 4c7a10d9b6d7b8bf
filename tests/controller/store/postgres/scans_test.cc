#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "controller/store/postgres/sql_values.h"
#include "tests/controller/store/postgres/scan_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class ScansTest : public ScanTestBase {};

TEST_F(ScansTest, BeginsWithWhoIsConnected) {
  NewScan asked = Scan("s1", {"h1", "h2", "h1"});
  asked.selector.set_expression("env in (a, b)");
  (*asked.selector.mutable_labels())["k"] = "v";
  asked.reason = "audit \"now\"";
  asked.schedule_id = "sch-1";
  auto scan = scans().Create(asked);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->state(), v1::Scan::RUNNING);
  EXPECT_EQ(scan->created_by(), "ann");
  EXPECT_EQ(scan->selector().DebugString(), asked.selector.DebugString());
  EXPECT_EQ(scan->reason(), "audit \"now\"");
  EXPECT_EQ(scan->schedule_id(), "sch-1");
  EXPECT_EQ(TimeOf(scan->deadline()), At(100));
  EXPECT_FALSE(scan->has_end_time());
  EXPECT_FALSE(scan->hosts_omitted());
  EXPECT_EQ(scan->progress().targeted(), 2);
  EXPECT_EQ(scan->progress().requested(), 1);
  EXPECT_EQ(scan->progress().offline(), 1);
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha OFFLINE", "beta REQUESTED"));
  EXPECT_TRUE(absl::IsNotFound(scans().Get("none").status()));
  EXPECT_TRUE(absl::IsNotFound(scans().Create(Scan("s2", {"h1", "h9"})).status()));
  EXPECT_TRUE(absl::IsNotFound(scans().Get("s2").status()));
  EXPECT_TRUE(absl::IsAlreadyExists(scans().Create(Scan("s1", {"h1"})).status()));
}

TEST_F(ScansTest, HostsThatCannotAnswerHaveFailed) {
  ASSERT_TRUE(AddHost(*store_, "h3", "gamma").ok());
  ASSERT_TRUE(AddHost(*store_, "h4", "delta").ok());
  ASSERT_TRUE(store_->enrollment().RevokeHost("h1", "", At(2)).ok());
  ASSERT_TRUE(store_->hosts().Remove("h3", "", At(2)).ok());
  Sql("UPDATE host SET quarantined = now() WHERE id = 'h4'");
  auto scan = scans().Create(Scan("s1", {"h1", "h3", "h4"}));
  ASSERT_TRUE(scan.ok()) << scan.status();
  std::vector<std::string> messages;
  for (const v1::ScanHost& host : scan->hosts()) {
    EXPECT_EQ(host.state(), v1::ScanHost::FAILED);
    messages.push_back(host.message());
  }
  EXPECT_THAT(messages, UnorderedElementsAre("the host is revoked", "the host is removed",
                                             "the host is quarantined"));
  // Nobody owes an answer.
  EXPECT_THAT(*scans().Settle(At(1)), ElementsAre("s1"));
  EXPECT_EQ(scans().Get("s1")->state(), v1::Scan::DONE);
}

TEST_F(ScansTest, TheSameKeyIsTheSameScanForADay) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1"}, "key")).ok());
  EXPECT_EQ(scans().Create(Scan("s2", {"h1"}, "key"))->id(), "s1");
  NewScan other = Scan("s3", {"h1"}, "key");
  other.request_digest = "another request";
  EXPECT_TRUE(absl::IsAlreadyExists(scans().Create(other).status()));
  NewScan tomorrow = Scan("s4", {"h1"}, "key");
  tomorrow.create_time = At(24 * 3600);
  EXPECT_EQ(scans().Create(tomorrow)->id(), "s4");
  EXPECT_EQ(scans().Create(Scan("s5", {"h1"}))->id(), "s5");
  EXPECT_EQ(scans().Create(Scan("s6", {"h1"}))->id(), "s6");
}

TEST_F(ScansTest, ConcurrentRequestsWithOneKeyMakeOneScan) {
  std::vector<std::string> ids(4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      auto scan = scans().Create(Scan(absl::StrCat("s", i), {"h1"}, "key"));
      ids[i] = scan.ok() ? scan->id() : scan.status().ToString();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(ids, ::testing::Each(ids[0]));
}

TEST_F(ScansTest, AHostThatOwesAnAnswerJoins) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  ASSERT_TRUE(scans().MarkFailed("s1", "h2", "no engine").ok());
  NewScan second = Scan("s2", {"h1", "h2"});
  second.create_time = At(1);
  auto scan = scans().Create(second);
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->hosts(0).joined_scan_id(), "") << "its answer is given";
  EXPECT_EQ(scan->hosts(1).joined_scan_id(), "s1");
  NewScan third = Scan("s3", {"h1"});
  third.create_time = At(2);
  EXPECT_EQ(scans().Create(third)->hosts(0).joined_scan_id(), "s1") << "the oldest";
  // A scan that has ended has nobody to join.
  ASSERT_TRUE(scans().Cancel("s1", At(3)).ok());
  ASSERT_TRUE(scans().Cancel("s2", At(3)).ok());
  ASSERT_TRUE(scans().Cancel("s3", At(3)).ok());
  EXPECT_EQ(scans().Create(Scan("s4", {"h1"}))->hosts(0).joined_scan_id(), "");
}

TEST_F(ScansTest, WhatTheHostsAnsweredIsCountedAndStays) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  Answer("h1", 1, {"s1"});
  const auto running = scans().Get("s1");
  ASSERT_TRUE(running.ok()) << running.status();
  const v1::StatusCounts& counts = running->counts().at("base");
  EXPECT_EQ(counts.pass(), 2);
  EXPECT_EQ(counts.fail(), 1);
  EXPECT_EQ(counts.unknown(), 1);
  EXPECT_EQ(running->failing().at("base").high(), 1);
  EXPECT_EQ(running->failing().at("base").critical(), 0);
  const v1::ScanHost& beta = running->hosts(1);
  EXPECT_EQ(beta.counts().at("base").fail(), 1);
  EXPECT_EQ(TimeOf(beta.observed_time()), At(10));
  TestEvaluation facts("h1", 1);
  EXPECT_EQ(beta.facts_digest(), absl::BytesToHexString(facts.Done().facts_digest));
  EXPECT_EQ(running->hosts(0).counts_size(), 0);

  // Later facts, another name and a new document change nothing of it.
  Answer("h2", 1, {"s1"});
  ASSERT_THAT(*scans().Finish({"s1"}, At(20)), ElementsAre("s1"));
  const auto done = scans().Get("s1");
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->state(), v1::Scan::DONE);
  EXPECT_EQ(done->counts().at("base").fail(), 2);
  TestEvaluation later("h1", 2);
  later.Verdict("r1", v1::Verdict::FAIL, {"b"});
  ASSERT_TRUE(store_->reports().Put(later.Done()).ok());
  Sql("UPDATE host SET hostname = 'omega' WHERE id = 'h1'");
  EXPECT_EQ(scans().Get("s1")->DebugString(), done->DebugString());
  // Nothing is counted again for a list.
  Sql("UPDATE scan_answer SET fail_count = 99");
  const auto page = scans().List({});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->scans[0].counts().at("base").fail(), 2);
  EXPECT_EQ(page->scans[0].progress().evaluated(), 2);
}

TEST_F(ScansTest, AnAnswerNamesItsEvidence) {
  ASSERT_TRUE(AddHost(*store_, "h3", "alpha").ok());
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2", "h3"})).ok());
  Answer("h1", 1, {});
  Answer("h1", 2, {"s1"});
  Answer("h1", 3, {});
  for (const char* host : {"h1", "beta"}) {
    const auto answer = scans().GetAnswer("s1", host, "base");
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->host_id, "h1");
    EXPECT_EQ(answer->sequence, 2u);
    EXPECT_EQ(answer->observed, At(20));
    EXPECT_EQ(answer->baseline_digest, MakeBaseline().digest());
    const auto facts = store_->reports().GetFactsAt("h1", absl::InfiniteFuture(), answer->sequence);
    ASSERT_TRUE(facts.ok()) << facts.status();
    EXPECT_EQ(facts->digest, answer->facts_digest);
  }
  const struct {
    const char* scan;
    const char* host;
    const char* baseline;
    absl::StatusCode code;
    const char* complaint;
  } cases[] = {
      {"s9", "h1", "base", absl::StatusCode::kNotFound, "no scan \"s9\""},
      {"s1", "h9", "base", absl::StatusCode::kNotFound, "does not ask a host \"h9\""},
      {"s1", "h2", "base", absl::StatusCode::kNotFound, "gave no answer"},
      {"s1", "h1", "other", absl::StatusCode::kNotFound,
       "not judged by baseline \"other\" but by base"},
      {"s1", "alpha", "base", absl::StatusCode::kFailedPrecondition, "several hosts"},
  };
  for (const auto& c : cases) {
    const auto status = scans().GetAnswer(c.scan, c.host, c.baseline).status();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), c.complaint)) << status;
  }
}

TEST_F(ScansTest, ListsComeInPagesNewestFirst) {
  for (int i = 0; i < 5; ++i) {
    NewScan scan = Scan(absl::StrCat("s", i), {"h1"});
    scan.create_time = At(i / 2);  // Equal times: by id.
    if (i % 2 == 1) scan.schedule_id = "sch";
    ASSERT_TRUE(scans().Create(scan).ok());
  }
  ASSERT_TRUE(scans().Cancel("s2", At(9)).ok());
  std::vector<std::string> ids;
  ScanQuery query{.limit = 2};
  do {
    const auto page = scans().List(query);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->scans.size(), 2u);
    for (const v1::Scan& scan : page->scans) {
      ids.push_back(scan.id());
      EXPECT_EQ(scan.hosts_size(), 0);
      EXPECT_TRUE(scan.hosts_omitted());
      EXPECT_EQ(scan.progress().targeted(), 1);
    }
    query.after = page->next;
  } while (!query.after.empty());
  EXPECT_THAT(ids, ElementsAre("s4", "s3", "s2", "s1", "s0"));
  const auto listed = [this](const ScanQuery& filter) {
    std::vector<std::string> found;
    const auto page = scans().List(filter);
    EXPECT_TRUE(page.ok()) << page.status();
    if (page.ok()) {
      for (const v1::Scan& scan : page->scans) found.push_back(scan.id());
    }
    return found;
  };
  EXPECT_THAT(listed({.schedule_id = "sch"}), ElementsAre("s3", "s1"));
  EXPECT_THAT(listed({.states = {v1::Scan::CANCELLED, v1::Scan::DONE}}), ElementsAre("s2"));
  EXPECT_TRUE(absl::IsInvalidArgument(scans().List({.after = "x"}).status()));
}

TEST_F(ScansTest, LargeScansHaveNoHostsButPagesOfThem) {
  Sql("INSERT INTO host (id, hostname, enrolled, connected)"
      " SELECT 'x' || n, 'name' || n % 700, now(), true FROM generate_series(1, 1500) n");
  std::vector<std::string> ids;
  for (int i = 1; i <= 1500; ++i) ids.push_back(absl::StrCat("x", i));
  auto scan = scans().Create(Scan("s1", ids));
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->hosts_size(), 0);
  EXPECT_TRUE(scan->hosts_omitted());
  EXPECT_EQ(scan->progress().targeted(), 1500);
  Sql("UPDATE scan_host SET state = 4 WHERE host_id LIKE 'x1%'");
  for (const auto& [states, expected] :
       std::vector<std::pair<std::vector<v1::ScanHost::State>, size_t>>{
           {{}, 1500}, {{v1::ScanHost::FAILED}, 612}, {{v1::ScanHost::MISSED}, 0}}) {
    std::vector<std::pair<std::string, std::string>> seen;
    ScanHostQuery query{.scan_id = "s1", .states = states, .limit = 400};
    while (true) {
      const auto hosts = scans().ListHosts(query);
      ASSERT_TRUE(hosts.ok()) << hosts.status();
      for (const v1::ScanHost& host : *hosts) seen.emplace_back(host.hostname(), host.host_id());
      if (hosts->size() < 400) break;
      query.after_hostname = seen.back().first;
      query.after_id = seen.back().second;
    }
    EXPECT_EQ(seen.size(), expected);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
  }
  EXPECT_TRUE(absl::IsNotFound(scans().ListHosts({.scan_id = "none"}).status()));
}

TEST_F(ScansTest, OldScansGoWithAllThatIsTheirs) {
  for (const char* id : {"s1", "s2", "s3"}) ASSERT_TRUE(scans().Create(Scan(id, {"h1"})).ok());
  Answer("h1", 1, {"s1", "s2"});
  ASSERT_TRUE(scans().Finish({"s1"}, At(10)).ok());
  ASSERT_TRUE(scans().Finish({"s2"}, At(20)).ok());
  EXPECT_EQ(*scans().Remove(At(10), 100), 0);
  EXPECT_EQ(*scans().Remove(At(500), 1), 1);
  EXPECT_TRUE(absl::IsNotFound(scans().Get("s1").status()));
  EXPECT_EQ(*scans().Remove(At(500), 100), 1);
  EXPECT_EQ(Count("scan_host"), 1);
  EXPECT_EQ(Count("scan_answer"), 0);
  EXPECT_EQ(scans().Get("s3")->state(), v1::Scan::RUNNING);
}

}  // namespace
}  // namespace plimsoll::store
