// HostStore: sessions of collectors, and who may have one.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/store/host_store.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/host_rows.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

// Sessions come and go by the thousand when a controller starts, and what they write may be lost in
// a crash of the database: the collector's next write finds its lease gone and it connects again.
// So their commits do not wait for the disk; set_config lasts for the transaction.
constexpr Statement kLock = {
    "sessions_lock",
    "SELECT revoked IS NOT NULL, removed IS NOT NULL, quarantined IS NOT NULL, quarantine_reason,"
    " boot_id, $2 = ANY(earlier_boot_ids), micros(certificate_not_before), sequence, facts_digest,"
    " chain, micros(full_recorded), set_config('synchronous_commit', 'off', true)"
    " FROM host WHERE id = $1 FOR NO KEY UPDATE"};
// Epochs are times, so that one which a crash of the database forgot is not given again. $12: how
// many boot ids are remembered.
constexpr Statement kBegin = {
    "sessions_begin",
    "UPDATE host SET hostname = $2, collector_version = $3, engine_id = $4,"
    " earlier_boot_ids = CASE WHEN boot_id IN ('', $5) OR $5 = '' THEN earlier_boot_ids"
    "   ELSE (earlier_boot_ids || boot_id)["
    "     greatest(cardinality(earlier_boot_ids) + 2 - $12::integer, 1):] END,"
    " boot_id = CASE WHEN $5 = '' THEN boot_id ELSE $5 END, clock_skew_us = $8,"
    " labels = " PLIMSOLL_LABELS("jsonb_object($6::text[], $7::text[])") ","
    " certificate_serial = CASE WHEN $14 = '' THEN certificate_serial ELSE $14 END,"
    " certificate_not_before = greatest(certificate_not_before, $9::timestamptz),"
    " connected = true, session_controller = $10,"
    " session_epoch = greatest(session_epoch + 1, micros(clock_timestamp())),"
    " last_seen = greatest(last_seen, $11::timestamptz), changed = pg_current_xact_id()"
    " WHERE id = $1 RETURNING session_epoch, pg_notify($13, id),"
    " (SELECT issuer FROM certificate WHERE serial = $14),"
    " (SELECT bundle FROM certificate WHERE serial = $14)"};
// Nobody has the lease from now on.
constexpr Statement kQuarantine = {
    "sessions_quarantine",
    "UPDATE host SET quarantined = $2, quarantine_reason = $3, connected = false,"
    " session_epoch = session_epoch + 1, changed = pg_current_xact_id() WHERE id = $1"
    " RETURNING pg_notify($4, id)"};
constexpr Statement kEnd = {
    "sessions_end",
    "UPDATE host SET connected = false, last_seen = greatest(last_seen, $3::timestamptz),"
    " changed = pg_current_xact_id() WHERE id = $1 AND session_epoch = $2 AND connected"
    " RETURNING pg_notify($4, id), set_config('synchronous_commit', 'off', true)"};
constexpr Statement kExists = {"sessions_host_exists", "SELECT FROM host WHERE id = $1"};
// A host whose row is locked is being written by its own report, which moves last_seen too, or by
// who takes the lease. A lock is a write as well: rows with nothing to say are left alone.
constexpr Statement kTouch = {
    "sessions_touch",
    "WITH seen AS ("
    "  SELECT h.id, s.time, h.connected AND h.session_epoch = s.epoch AS has_lease"
    "  FROM unnest($1::text[], $2::timestamptz[], $3::bigint[]) AS s(id, time, epoch)"
    "  JOIN host h ON h.id = s.id WHERE h.last_seen IS NULL OR h.last_seen < s.time"
    "   OR NOT h.connected OR h.session_epoch <> s.epoch"
    "  ORDER BY h.id FOR NO KEY UPDATE OF h SKIP LOCKED),"
    " touched AS ("
    "  UPDATE host SET last_seen = greatest(last_seen, seen.time) FROM seen"
    "  WHERE host.id = seen.id AND seen.has_lease)"
    " SELECT id FROM seen WHERE NOT has_lease"};

constexpr int kMaximumBootIds = 32;

absl::Status NoSuchHost(const std::string& host) {
  return absl::NotFoundError(absl::StrCat("no host \"", Text(host, 256), "\""));
}

