// HostStore: labels that are given centrally.
#include <utility>

#include "controller/store/host_store.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/host_rows.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

// $2: keys that are taken away or given anew; $3 and $4: what is given; $5: the keys again, those
// of a manager, and $6 its name for each.
#define PLIMSOLL_CENTRAL_AFTER \
  "((h.central_labels - $2::text[]) || jsonb_object($3::text[], $4::text[]))"
#define PLIMSOLL_MANAGERS_AFTER \
  "((h.label_managers - $2::text[]) || jsonb_object($5::text[], $6::text[]))"
constexpr Statement kLock = {
    "host_labels_lock",
    "SELECT " PLIMSOLL_HOST_COLUMNS ", " PLIMSOLL_LABELS_UNDER(
        PLIMSOLL_CENTRAL_AFTER) ", " PLIMSOLL_CENTRAL_AFTER ", " PLIMSOLL_MANAGERS_AFTER
                                ", h.central_labels <> " PLIMSOLL_CENTRAL_AFTER
                                " OR h.label_managers <> " PLIMSOLL_MANAGERS_AFTER
                                    PLIMSOLL_HOST_FROM
                                "WHERE h.id = ANY($1::text[]) AND h.removed IS NULL ORDER BY h.id "
                                "FOR NO KEY UPDATE OF h"};
constexpr Statement kSet = {"host_labels_set",
                            "UPDATE host h SET central_labels = " PLIMSOLL_CENTRAL_AFTER
                            ", label_managers = " PLIMSOLL_MANAGERS_AFTER
                            ", changed = pg_current_xact_id() WHERE h.id = ANY($1::text[])"};
#undef PLIMSOLL_CENTRAL_AFTER
#undef PLIMSOLL_MANAGERS_AFTER

using LabelMap = google::protobuf::Map<std::string, std::string>;

void TakeOver(const pqxx::field& field, LabelMap& labels) {
  labels.clear();
  ParseLabels(absl::string_view(field.c_str(), field.size()), labels);
}

}  // namespace

absl::StatusOr<std::vector<LabeledHost>> HostStore::SetLabels(
    const std::vector<std::string>& host_ids, const LabelChange& change,
    const std::function<absl::Status(const LabeledHost&)>& check) {
  std::vector<std::string> replaced = change.remove;
  std::map<std::string, std::string> managers;
  for (const auto& [key, value] : change.set) {
    replaced.push_back(key);
    if (!change.managed_by.empty()) managers[key] = change.managed_by;
  }
  const std::string keys = TextArray(replaced);
  const auto run = [&](Transaction& tx, const Statement& statement,
                       const std::vector<std::string>& ids) {
    return tx.Exec(statement, TextArray(ids), keys, KeyArray(change.set), ValueArray(change.set),
                   KeyArray(managers), ValueArray(managers));
  };
  return pool_.Transact(
      "set labels of hosts", [&](Transaction& tx) -> absl::StatusOr<std::vector<LabeledHost>> {
        std::vector<LabeledHost> changed;
        std::vector<std::string> ids;
        for (const pqxx::row& row : run(tx, kLock, host_ids)) {
          LabeledHost host;
          host.before = HostOf(row);
          host.after = host.before;
          TakeOver(row[kHostColumnCount], *host.after.mutable_labels());
          TakeOver(row[kHostColumnCount + 1], *host.after.mutable_central_labels());
          TakeOver(row[kHostColumnCount + 2], *host.after.mutable_label_managers());
          if (auto status = check(host); !status.ok()) return status;
          if (!row[kHostColumnCount + 3].as<bool>()) continue;
          ids.push_back(host.after.id());
          changed.push_back(std::move(host));
        }
        if (ids.empty() || change.validate_only) return changed;
        run(tx, kSet, ids);
        AnnounceHosts(tx, ids);
        return changed;
      });
}

}  // namespace plimsoll::store
