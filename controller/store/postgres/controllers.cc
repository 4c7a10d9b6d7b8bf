// ControllerStore: which controllers live. How long history lives is in retention.cc.
#include "controller/store/controller_store.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

constexpr Statement kBeat = {
    "controllers_beat",
    "INSERT INTO controller (id, name, started, seen) VALUES ($1, $2, $3, now())"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, seen = excluded.seen"};
constexpr Statement kForgetDead = {
    "controllers_forget_dead",
    "DELETE FROM controller WHERE seen < now() - $1::double precision * interval '1 second'"};
constexpr Statement kForget = {"controllers_forget", "DELETE FROM controller WHERE id = $1"};
constexpr Statement kForgetOthers = {"controllers_forget_others",
                                     "DELETE FROM controller WHERE id <> $1"};

// Sessions end by losing their epoch, so that a controller that only seemed dead finds out.
#define PLIMSOLL_END_SESSIONS(which)                                       \
  "WITH ended AS (SELECT id FROM host WHERE connected AND " which          \
  " ORDER BY id FOR NO KEY UPDATE)"                                        \
  " UPDATE host SET connected = false, session_epoch = session_epoch + 1," \
  " changed = pg_current_xact_id() FROM ended WHERE host.id = ended.id RETURNING host.id"
// Whoever has no row has been forgotten, if not just now.
constexpr Statement kEndOrphans = {
    "controllers_end_orphans",
    PLIMSOLL_END_SESSIONS("NOT EXISTS (SELECT FROM controller c WHERE c.id = session_controller)")};
constexpr Statement kEndOwn = {"controllers_end_own",
                               PLIMSOLL_END_SESSIONS("session_controller = $1")};
constexpr Statement kEndOthers = {"controllers_end_others",
                                  PLIMSOLL_END_SESSIONS("session_controller <> $1")};
#undef PLIMSOLL_END_SESSIONS

std::vector<std::string> Ended(Transaction& tx, const pqxx::result& rows) {
  std::vector<std::string> ids;
  for (const pqxx::row& row : rows) ids.push_back(TextOf(row[0]));
  AnnounceHosts(tx, ids);
  return ids;
}

}  // namespace

absl::Status ControllerStore::Beat(const std::string& id, const std::string& name, absl::Time now) {
  return pool_.Transact("show that this controller lives", [&](Transaction& tx) {
    tx.Exec(kBeat, Text(id), Text(name, 255), Time(now));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> ControllerStore::ExpireDead(absl::Duration silence) {
  return pool_.Transact("end sessions of dead controllers",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
                          tx.Exec(kForgetDead, absl::ToDoubleSeconds(silence));
                          return Ended(tx, tx.Exec(kEndOrphans));
                        });
}

absl::Status ControllerStore::Leave(const std::string& id) {
  return pool_.Transact("end this controller's sessions", [&](Transaction& tx) {
    tx.Exec(kForget, Text(id));
    Ended(tx, tx.Exec(kEndOwn, Text(id)));
    return absl::OkStatus();
  });
}

absl::Status ControllerStore::LeaveOthers(const std::string& id) {
  return pool_.Transact("end other controllers' sessions", [&](Transaction& tx) {
    tx.Exec(kForgetOthers, Text(id));
    Ended(tx, tx.Exec(kEndOthers, Text(id)));
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
