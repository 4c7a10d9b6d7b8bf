// Hosts that ask, wait, enrol again, and the labels they get.
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/match.h"
#include "controller/store/postgres/sql_values.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using Labels = std::map<std::string, std::string>;

Labels LabelsOf(const google::protobuf::Map<std::string, std::string>& labels) {
  return Labels(labels.begin(), labels.end());
}

class EnrollmentQueueTest : public StoreTestBase {
 protected:
  EnrollmentStore& enrollment() { return store_->enrollment(); }

  absl::Status Create(const std::string& id, int uses, bool requires_approval,
                      const Labels& labels = {}, const std::string& host_id = "") {
    v1::EnrollmentToken token;
    token.set_id(id);
    token.set_max_uses(uses);
    token.set_requires_approval(requires_approval);
    token.mutable_labels()->insert(labels.begin(), labels.end());
    token.set_host_id(host_id);
    *token.mutable_create_time() = TimestampOf(At(0));
    *token.mutable_expire_time() = TimestampOf(At(100));
    return enrollment().CreateToken(token, "hash of " + id);
  }
  absl::StatusOr<EnrollmentTicket> Ask(const std::string& token, const std::string& key,
                                       absl::Time now = At(1)) {
    return enrollment().Ask({.secret_hash = "hash of " + token,
                             .key = key,
                             .hostname = "web-" + key,
                             .peer = "192.0.2.7",
                             .can_wait = true,
                             .id = absl::StrCat("e-", ++asked_)},
                            now, now + absl::Seconds(1000));
  }
  absl::Status Enroll(const std::string& token, const std::string& key, const std::string& host,
                      absl::Time now = At(5)) {
    return enrollment().Enroll("hash of " + token, "name",
                               {.serial = absl::StrCat("serial ", host, " ", key),
                                .host_id = host,
                                .not_before = At(0),
                                .not_after = At(5000),
                                .key = key},
                               now);
  }
  absl::StatusOr<v1::Enrollment> Decide(const std::string& id, v1::Enrollment::State state,
                                        const Labels& labels = {}, absl::Time now = At(2)) {
    v1::Enrollment decision;
    decision.set_id(id);
    decision.set_state(state);
    decision.set_decided_by("otto");
    decision.mutable_labels()->insert(labels.begin(), labels.end());
    return enrollment().Decide(decision, now, now + absl::Seconds(1000));
  }
  absl::StatusOr<SessionLease> Begin(const std::string& host, const Labels& said,
                                     const std::string& serial = "") {
    SessionStart start;
    start.host_id = host;
    start.hostname = "name";
    start.labels = said;
    start.certificate_serial = serial;
    start.time = At(10);
    return store_->hosts().BeginSession(start);
  }

  int asked_ = 0;
};

TEST_F(EnrollmentQueueTest, AHostWaitsUntilItsKeyIsApproved) {
  ASSERT_TRUE(Create("t", 2, true, {{"env", "prod"}, {"tier", "web"}}).ok());
  const auto first = Ask("t", "k1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->pending_id, "e-1");
  EXPECT_TRUE(first->is_new);
  const auto again = Ask("t", "k1", At(50));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->pending_id, "e-1");
  EXPECT_FALSE(again->is_new);
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("t", "k1", "h1")));

  auto listed = enrollment().ListEnrollments(At(3));
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().state(), v1::Enrollment::PENDING);
  EXPECT_EQ(listed->front().token_id(), "t");
  EXPECT_EQ(listed->front().hostname(), "web-k1");
  EXPECT_EQ(listed->front().peer(), "192.0.2.7");
  EXPECT_EQ(listed->front().key_fingerprint(), "k1");
  EXPECT_EQ(TimeOf(listed->front().request_time()), At(1));
  EXPECT_EQ(TimeOf(listed->front().expire_time()), At(1001));
  EXPECT_FALSE(listed->front().has_decide_time());

  const auto approved = Decide("e-1", v1::Enrollment::APPROVED, {{"tier", "db"}});
  ASSERT_TRUE(approved.ok()) << approved.status();
  EXPECT_EQ(LabelsOf(approved->labels()), (Labels{{"env", "prod"}, {"tier", "db"}}));
  EXPECT_EQ(approved->decided_by(), "otto");
  // Another key has no part in it; the token may have expired meanwhile.
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("t", "k2", "h1")));
  EXPECT_EQ(Ask("t", "k1", At(200))->pending_id, "");
  EXPECT_TRUE(Enroll("t", "k1", "h1", At(200)).ok());
  EXPECT_EQ(LabelsOf(store_->hosts().Get("h1")->labels()),
            (Labels{{"env", "prod"}, {"tier", "db"}}));
  // Once; but who asks again is found.
  EXPECT_TRUE(absl::IsAborted(Enroll("t", "k1", "h2", At(200))));
  EXPECT_EQ(Ask("t", "k1", At(300))->host_id, "h1");
  EXPECT_TRUE(enrollment().ListEnrollments(At(3))->empty());
  EXPECT_EQ(enrollment().ListTokens()->front().use_count(), 1);
}