// Why this must be a second machine with the host's identity; empty: it need not be.
std::string CloneEvidence(const SessionStart& start, const pqxx::row& host) {
  const std::string boot_id = Text(start.boot_id, 255);
  if (!boot_id.empty() && boot_id != TextOf(host[4]) && host[5].as<bool>()) {
    return absl::StrCat("boot ", boot_id, " came back after boot ", TextOf(host[4]),
                        ": two machines use this identity; enrol one of them again and release "
                        "the host");
  }
  if (!host[6].is_null() && start.certificate_not_before < TimeOf(host[6])) {
    return absl::StrCat(
        "a certificate of ", Time(start.certificate_not_before), " was used after one of ",
        Time(TimeOf(host[6])),
        ": the disk was cloned or restored; enrol the machine again or release the host");
  }
  return {};
}

absl::Status Quarantined(const std::string& host_id, const std::string& reason) {
  return absl::FailedPreconditionError(absl::StrCat("host ", host_id, " is quarantined: ", reason));
}

StreamState StreamOf(const pqxx::row& host) {
  StreamState stream;
  stream.sequence = host[7].as<uint64_t>();
  stream.facts_digest = BytesOf(host[8]);
  stream.chain = host[9].as<int>();
  stream.full_recorded = TimeOf(host[10]);
  return stream;
}

// What BeginSession leads to: a refusal that is to be committed is no error of the transaction.
struct Begun {
  absl::Status refusal;
  SessionLease lease;
};

absl::StatusOr<Begun> Begin(Transaction& tx, const SessionStart& start) {
  const pqxx::result rows = tx.Exec(kLock, start.host_id, Text(start.boot_id, 255));
  if (rows.empty()) return NoSuchHost(start.host_id);
  const pqxx::row host = rows[0];
  if (host[0].as<bool>() || host[1].as<bool>()) {
    return absl::PermissionDeniedError(
        absl::StrCat("host ", start.host_id, host[1].as<bool>() ? " is removed" : " is revoked"));
  }
  if (host[2].as<bool>()) return Quarantined(start.host_id, TextOf(host[3]));
  const std::string evidence = CloneEvidence(start, host);
  if (!evidence.empty()) {
    tx.ExecScript("SET LOCAL synchronous_commit TO DEFAULT");
    tx.Exec(kQuarantine, start.host_id, Time(start.time), evidence, kHostChannel);
    return Begun{Quarantined(start.host_id, evidence), {}};
  }
  SessionLease lease;
  lease.stream = StreamOf(host);
  const pqxx::row begun =
      tx.Exec(kBegin, start.host_id, Text(start.hostname, 255), Text(start.collector_version, 255),
              Text(start.engine_id, 255), Text(start.boot_id, 255), KeyArray(start.labels),
              ValueArray(start.labels), absl::ToInt64Microseconds(start.clock_skew),
              Time(start.certificate_not_before), Text(start.controller_id), Time(start.time),
              kMaximumBootIds, kHostChannel, Text(start.certificate_serial))[0];
  lease.epoch = begun[0].as<int64_t>();
  lease.trust = {TextOf(begun[2]), TextOf(begun[3])};
  return Begun{absl::OkStatus(), std::move(lease)};
}

}  // namespace

absl::StatusOr<SessionLease> HostStore::BeginSession(const SessionStart& start) {
  absl::StatusOr<Begun> begun =
      pool_.Transact("begin a session", [&start](Transaction& tx) { return Begin(tx, start); });
  if (!begun.ok()) return begun.status();
  if (!begun->refusal.ok()) return begun->refusal;
  return std::move(begun->lease);
}

absl::Status HostStore::EndSession(const std::string& host_id, int64_t epoch,
                                   absl::Time last_heard) {
  return pool_.Transact("end a session", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kEnd, host_id, epoch, Time(last_heard), kHostChannel).affected_rows() == 1) {
      return absl::OkStatus();
    }
    return tx.Exec(kExists, host_id).empty() ? NoSuchHost(host_id) : absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> HostStore::Touch(
    const std::map<std::string, SessionSeen>& seen) {
  std::vector<std::string> lost;
  if (seen.empty()) return lost;
  std::vector<std::string> ids;
  std::vector<std::string> times;
  std::vector<int64_t> epochs;
  for (const auto& [id, session] : seen) {
    ids.push_back(id);
    times.push_back(Time(session.time));
    epochs.push_back(session.epoch);
  }
  return pool_.Transact("touch hosts",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
                          const std::string hosts = TextArray(ids), heard = TextArray(times),
                                            leases = IntArray(epochs);
                          for (const pqxx::row& row : tx.Exec(kTouch, hosts, heard, leases)) {
                            lost.push_back(TextOf(row[0]));
                          }
                          return lost;
                        });
}

}  // namespace plimsoll::store
