// EnrollmentStore: hosts that ask, and wait for approval.
#include "absl/strings/str_cat.h"
#include "controller/store/enrollment_store.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/enrollment_rows.h"
#include "controller/store/postgres/host_rows.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

// Requests of all tokens that are not expired, decided or not.
constexpr int kMostEnrollments = 1000;

#define PLIMSOLL_ENROLLMENT                                                    \
  "e.id, e.state, e.token_id, e.hostname, e.peer, e.key, micros(e.requested)," \
  " micros(e.expires), t.labels || e.labels, t.host_id, e.decided_by, micros(e.decided)"
constexpr Statement kList = {"enrollment_queue_list",
                             "SELECT " PLIMSOLL_ENROLLMENT
                             " FROM enrollment e JOIN enrollment_token t ON t.id = e.token_id"
                             " WHERE e.expires > $1::timestamptz ORDER BY e.requested DESC, e.id"};
// 3, rejected, is never approved again.
constexpr Statement kDecide = {
    "enrollment_queue_decide",
    "UPDATE enrollment e SET state = $2, labels = jsonb_object($3::text[], $4::text[]),"
    " decided_by = $5, decided = $6, expires = $7 FROM enrollment_token t"
    " WHERE e.id = $1 AND t.id = e.token_id AND e.expires > $6::timestamptz"
    " AND (e.state <> 3 OR $2 = 3) RETURNING " PLIMSOLL_ENROLLMENT};
#undef PLIMSOLL_ENROLLMENT
constexpr Statement kExists = {
    "enrollment_queue_exists",
    "SELECT FROM enrollment WHERE id = $1 AND expires > $2::timestamptz"};
// Requests with one token come one after the other.
constexpr Statement kLockToken = {"enrollment_queue_lock_token",
                                  "SELECT FROM enrollment_token WHERE id = $1 FOR NO KEY UPDATE"};
constexpr Statement kFind = {"enrollment_queue_find",
                             "SELECT id, state FROM enrollment WHERE token_id = $1 AND key = $2"
                             " AND expires > $3::timestamptz"};
constexpr Statement kDropExpired = {"enrollment_queue_drop_expired",
                                    "DELETE FROM enrollment WHERE expires <= $1::timestamptz"};
constexpr Statement kCount = {"enrollment_queue_count", "SELECT count(*) FROM enrollment"};
constexpr Statement kInsert = {
    "enrollment_queue_insert",
    "INSERT INTO enrollment (id, token_id, key, state, hostname, peer, requested, expires)"
    " VALUES ($1, $2, $3, 1, $4, $5, $6, $7)"};

v1::Enrollment EnrollmentOf(const pqxx::row& row) {
  v1::Enrollment enrollment;
  enrollment.set_id(TextOf(row[0]));
  enrollment.set_state(static_cast<v1::Enrollment::State>(row[1].as<int>()));
  enrollment.set_token_id(TextOf(row[2]));
  enrollment.set_hostname(TextOf(row[3]));
  enrollment.set_peer(TextOf(row[4]));
  enrollment.set_key_fingerprint(TextOf(row[5]));
  *enrollment.mutable_request_time() = TimestampOf(TimeOf(row[6]));
  *enrollment.mutable_expire_time() = TimestampOf(TimeOf(row[7]));
  ParseLabels(TextOf(row[8]), *enrollment.mutable_labels());
  enrollment.set_host_id(TextOf(row[9]));
  enrollment.set_decided_by(TextOf(row[10]));
  if (!row[11].is_null()) *enrollment.mutable_decide_time() = TimestampOf(TimeOf(row[11]));
  return enrollment;
}

absl::Status BeginToWait(Transaction& tx, const EnrollmentRequest& request,
                         const std::string& token_id, absl::Time now, absl::Time expires) {
  if (!request.can_wait) {
    return absl::FailedPreconditionError(
        "this token needs an operator's approval, for which this collector is too old; upgrade it");
  }
  tx.Exec(kDropExpired, Time(now));
  if (tx.Exec(kCount)[0][0].as<int>() >= kMostEnrollments) {
    return absl::ResourceExhaustedError("too many hosts wait for approval; try again later");
  }
  if (TakeUse(tx, request.secret_hash, now).empty()) return WhyNot(tx, request.secret_hash);
  tx.Exec(kInsert, request.id, token_id, request.key, Text(request.hostname, 255),
          Text(request.peer, 255), Time(now), Time(expires));
  return absl::OkStatus();
}

