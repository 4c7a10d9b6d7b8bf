// Many hosts at once over one database: what is committed together, in which order, and what
// sessions hear while it takes long.
#include <gmock/gmock.h>

#include <pqxx/pqxx>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/controller/gateway/gateway_fixture.h"

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;

class CommitTest : public GatewayTest {
 protected:
  explicit CommitTest(const GatewayOptions& options = Options()) : GatewayTest(options) {}

  // Holds every commit back until it goes.
  class Blocked {
   public:
    explicit Blocked(const std::string& url) : connection_(url), tx_(connection_) {
      tx_.exec("LOCK TABLE host IN EXCLUSIVE MODE");
    }

   private:
    pqxx::connection connection_;
    pqxx::work tx_;
  };

  std::string Query(const std::string& sql) {
    pqxx::connection connection(url_);
    const pqxx::result rows = pqxx::nontransaction(connection).exec(sql);
    return rows[0][0].is_null() ? "" : rows[0][0].as<std::string>();
  }
  // Enrolled, connected and greeted.
  std::vector<std::unique_ptr<TestCollector>> Fleet(int size) {
    std::vector<std::unique_ptr<TestCollector>> fleet;
    for (int i = 0; i < size; ++i) {
      const std::string name = absl::StrCat("web-", i);
      fleet.push_back(std::make_unique<TestCollector>(address_, Enrolled(name)));
      Greet(*fleet.back(), name);
    }
    return fleet;
  }
};

TEST_F(CommitTest, HostsShareTransactions) {
  constexpr int kHosts = 24;
  auto fleet = Fleet(kHosts);
  {
    Blocked blocked(url_);
    for (auto& collector : fleet) Send(*collector, Snapshot(1, Facts({"c1"})));
    ASSERT_TRUE(Await(stats_.commits_waiting, kHosts));
  }
  for (auto& collector : fleet) EXPECT_EQ(Next(*collector).ack().sequence(), 1u);
  EXPECT_EQ(Query("SELECT count(*) FROM facts_snapshot"), absl::StrCat(kHosts));
  // What each committer had taken first, and all that piled up behind the two.
  const int transactions =
      std::stoi(Query("SELECT count(DISTINCT xmin::text) FROM facts_snapshot"));
  EXPECT_LE(transactions, 4);
  EXPECT_EQ(stats_.batches, transactions);
  EXPECT_EQ(stats_.committed, kHosts);
}

TEST_F(CommitTest, ChangesOfAHostAreInOrderAndExactlyOnce) {
  const uplink::Identity identity = Enrolled();
  TestCollector collector = Open(identity);
  Greet(collector);
  v1::HostFacts facts = Facts({"c0"});
  std::vector<v1::FactsDelta> deltas = {Snapshot(1, facts)};
  for (int i = 2; i <= 20; ++i) deltas.push_back(Change(i, facts, {absl::StrCat("c", i)}, {}));
  // Nobody waits for acknowledgements here, and everything is said twice.
  for (const v1::FactsDelta& delta : deltas) {
    Send(collector, delta);
    Send(collector, delta);
  }
  for (int i = 1; i <= 20; ++i) {
    EXPECT_EQ(Next(collector).ack().sequence(), i);
    EXPECT_EQ(Next(collector).ack().sequence(), i);
  }
  EXPECT_EQ(Query("SELECT string_agg(sequence::text, ' ' ORDER BY recorded, sequence) FROM "
                  "facts_snapshot"),
            "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
  EXPECT_EQ(Digest(store_->reports().GetFacts(identity.host_id)->facts), Digest(facts));
  EXPECT_EQ(stats_.repeated, 20);
}

TEST_F(CommitTest, HeartbeatsTouchNeitherWorkersNorDatabase) {
  auto fleet = Fleet(4);
  const v1::HostFacts facts = Facts({"c1"});
  for (auto& collector : fleet) {
    Send(*collector, Snapshot(1, facts));
    EXPECT_TRUE(Next(*collector).has_ack());
  }
  controller_->service->Tick();
  Settle();
  // When each connection of the controller began its last statement.
  const std::string statements =
      "SELECT string_agg(pid || ' ' || query_start, ',' ORDER BY pid) FROM pg_stat_activity WHERE "
      "datname = current_database() AND application_name = 'plimsoll-controller'";
  const std::string before = Query(statements);
  v1::FromCollector heartbeat;
  heartbeat.mutable_heartbeat()->set_facts_digest(Digest(facts));
  clock_.Advance(absl::Seconds(5));
  for (int i = 0; i < 25; ++i) {
    for (auto& collector : fleet) collector->Send(heartbeat);
  }
  ASSERT_TRUE(Await(stats_.heartbeats, 100));
  controller_->service->Tick();
  Settle();
  EXPECT_EQ(Query(statements), before);
  EXPECT_EQ(stats_.resyncs, 0);

  // Last seen is written once for all, a while later.
  const absl::Time heard = clock_.Now();
  clock_.Advance(absl::Seconds(6));
  controller_->service->Tick();
  Settle();
  EXPECT_EQ(Query("SELECT count(DISTINCT xmin::text) FROM host"), "1");
  EXPECT_EQ(Query("SELECT count(*) FROM host WHERE extract(epoch FROM last_seen) = " +
                  absl::StrCat(absl::ToUnixSeconds(heard))),
            "4");
  // And not again while nobody says anything.
  const std::string after = Query(statements);
  clock_.Advance(absl::Seconds(11));
  controller_->service->Tick();
  Settle();
  EXPECT_EQ(Query(statements), after);
}

TEST_F(CommitTest, SilenceEndsASession) {
  auto fleet = Fleet(2);
  // The clock runs only once both wait for the collector.
  Settle();
  const absl::Time begun = clock_.Now();
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Seconds(30));
    const int64_t heard = stats_.heartbeats;
    v1::FromCollector heartbeat;
    heartbeat.mutable_heartbeat();
    fleet[0]->Send(heartbeat);
    ASSERT_TRUE(Await(stats_.heartbeats, heard + 1));
    // Until the session waits for the next message.
    ASSERT_TRUE(AwaitTrue([&] {
      controller_->service->Tick();
      return i < 4 || sessions_.Count() == 1;
    }));
  }
  const absl::Status end = EndOf(*fleet[1]);
  EXPECT_FALSE(end.ok());
  EXPECT_EQ(stats_.sessions_silent, 1);
  // That it was cut off is no word from the host.
  EXPECT_TRUE(AwaitTrue([&] {
    return Query("SELECT extract(epoch FROM last_seen)::bigint FROM host WHERE NOT connected") ==
           absl::StrCat(absl::ToUnixSeconds(begun));
  }));
  Send(*fleet[0], Snapshot(1, Facts({"c1"})));
  EXPECT_TRUE(Next(*fleet[0]).has_ack());
}

