// HostStore: reading and letting go of hosts. Their sessions are in sessions.cc.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/store/host_store.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/host_rows.h"
#include "controller/store/postgres/report_rows.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

constexpr Statement kById = {"hosts_by_id",
                             "SELECT " PLIMSOLL_HOST_COLUMNS PLIMSOLL_HOST_FROM "WHERE h.id = $1"};
// Hosts that were revoked come last: their name may have been given to a successor.
constexpr Statement kByName = {"hosts_by_name", "SELECT " PLIMSOLL_HOST_COLUMNS PLIMSOLL_HOST_FROM
                                                "WHERE h.hostname = $1 AND h.removed IS NULL"
                                                " ORDER BY h.revoked IS NOT NULL, h.id LIMIT 20"};
constexpr Statement kCounts = {
    "hosts_counts",
    "SELECT baseline_id, pass_count, fail_count, unknown_count, not_applicable_count, manual_count,"
    " waived_count FROM host_report WHERE host_id = $1"};

// The session, if there is one, is fenced off.
constexpr Statement kRemove = {
    "hosts_remove",
    "UPDATE host SET removed = $2, remove_reason = $3, connected = false,"
    " session_epoch = session_epoch + 1, changed = pg_current_xact_id()"
    " WHERE id = $1 AND removed IS NULL"};
constexpr Statement kExists = {"hosts_exists", "SELECT FROM host WHERE id = $1"};
constexpr Statement kRemoveUnseen = {
    "hosts_remove_unseen",
    "WITH unseen AS ("
    "  SELECT id FROM host WHERE removed IS NULL AND NOT connected"
    "  AND coalesce(last_seen, enrolled) < $1::timestamptz ORDER BY id FOR NO KEY UPDATE)"
    " UPDATE host SET removed = $2, remove_reason = $3, connected = false,"
    " session_epoch = session_epoch + 1, changed = pg_current_xact_id()"
    " FROM unseen WHERE host.id = unseen.id RETURNING host.id"};
constexpr Statement kRelease = {
    "hosts_release",
    "UPDATE host SET quarantined = NULL, quarantine_reason = '', earlier_boot_ids = '{}',"
    " certificate_not_before = NULL, changed = pg_current_xact_id()"
    " WHERE id = $1 AND quarantined IS NOT NULL"};

absl::Status NoSuchHost(const std::string& host) {
  return absl::NotFoundError(absl::StrCat("no host \"", Text(host, 256), "\""));
}

void FillCounts(Transaction& tx, v1::Host& host) {
  for (const pqxx::row& row : tx.Exec(kCounts, host.id())) {
    (*host.mutable_counts())[TextOf(row[0])] = CountsOf(row, 1);
  }
}

}  // namespace

absl::StatusOr<v1::Host> HostStore::Get(const std::string& id_or_name) {
  return pool_.Transact("get a host", [&](Transaction& tx) -> absl::StatusOr<v1::Host> {
    pqxx::result rows = tx.Exec(kById, Text(id_or_name));
    if (rows.empty()) rows = tx.Exec(kByName, Text(id_or_name));
    if (rows.empty()) return NoSuchHost(id_or_name);
    std::vector<v1::Host> hosts;
    for (const pqxx::row& row : rows) hosts.push_back(HostOf(row));
    const bool successor = hosts[0].connection() != v1::Host::REVOKED && hosts.size() > 1 &&
                           hosts[1].connection() == v1::Host::REVOKED;
    if (hosts.size() == 1 || successor) {
      FillCounts(tx, hosts[0]);
      return hosts[0];
    }
    return absl::FailedPreconditionError(absl::StrCat(
        "several hosts are named \"", Text(id_or_name, 256),
        "\"; use an id: ", absl::StrJoin(hosts, ", ", [](std::string* out, const v1::Host& host) {
          absl::StrAppend(out, host.id());
        })));
  });
}

absl::Status HostStore::Remove(const std::string& host_id, const std::string& reason,
                               absl::Time now) {
  return pool_.Transact("remove a host", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kRemove, Text(host_id), Time(now), Text(reason, 512)).affected_rows() == 1) {
      AnnounceHosts(tx, {host_id});
      return absl::OkStatus();
    }
    return tx.Exec(kExists, Text(host_id)).empty() ? NoSuchHost(host_id) : absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> HostStore::RemoveUnseen(absl::Time before,
                                                                 const std::string& reason,
                                                                 absl::Time now) {
  return pool_.Transact("remove unseen hosts",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
                          std::vector<std::string> ids;
                          for (const pqxx::row& row :
                               tx.Exec(kRemoveUnseen, Time(before), Time(now), Text(reason, 512))) {
                            ids.push_back(TextOf(row[0]));
                          }
                          AnnounceHosts(tx, ids);
                          return ids;
                        });
}

absl::Status HostStore::Release(const std::string& host_id) {
  return pool_.Transact("release a host", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kRelease, Text(host_id)).affected_rows() == 1) {
      AnnounceHosts(tx, {host_id});
      return absl::OkStatus();
    }
    if (tx.Exec(kExists, Text(host_id)).empty()) return NoSuchHost(host_id);
    return absl::FailedPreconditionError(absl::StrCat("host ", host_id, " is not quarantined"));
  });
}

}  // namespace plimsoll::store