TEST_F(EnrollmentQueueTest, EachRequestTakesAUse) {
  ASSERT_TRUE(Create("t", 2, true).ok());
  ASSERT_TRUE(Ask("t", "k1").ok());
  ASSERT_TRUE(Ask("t", "k2").ok());
  const auto third = Ask("t", "k3");
  EXPECT_TRUE(absl::IsUnauthenticated(third.status())) << third.status();
  EXPECT_TRUE(absl::StrContains(third.status().message(), "exhausted")) << third.status();
  EXPECT_TRUE(Ask("t", "k1").ok());
}

TEST_F(EnrollmentQueueTest, ARejectedKeyStaysRejected) {
  ASSERT_TRUE(Create("t", 2, true).ok());
  ASSERT_TRUE(Ask("t", "k1").ok());
  for (int i = 0; i < 2; ++i) {
    const auto rejected = Decide("e-1", v1::Enrollment::REJECTED);
    ASSERT_TRUE(rejected.ok()) << rejected.status();
    EXPECT_EQ(rejected->state(), v1::Enrollment::REJECTED);
  }
  EXPECT_TRUE(absl::IsPermissionDenied(Ask("t", "k1").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Decide("e-1", v1::Enrollment::APPROVED).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("t", "k1", "h1")));
  // An approval that was not used yet can be taken back.
  ASSERT_TRUE(Ask("t", "k2").ok());
  ASSERT_TRUE(Decide("e-3", v1::Enrollment::APPROVED).ok());
  ASSERT_TRUE(Decide("e-3", v1::Enrollment::REJECTED).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("t", "k2", "h1")));
}

TEST_F(EnrollmentQueueTest, WhatWaitsExpires) {
  ASSERT_TRUE(Create("t", 2, true).ok());
  ASSERT_TRUE(Ask("t", "k1").ok());
  EXPECT_TRUE(enrollment().ListEnrollments(At(1001))->empty());
  EXPECT_TRUE(absl::IsNotFound(Decide("e-1", v1::Enrollment::APPROVED, {}, At(1001)).status()));
  EXPECT_TRUE(absl::IsNotFound(Decide("e-9", v1::Enrollment::APPROVED).status()));
  // Approved in time and not come for in time.
  ASSERT_TRUE(Decide("e-1", v1::Enrollment::APPROVED, {}, At(1000)).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("t", "k1", "h1", At(2000))));
  EXPECT_TRUE(absl::IsUnauthenticated(Ask("t", "k1", At(2000)).status()));
}

TEST_F(EnrollmentQueueTest, ARevokedTokenLetsNobodyInWhoWaited) {
  ASSERT_TRUE(Create("t", 2, true).ok());
  ASSERT_TRUE(Ask("t", "k1").ok());
  ASSERT_TRUE(Decide("e-1", v1::Enrollment::APPROVED).ok());
  ASSERT_TRUE(enrollment().RevokeToken("t").ok());
  EXPECT_TRUE(enrollment().ListEnrollments(At(3))->empty());
  EXPECT_TRUE(absl::IsUnauthenticated(Ask("t", "k1").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("t", "k1", "h1")));
}

TEST_F(EnrollmentQueueTest, TheQueueIsBounded) {
  ASSERT_TRUE(Create("t", 2000, true).ok());
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Ask("t", absl::StrCat("k", i)).ok()) << i;
  EXPECT_TRUE(absl::IsResourceExhausted(Ask("t", "one more").status()));
  EXPECT_EQ(enrollment().ListTokens()->front().use_count(), 1000);
  EXPECT_TRUE(Ask("t", "k7").ok());
  // Expired ones make room.
  ASSERT_TRUE(Create("later", 1, true).ok());
  Sql("UPDATE enrollment_token SET expires = '2100-01-01' WHERE id = 'later'");
  EXPECT_TRUE(Ask("later", "one more", At(1001)).ok());
}