TEST_F(CommitTest, WhoWaitsLongIsToldToSlowDown) {
  auto fleet = Fleet(1);
  TestCollector& collector = *fleet[0];
  {
    Blocked blocked(url_);
    Send(collector, Snapshot(1, Facts({"c1"})));
    ASSERT_TRUE(Await(stats_.commits_waiting, 1));
    controller_->service->Tick();
    EXPECT_EQ(stats_.slow_downs, 0);
    clock_.Advance(absl::Seconds(3));
    controller_->service->Tick();
    const v1::ToCollector slow = Next(collector);
    ASSERT_TRUE(slow.has_slow_down()) << slow.ShortDebugString();
    EXPECT_GE(slow.slow_down().pause().seconds(), 5);
    EXPECT_LE(slow.slow_down().pause().seconds(), 10);
    controller_->service->Tick();
    EXPECT_EQ(stats_.slow_downs, 1) << "once a pause";
    clock_.Advance(absl::Seconds(200));
    controller_->service->Tick();
    EXPECT_EQ(stats_.slow_downs, 2);
    EXPECT_EQ(stats_.sessions_silent, 0) << "it is we who are silent";
  }
  EXPECT_TRUE(Next(collector).has_slow_down());
  EXPECT_EQ(Next(collector).ack().sequence(), 1u);
  controller_->service->Tick();
  EXPECT_EQ(sessions_.Count(), 1u);
}

TEST_F(CommitTest, DrainCommitsWhatIsUnderWay) {
  auto fleet = Fleet(2);
  std::thread stop;
  {
    Blocked blocked(url_);
    Send(*fleet[0], Snapshot(1, Facts({"c1"})));
    ASSERT_TRUE(Await(stats_.commits_waiting, 1));
    stop = std::thread([this] { Stop(); });
    EXPECT_TRUE(absl::IsUnavailable(EndOf(*fleet[1]))) << "nothing to wait for";
  }
  EXPECT_EQ(Next(*fleet[0]).ack().sequence(), 1u) << "committed and said so";
  EXPECT_TRUE(absl::IsUnavailable(EndOf(*fleet[0])));
  stop.join();
  EXPECT_EQ(Query("SELECT count(*) FROM facts_snapshot"), "1");
}

// Room for one small message at a time, and for one to wait.
class CrowdedTest : public CommitTest {
 protected:
  static GatewayOptions Tight() {
    GatewayOptions options = Options();
    options.budget_bytes = 1;
    options.max_waiting_bytes = 1;
    options.slow_down_waiters = 0;
    return options;
  }
  CrowdedTest() : CommitTest(Tight()) {}
};

TEST_F(CrowdedTest, MessagesWaitForRoomBeforeTheyAreDecoded) {
  auto fleet = Fleet(3);
  {
    Blocked blocked(url_);
    Send(*fleet[0], Snapshot(1, Facts({"c1"})));
    ASSERT_TRUE(Await(stats_.commits_waiting, 1));
    Send(*fleet[1], Snapshot(1, Facts({"c1"})));
    ASSERT_TRUE(Await(stats_.budget_waiting, 1));
    EXPECT_EQ(stats_.deltas, 1);
    EXPECT_TRUE(Next(*fleet[1]).has_slow_down());
    // No room even to wait: the collector keeps its change and comes again.
    Send(*fleet[2], Snapshot(1, Facts({"c1"})));
    EXPECT_TRUE(Next(*fleet[2]).has_slow_down());
    const absl::Status end = EndOf(*fleet[2]);
    EXPECT_TRUE(absl::IsUnavailable(end)) << end;
  }
  EXPECT_TRUE(Next(*fleet[0]).has_ack());
  EXPECT_TRUE(Next(*fleet[1]).has_ack());
  EXPECT_TRUE(AwaitTrue([&] { return stats_.budget_in_use == 0; }));
  EXPECT_EQ(stats_.budget_refusals, 1);
}

}  // namespace
}  // namespace plimsoll::gateway
