#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/store/activity_store.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "proto/support/activity_hash.h"

namespace plimsoll::store {
namespace {

constexpr size_t kLongestText = 64 << 10;

constexpr Statement kLock = {
    "activity_lock", "SELECT seq, hash, dropped_seq, dropped_hash FROM activity_chain FOR UPDATE"};
constexpr Statement kHead = {"activity_head",
                             "SELECT seq, hash, dropped_seq, dropped_hash FROM activity_chain"};
constexpr Statement kMove = {"activity_move", "UPDATE activity_chain SET seq = $1, hash = $2"};
#define PLIMSOLL_ACTIVITY_TEXTS                                               \
  "actor_kind, actor_id, actor_name, peer, action, object, outcome, message," \
  " before_json, after_json, previous_hash, hash"
constexpr Statement kInsert = {
    "activity_insert", "INSERT INTO activity (seq, time, " PLIMSOLL_ACTIVITY_TEXTS
                       ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"};
constexpr Statement kList = {
    "activity_list",
    "SELECT seq, micros(time), " PLIMSOLL_ACTIVITY_TEXTS
    " FROM activity WHERE ($1 = 0 OR seq < $1)"
    " AND ($2 = '' OR actor_id = $2 OR actor_name = $2)"
    " AND ($3 = '' OR action = $3 OR starts_with(action, $3 || '.'))"
    " AND ($4 = '' OR object = $4 OR starts_with(object, $4 || '/'))"
    " AND time >= $5::timestamptz AND time < $6::timestamptz ORDER BY seq DESC LIMIT $7"};
#undef PLIMSOLL_ACTIVITY_TEXTS
// The newest of the entries that may go: none after it is older than they are.
constexpr Statement kLastOld = {
    "activity_last_old",
    "SELECT seq, hash FROM activity WHERE seq < $2"
    " AND seq < (SELECT min(seq) FROM activity) + $3 AND seq < coalesce("
    "  (SELECT min(seq) FROM activity WHERE time >= $1::timestamptz), $2)"
    " ORDER BY seq DESC LIMIT 1"};
constexpr Statement kDrop = {"activity_drop", "DELETE FROM activity WHERE seq <= $1"};
constexpr Statement kMoveDropped = {
    "activity_move_dropped", "UPDATE activity_chain SET dropped_seq = $1, dropped_hash = $2"};

v1::ActivityHead HeadOf(const pqxx::row& row) {
  v1::ActivityHead head;
  head.set_sequence(row[0].as<int64_t>());
  head.set_hash(TextOf(row[1]));
  head.set_dropped_sequence(row[2].as<int64_t>());
  head.set_dropped_hash(TextOf(row[3]));
  return head;
}

// What is hashed is what is stored.
void MakeStorable(v1::Activity& entry) {
  for (std::string* text :
       {entry.mutable_actor_id(), entry.mutable_actor_name(), entry.mutable_peer(),
        entry.mutable_action(), entry.mutable_object(), entry.mutable_outcome(),
        entry.mutable_message(), entry.mutable_before_json(), entry.mutable_after_json()}) {
    *text = Text(*text, kLongestText);
  }
  *entry.mutable_time() = TimestampOf(TimeOf(entry.time()));
}

void AppendOne(Transaction& tx, v1::ActivityHead& head, v1::Activity& entry) {
  MakeStorable(entry);
  entry.set_sequence(head.sequence() + 1);
  entry.set_previous_hash(head.hash());
  entry.set_hash(support::ActivityHash(entry));
  tx.Exec(kInsert, entry.sequence(), Time(TimeOf(entry.time())),
          v1::Activity::ActorKind_Name(entry.actor_kind()), entry.actor_id(), entry.actor_name(),
          entry.peer(), entry.action(), entry.object(), entry.outcome(), entry.message(),
          entry.before_json(), entry.after_json(), entry.previous_hash(), entry.hash());
  head.set_sequence(entry.sequence());
  head.set_hash(entry.hash());
}

v1::Activity ActivityOf(const pqxx::row& row) {
  v1::Activity entry;
  entry.set_sequence(row[0].as<int64_t>());
  *entry.mutable_time() = TimestampOf(TimeOf(row[1]));
  v1::Activity::ActorKind kind = v1::Activity::ACTOR_KIND_UNSPECIFIED;
  // An altered row may say anything: then its hash does not fit.
  (void)v1::Activity::ActorKind_Parse(TextOf(row[2]), &kind);
  entry.set_actor_kind(kind);
  entry.set_actor_id(TextOf(row[3]));
  entry.set_actor_name(TextOf(row[4]));
  entry.set_peer(TextOf(row[5]));
  entry.set_action(TextOf(row[6]));
  entry.set_object(TextOf(row[7]));
  entry.set_outcome(TextOf(row[8]));
  entry.set_message(TextOf(row[9]));
  entry.set_before_json(TextOf(row[10]));
  entry.set_after_json(TextOf(row[11]));
  entry.set_previous_hash(TextOf(row[12]));
  entry.set_hash(TextOf(row[13]));
  return entry;
}

absl::StatusOr<v1::ActivityHead> Lock(Transaction& tx) {
  const pqxx::result rows = tx.Exec(kLock);
  if (rows.size() != 1) return absl::DataLossError("the activity log's ends are not stored");
  return HeadOf(rows[0]);
}

}  // namespace

absl::Status ActivityStore::Append(std::vector<v1::Activity>& entries) {
  if (entries.empty()) return absl::OkStatus();
  return pool_.Transact("append to the activity log", [&](Transaction& tx) -> absl::Status {
    auto head = Lock(tx);
    if (!head.ok()) return head.status();
    for (v1::Activity& entry : entries) AppendOne(tx, *head, entry);
    tx.Exec(kMove, head->sequence(), head->hash());
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::Activity>> ActivityStore::List(const ActivityQuery& query) {
  return pool_.Transact(
      "list activity", [&query](Transaction& tx) -> absl::StatusOr<std::vector<v1::Activity>> {
        std::vector<v1::Activity> entries;
        for (const pqxx::row& row : tx.ExecPlanned(
                 kList, query.before_sequence, Text(query.actor, 256), Text(query.action, 256),
                 Text(query.object, 512), Time(query.start), Time(query.end), query.limit)) {
          entries.push_back(ActivityOf(row));
        }
        return entries;
      });
}

absl::StatusOr<v1::ActivityHead> ActivityStore::Head() {
  return pool_.Transact("find the end of the activity log",
                        [](Transaction& tx) -> absl::StatusOr<v1::ActivityHead> {
                          const pqxx::result rows = tx.Exec(kHead);
                          if (rows.size() == 1) return HeadOf(rows[0]);
                          return absl::DataLossError("the activity log's ends are not stored");
                        });
}

absl::StatusOr<int64_t> ActivityStore::Retain(absl::Time keep_from, v1::Activity note,
                                              int64_t limit) {
  return pool_.Transact(
      "shorten the activity log", [&](Transaction& tx) -> absl::StatusOr<int64_t> {
        auto head = Lock(tx);
        if (!head.ok()) return head.status();
        const pqxx::result rows =
            tx.ExecPlanned(kLastOld, Time(keep_from), head->sequence(), limit);
        if (rows.empty()) return 0;
        const int64_t last = rows[0][0].as<int64_t>();
        const std::string hash = TextOf(rows[0][1]);
        const int64_t dropped = tx.Exec(kDrop, last).affected_rows();
        tx.Exec(kMoveDropped, last, hash);
        note.set_object(absl::StrCat("activity/", last));
        note.set_message(absl::StrCat("dropped ", dropped, " entries; the newest of them was ",
                                      last, " with hash ", hash));
        AppendOne(tx, *head, note);
        tx.Exec(kMove, head->sequence(), head->hash());
        return dropped;
      });
}

}  // namespace plimsoll::store