TEST_F(EnrollmentQueueTest, WhoCannotWaitIsToldSo) {
  ASSERT_TRUE(Create("t", 2, true).ok());
  const auto ticket =
      enrollment().Ask({.secret_hash = "hash of t", .key = "k", .id = "e-1"}, At(1), At(2));
  EXPECT_TRUE(absl::IsFailedPrecondition(ticket.status())) << ticket.status();
  EXPECT_EQ(enrollment().ListTokens()->front().use_count(), 0);
}

TEST_F(EnrollmentQueueTest, AnOrdinaryTokenNeedsNoApproval) {
  ASSERT_TRUE(Create("t", 1, false).ok());
  const auto ticket = Ask("t", "k1");
  ASSERT_TRUE(ticket.ok()) << ticket.status();
  EXPECT_EQ(ticket->pending_id, "");
  EXPECT_EQ(ticket->host_id, "");
  EXPECT_EQ(enrollment().ListTokens()->front().use_count(), 0);
  EXPECT_TRUE(absl::IsUnauthenticated(Ask("t", "k1", At(100)).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Ask("none", "k1").status()));
}

TEST_F(EnrollmentQueueTest, LabelsOfEnrolmentHoldOverWhatTheCollectorSays) {
  ASSERT_TRUE(Create("t", 1, false, {{"env", "prod"}}).ok());
  ASSERT_TRUE(Enroll("t", "k", "h1").ok());
  EXPECT_EQ(LabelsOf(store_->hosts().Get("h1")->labels()), (Labels{{"env", "prod"}}));
  ASSERT_TRUE(Begin("h1", {{"env", "dev"}, {"rack", "7"}}).ok());
  EXPECT_EQ(LabelsOf(store_->hosts().Get("h1")->labels()),
            (Labels{{"env", "prod"}, {"rack", "7"}}));
  ASSERT_TRUE(Begin("h1", {}).ok());
  EXPECT_EQ(LabelsOf(store_->hosts().Get("h1")->labels()), (Labels{{"env", "prod"}}));
}

TEST_F(EnrollmentQueueTest, AHostEnrolsAgainAndKeepsItsId) {
  ASSERT_TRUE(Create("t", 1, false, {{"env", "prod"}}).ok());
  ASSERT_TRUE(Enroll("t", "k1", "h1").ok());
  const auto lease = Begin("h1", {{"rack", "7"}});
  ASSERT_TRUE(lease.ok()) << lease.status();
  ASSERT_TRUE(enrollment().RevokeHost("h1", "stolen", At(20)).ok());
  ASSERT_TRUE(Create("again", 1, false, {{"env", "test"}}, "h1").ok());
  EXPECT_EQ(Ask("again", "k2")->host_id, "h1");

  // Not for another host.
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("again", "k2", "h2")));
  ASSERT_TRUE(Enroll("again", "k2", "h1").ok());
  EXPECT_TRUE(absl::IsUnauthenticated(enrollment().CheckCertificate("serial h1 k1", "h1")));
  // A renewal that had looked at its certificate just before.
  EXPECT_TRUE(absl::IsUnauthenticated(
      enrollment().RecordCertificate({"late", "h1", At(30), At(900)}, "serial h1 k1")));
  EXPECT_TRUE(enrollment().CheckCertificate("serial h1 k2", "h1").ok());
  auto host = store_->hosts().Get("h1");
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->connection(), v1::Host::DISCONNECTED);
  EXPECT_EQ(LabelsOf(host->labels()), (Labels{{"env", "test"}, {"rack", "7"}}));
  EXPECT_EQ(TimeOf(host->enroll_time()), At(5));
  // The session of before is nobody's: what it ends is not the next one's.
  const auto next = Begin("h1", {});
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_GT(next->epoch, lease->epoch);
  // Once.
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("again", "k3", "h1")));
}