// Whether the answer to an earlier enrolment may have been lost, and then `ticket` is for that one.
// To be asked after what that enrolment took away was looked for: they went in one transaction.
bool WasEnrolled(Transaction& tx, const EnrollmentRequest& request, absl::Time now,
                 EnrollmentTicket& ticket) {
  const pqxx::result rows = FindEnrolled(tx, request.secret_hash, request.key, now);
  if (rows.empty()) return false;
  ticket.host_id = TextOf(rows[0][0]);
  ticket.enrolled_serial = TextOf(rows[0][1]);
  return true;
}

}  // namespace

absl::StatusOr<EnrollmentTicket> EnrollmentStore::Ask(const EnrollmentRequest& request,
                                                      absl::Time now, absl::Time expires) {
  return pool_.Transact("ask to enrol", [&](Transaction& tx) -> absl::StatusOr<EnrollmentTicket> {
    const pqxx::result tokens = FindToken(tx, request.secret_hash, now);
    if (tokens.empty()) return WhyNot(tx, request.secret_hash);
    const std::string token_id = TextOf(tokens[0][0]);
    const bool usable = tokens[0][3].as<bool>();
    const bool revoked = tokens[0][4].as<bool>();
    EnrollmentTicket ticket;
    ticket.host_id = TextOf(tokens[0][2]);
    if (!tokens[0][1].as<bool>()) {
      if (WasEnrolled(tx, request, now, ticket)) return ticket;
      if (!usable) return WhyNot(tx, request.secret_hash);
      return ticket;
    }
    if (revoked) return WhyNot(tx, request.secret_hash);
    tx.Exec(kLockToken, token_id);
    const pqxx::result found = tx.Exec(kFind, token_id, request.key, Time(now));
    if (found.empty()) {
      if (WasEnrolled(tx, request, now, ticket)) return ticket;
      const absl::Status waits = BeginToWait(tx, request, token_id, now, expires);
      if (!waits.ok()) return waits;
      ticket.pending_id = request.id;
      ticket.is_new = true;
      return ticket;
    }
    switch (found[0][1].as<int>()) {
      case v1::Enrollment::APPROVED:
        return ticket;
      case v1::Enrollment::REJECTED:
        return absl::PermissionDeniedError(
            absl::StrCat("an operator rejected this enrolment (", TextOf(found[0][0]), ")"));
      default:
        ticket.pending_id = TextOf(found[0][0]);
        return ticket;
    }
  });
}

absl::StatusOr<std::vector<v1::Enrollment>> EnrollmentStore::ListEnrollments(absl::Time now) {
  return pool_.Transact("list enrolments",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::Enrollment>> {
                          std::vector<v1::Enrollment> enrollments;
                          for (const pqxx::row& row : tx.Exec(kList, Time(now))) {
                            enrollments.push_back(EnrollmentOf(row));
                          }
                          return enrollments;
                        });
}

absl::StatusOr<v1::Enrollment> EnrollmentStore::Decide(const v1::Enrollment& decision,
                                                       absl::Time now, absl::Time expires) {
  const std::map<std::string, std::string> labels(decision.labels().begin(),
                                                  decision.labels().end());
  return pool_.Transact(
      "decide about an enrolment", [&](Transaction& tx) -> absl::StatusOr<v1::Enrollment> {
        const pqxx::result rows = tx.Exec(
            kDecide, Text(decision.id()), static_cast<int>(decision.state()), KeyArray(labels),
            ValueArray(labels), Text(decision.decided_by(), 255), Time(now), Time(expires));
        if (!rows.empty()) return EnrollmentOf(rows[0]);
        if (tx.Exec(kExists, Text(decision.id()), Time(now)).empty()) {
          return absl::NotFoundError(
              absl::StrCat("no enrolment \"", Text(decision.id(), 256), "\" waits"));
        }
        return absl::FailedPreconditionError(
            absl::StrCat("enrolment ", Text(decision.id(), 256),
                         " was rejected; the host has to ask again with another token"));
      });
}

}  // namespace plimsoll::store
