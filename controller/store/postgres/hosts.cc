#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/store/host_store.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

#define PLIMSOLL_HOST_COLUMNS                                                         \
  "SELECT id, hostname, labels, collector_version, engine_version, operating_system," \
  " container_count, clock_skew_us, connected, micros(enrolled), micros(last_seen),"  \
  " micros(observed), revoked IS NOT NULL FROM host "

constexpr Statement kList = {"hosts_list", PLIMSOLL_HOST_COLUMNS
                             "WHERE (hostname, id) > ($1, $2)"
                             " AND labels @> jsonb_object($3::text[], $4::text[])"
                             " AND ($5 = '' OR position(lower($5) IN lower(hostname)) > 0)"
                             " ORDER BY hostname, id LIMIT $6"};
constexpr Statement kById = {"hosts_by_id", PLIMSOLL_HOST_COLUMNS "WHERE id = $1"};
// Hosts that were let go come last: their name may have been given to a successor.
constexpr Statement kByName = {"hosts_by_name", PLIMSOLL_HOST_COLUMNS
                               "WHERE hostname = $1 ORDER BY revoked IS NOT NULL, id LIMIT 20"};
#undef PLIMSOLL_HOST_COLUMNS

constexpr Statement kCounts = {
    "hosts_counts",
    "SELECT host_id, baseline_id, pass_count, fail_count, unknown_count, not_applicable_count,"
    " manual_count FROM host_report WHERE host_id = ANY($1::text[])"};
constexpr Statement kBegin = {
    "hosts_begin",
    "UPDATE host SET hostname = $2, collector_version = $3, engine_id = $4, boot_id = $5,"
    " labels = jsonb_object($6::text[], $7::text[]), clock_skew_us = $8, connected = true,"
    " last_seen = greatest(last_seen, $9::timestamptz)"
    " WHERE id = $1 AND revoked IS NULL"};
constexpr Statement kExists = {"hosts_exists",
                               "SELECT revoked IS NOT NULL FROM host WHERE id = $1"};
constexpr Statement kEnd = {
    "hosts_end",
    "UPDATE host SET connected = false, last_seen = greatest(last_seen, $2::timestamptz)"
    " WHERE id = $1"};
constexpr Statement kEndAll = {"hosts_end_all",
                               "UPDATE host SET connected = false WHERE connected"};
// A host whose row is locked is being written by its own report, which moves last_seen too.
constexpr Statement kTouch = {
    "hosts_touch",
    "WITH seen AS ("
    "  SELECT h.id, s.time FROM unnest($1::text[], $2::timestamptz[]) AS s(id, time)"
    "  JOIN host h ON h.id = s.id ORDER BY h.id FOR UPDATE OF h SKIP LOCKED)"
    " UPDATE host SET last_seen = greatest(last_seen, seen.time) FROM seen"
    " WHERE host.id = seen.id"};

v1::Host HostOf(const pqxx::row& row) {
  v1::Host host;
  // The column is JSON that PostgreSQL wrote: an object of strings.
  google::protobuf::util::JsonStringToMessage(absl::StrCat("{\"labels\":", TextOf(row[2]), "}"),
                                              &host);
  host.set_id(TextOf(row[0]));
  host.set_hostname(TextOf(row[1]));
  host.set_collector_version(TextOf(row[3]));
  host.set_engine_version(TextOf(row[4]));
  host.set_operating_system(TextOf(row[5]));
  host.set_container_count(row[6].as<int32_t>());
  *host.mutable_clock_skew() =
      google::protobuf::util::TimeUtil::MicrosecondsToDuration(row[7].as<int64_t>());
  *host.mutable_enroll_time() = TimestampOf(TimeOf(row[9]));
  if (!row[10].is_null()) *host.mutable_last_seen_time() = TimestampOf(TimeOf(row[10]));
  if (!row[11].is_null()) *host.mutable_observed_time() = TimestampOf(TimeOf(row[11]));
  host.set_connection(row[12].as<bool>()  ? v1::Host::REVOKED
                      : row[8].as<bool>() ? v1::Host::CONNECTED
                      : row[10].is_null() ? v1::Host::NEVER_SEEN
                                          : v1::Host::DISCONNECTED);
  return host;
}