TEST_F(EnrollmentQueueTest, WhoAsksAgainWithTokenAndKeyIsFoundWhileWelcome) {
  const struct {
    const char* name;
    std::function<absl::Status()> before;
    const char* key;
    absl::Time now;
    bool found;
  } cases[] = {
      {"at-once", [] { return absl::OkStatus(); }, "k1", At(6), true},
      {"token-expired", [] { return absl::OkStatus(); }, "k1", At(200), true},
      {"a-day-later", [] { return absl::OkStatus(); }, "k1", At(5) + absl::Hours(24), false},
      {"another-key", [] { return absl::OkStatus(); }, "k2", At(6), false},
      {"token-revoked", [&] { return enrollment().RevokeToken("token-revoked").status(); }, "k1",
       At(6), false},
      {"host-revoked", [&] { return enrollment().RevokeHost("host-revoked", "", At(6)); }, "k1",
       At(7), false},
      {"host-removed", [&] { return store_->hosts().Remove("host-removed", "", At(6)); }, "k1",
       At(7), false},
      {"enrolled-again",
       [&] {
         EXPECT_TRUE(Create("other", 1, false, {}, "enrolled-again").ok());
         return Enroll("other", "k3", "enrolled-again", At(6));
       },
       "k1", At(7), false}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_TRUE(Create(c.name, 1, false).ok());
    ASSERT_TRUE(Enroll(c.name, "k1", c.name).ok());
    const absl::Status before = c.before();
    ASSERT_TRUE(before.ok()) << before;
    const auto ticket = Ask(c.name, c.key, c.now);
    if (c.found) {
      ASSERT_TRUE(ticket.ok()) << ticket.status();
      EXPECT_EQ(ticket->host_id, c.name);
      EXPECT_EQ(ticket->enrolled_serial, absl::StrCat("serial ", c.name, " k1"));
      EXPECT_TRUE(absl::IsAborted(Enroll(c.name, c.key, "second", c.now)));
    } else {
      EXPECT_TRUE(absl::IsUnauthenticated(ticket.status())) << ticket.status();
      EXPECT_TRUE(absl::IsUnauthenticated(Enroll(c.name, c.key, "second", c.now)));
    }
  }
  for (const auto& token : *enrollment().ListTokens()) EXPECT_EQ(token.use_count(), 1);
}

TEST_F(EnrollmentQueueTest, ACertificateOfBeforeIsNotRenewedOnceTheHostEnrolledAgain) {
  ASSERT_TRUE(Create("t", 1, false).ok());
  ASSERT_TRUE(Enroll("t", "k1", "h1").ok());
  ASSERT_TRUE(Create("again", 1, false, {}, "h1").ok());
  // Checked before, recorded after.
  ASSERT_TRUE(enrollment().CheckCertificate("serial h1 k1", "h1").ok());
  ASSERT_TRUE(Enroll("again", "k2", "h1").ok());
  const CertificateRecord next = {"next", "h1", At(6), At(5000)};
  for (const char* presented : {"serial h1 k1", "none", ""}) {
    EXPECT_TRUE(absl::IsUnauthenticated(enrollment().RecordCertificate(next, presented)))
        << presented;
  }
  EXPECT_TRUE(absl::IsUnauthenticated(enrollment().CheckCertificate("next", "h1")));
  EXPECT_TRUE(enrollment().RecordCertificate(next, "serial h1 k2").ok());
}

TEST_F(EnrollmentQueueTest, EnrollingAgainEndsAQuarantine) {
  ASSERT_TRUE(Create("t", 1, false).ok());
  ASSERT_TRUE(Enroll("t", "k1", "h1").ok());
  SessionStart start;
  start.host_id = "h1";
  start.time = At(10);
  start.certificate_not_before = At(30);
  ASSERT_TRUE(store_->hosts().BeginSession(start).ok());
  start.certificate_not_before = At(20);
  ASSERT_TRUE(absl::IsFailedPrecondition(store_->hosts().BeginSession(start).status()));
  ASSERT_TRUE(Create("again", 1, false, {}, "h1").ok());
  ASSERT_TRUE(Enroll("again", "k2", "h1").ok());
  EXPECT_TRUE(store_->hosts().BeginSession(start).ok());
}

TEST_F(EnrollmentQueueTest, ARemovedHostDoesNotComeBack) {
  ASSERT_TRUE(Create("t", 1, false).ok());
  ASSERT_TRUE(Enroll("t", "k1", "h1").ok());
  ASSERT_TRUE(Create("before", 1, false, {}, "h1").ok());
  ASSERT_TRUE(store_->hosts().Remove("h1", "scrapped", At(2)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Create("after", 1, false, {}, "h1")));
  EXPECT_TRUE(absl::IsPermissionDenied(Enroll("before", "k2", "h1")));
}

}  // namespace
}  // namespace plimsoll::store