// Hosts of `rows` with their counts by baseline.
std::vector<v1::Host> HostsOf(Transaction& tx, const pqxx::result& rows) {
  std::vector<v1::Host> hosts;
  std::vector<std::string> ids;
  absl::flat_hash_map<std::string, size_t> places;
  for (const pqxx::row& row : rows) {
    hosts.push_back(HostOf(row));
    ids.push_back(hosts.back().id());
    places[ids.back()] = hosts.size() - 1;
  }
  if (hosts.empty()) return hosts;
  for (const pqxx::row& row : tx.Exec(kCounts, TextArray(ids))) {
    v1::StatusCounts& counts = (*hosts[places[TextOf(row[0])]].mutable_counts())[TextOf(row[1])];
    counts.set_pass(row[2].as<int32_t>());
    counts.set_fail(row[3].as<int32_t>());
    counts.set_unknown(row[4].as<int32_t>());
    counts.set_not_applicable(row[5].as<int32_t>());
    counts.set_manual(row[6].as<int32_t>());
  }
  return hosts;
}

absl::Status NoSuchHost(const std::string& host) {
  return absl::NotFoundError(absl::StrCat("no host \"", Text(host, 256), "\""));
}

}  // namespace

absl::StatusOr<std::vector<v1::Host>> HostStore::List(const HostQuery& query) {
  return pool_.Transact(
      "list hosts", [&query](Transaction& tx) -> absl::StatusOr<std::vector<v1::Host>> {
        return HostsOf(tx, tx.ExecPlanned(kList, Text(query.after_hostname), Text(query.after_id),
                                          KeyArray(query.labels), ValueArray(query.labels),
                                          Text(query.name_contains), std::max(query.limit, 0)));
      });
}

absl::StatusOr<v1::Host> HostStore::Get(const std::string& id_or_name) {
  return pool_.Transact("get a host", [&](Transaction& tx) -> absl::StatusOr<v1::Host> {
    pqxx::result rows = tx.Exec(kById, Text(id_or_name));
    if (rows.empty()) rows = tx.Exec(kByName, Text(id_or_name));
    if (rows.empty()) return NoSuchHost(id_or_name);
    std::vector<v1::Host> hosts = HostsOf(tx, rows);
    const bool successor = hosts[0].connection() != v1::Host::REVOKED && hosts.size() > 1 &&
                           hosts[1].connection() == v1::Host::REVOKED;
    if (hosts.size() == 1 || successor) return hosts[0];
    return absl::FailedPreconditionError(absl::StrCat(
        "several hosts are named \"", Text(id_or_name, 256),
        "\"; use an id: ", absl::StrJoin(hosts, ", ", [](std::string* out, const v1::Host& host) {
          absl::StrAppend(out, host.id());
        })));
  });
}

absl::Status HostStore::BeginSession(const SessionStart& start) {
  return pool_.Transact("begin a session", [&start](Transaction& tx) -> absl::Status {
    const pqxx::result updated = tx.Exec(
        kBegin, start.host_id, Text(start.hostname, 255), Text(start.collector_version, 255),
        Text(start.engine_id, 255), Text(start.boot_id, 255), KeyArray(start.labels),
        ValueArray(start.labels), absl::ToInt64Microseconds(start.clock_skew), Time(start.time));
    if (updated.affected_rows() == 1) return absl::OkStatus();
    if (tx.Exec(kExists, start.host_id).empty()) return NoSuchHost(start.host_id);
    return absl::PermissionDeniedError(absl::StrCat("host ", start.host_id, " is revoked"));
  });
}

absl::Status HostStore::EndSession(const std::string& host_id, absl::Time time) {
  return pool_.Transact("end a session", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kEnd, host_id, Time(time)).affected_rows() == 0) return NoSuchHost(host_id);
    return absl::OkStatus();
  });
}

absl::Status HostStore::EndAllSessions() {
  return pool_.Transact("end all sessions", [](Transaction& tx) {
    tx.Exec(kEndAll);
    return absl::OkStatus();
  });
}

absl::Status HostStore::Touch(const std::map<std::string, absl::Time>& last_seen) {
  if (last_seen.empty()) return absl::OkStatus();
  std::vector<std::string> ids;
  std::vector<std::string> times;
  for (const auto& [id, time] : last_seen) {
    ids.push_back(id);
    times.push_back(Time(time));
  }
  return pool_.Transact("touch hosts", [&](Transaction& tx) {
    tx.Exec(kTouch, TextArray(ids), TextArray(times));
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
