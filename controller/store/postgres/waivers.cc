#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/waiver_store.h"

namespace plimsoll::store {
namespace {

// States are the numbers of v1::Waiver::State: 1 PROPOSED, 2 APPROVED; 5, EXPIRED, is never stored.
#define PLIMSOLL_WAIVER \
  "SELECT w.id, w.state, w.content, w.version, micros(w.expires) FROM waiver w"
constexpr Statement kGet = {"waivers_get", PLIMSOLL_WAIVER " WHERE w.id = $1"};
constexpr Statement kLock = {"waivers_lock", PLIMSOLL_WAIVER " WHERE w.id = $1 FOR UPDATE"};
constexpr Statement kInEffect = {
    "waivers_in_effect",
    PLIMSOLL_WAIVER " WHERE w.state = 2 AND w.expires > $1::timestamptz ORDER BY w.id"};
constexpr Statement kList = {
    "waivers_list", PLIMSOLL_WAIVER
    " WHERE (w.expires, w.id) > ($1::timestamptz, $2) AND w.expires < $3::timestamptz"
    " AND ($4 = '' OR w.owner = $4)"
    " AND (cardinality($5::integer[]) = 0 OR CASE WHEN w.state IN (1, 2)"
    "   AND w.expires <= $6::timestamptz THEN 5 ELSE w.state END = ANY($5::integer[]))"
    " AND (($7 = '' AND cardinality($8::text[]) = 0) OR EXISTS (SELECT FROM waiver_rule r"
    "   WHERE r.waiver_id = w.id AND ($7 = '' OR r.baseline_id = $7)"
    "   AND (cardinality($8::text[]) = 0 OR EXISTS (SELECT FROM unnest($8::text[], $9::text[])"
    "     AS q(baseline_id, rule_id) WHERE q.rule_id = r.rule_id"
    "     AND (q.baseline_id = '' OR q.baseline_id = r.baseline_id)))))"
    " ORDER BY w.expires, w.id LIMIT $10"};
#undef PLIMSOLL_WAIVER
constexpr Statement kInsert = {"waivers_insert",
                               "INSERT INTO waiver (id, state, content, owner, expires, version)"
                               " VALUES ($1, $2, $3, $4, $5, 1)"};
constexpr Statement kInsertRules = {"waivers_insert_rules",
                                    "INSERT INTO waiver_rule (waiver_id, baseline_id, rule_id)"
                                    " SELECT $1, * FROM unnest($2::text[], $3::text[])"};
constexpr Statement kUpdate = {
    "waivers_update",
    "UPDATE waiver SET state = $2, content = $3, owner = $4, expires = $5, version = version + 1"
    " WHERE id = $1 RETURNING version"};
constexpr Statement kUnbind = {"waivers_unbind", "DELETE FROM waiver_binding WHERE waiver_id = $1"};
constexpr Statement kBind = {
    "waivers_bind",
    "INSERT INTO waiver_binding (waiver_id, host_id, fingerprint)"
    " SELECT $1, * FROM unnest($2::text[], $3::bigint[]) ON CONFLICT DO NOTHING"};
constexpr Statement kBindings = {
    "waivers_bindings",
    "SELECT b.waiver_id, b.host_id, b.fingerprint FROM waiver_binding b"
    " WHERE b.waiver_id = ANY($1::text[])"};
constexpr Statement kRecord = {
    "waivers_record",
    "INSERT INTO waiver_change (waiver_id, version, changed, actor, action, note, content)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"};
constexpr Statement kHistory = {
    "waivers_history",
    "SELECT micros(changed), actor, action, note, content, version FROM waiver_change"
    " WHERE waiver_id = $1 AND ($2::bigint = 0 OR version < $2) ORDER BY version DESC LIMIT $3"};

absl::Status NoSuchWaiver(const std::string& id) {
  return absl::NotFoundError(
      absl::StrCat("no waiver \"", Text(id, 256), "\"; `plimsoll waiver list` lists them"));
}

// What is kept of a waiver inside `content`: what has columns, or is counted, is left out.
std::string ContentOf(v1::Waiver waiver) {
  waiver.clear_id();
  waiver.clear_state();
  waiver.clear_version();
  waiver.clear_active();
  waiver.clear_covered_count();
  waiver.clear_lapsed_count();
  waiver.clear_lapsed();
  waiver.clear_covered();
  return waiver.SerializeAsString();
}

v1::Waiver WaiverOf(const pqxx::row& row) {
  v1::Waiver waiver;
  waiver.ParseFromString(BytesOf(row[2]));
  waiver.set_id(TextOf(row[0]));
  waiver.set_state(static_cast<v1::Waiver::State>(row[1].as<int>()));
  waiver.set_version(row[3].as<int64_t>());
  return waiver;
}

std::string Expiry(const v1::Waiver& waiver) { return Time(TimeOf(waiver.expire_time())); }

void Record(Transaction& tx, const v1::Waiver& waiver, const WaiverNote& note) {
  tx.Exec(kRecord, waiver.id(), waiver.version(), Time(note.time), Text(note.actor, 256),
          static_cast<int>(note.action), Text(note.note, 2048), Bytes(waiver.SerializeAsString()));
  AnnouncePolicy(tx);
}

void Bind(Transaction& tx, const std::string& id, const WaiverBindings& bindings) {
  tx.Exec(kUnbind, id);
  std::vector<std::string> hosts;
  std::vector<int64_t> fingerprints;
  for (const auto& [host, approved] : bindings) {
    for (const uint64_t fingerprint : approved) {
      hosts.push_back(host);
      fingerprints.push_back(static_cast<int64_t>(fingerprint));
    }
  }
  if (!hosts.empty()) tx.Exec(kBind, id, TextArray(hosts), IntArray(fingerprints));
}

}  // namespace

absl::StatusOr<v1::Waiver> WaiverStore::Create(const v1::Waiver& waiver, const WaiverNote& note) {
  return pool_.Transact("create a waiver", [&](Transaction& tx) -> absl::StatusOr<v1::Waiver> {
    tx.Exec(kInsert, waiver.id(), static_cast<int>(waiver.state()), Bytes(ContentOf(waiver)),
            Text(waiver.owner(), 256), Expiry(waiver));
    std::vector<std::string> baselines, rules;
    for (const v1::RuleRef& rule : waiver.rules()) {
      baselines.push_back(rule.baseline());
      rules.push_back(rule.rule());
    }
    tx.Exec(kInsertRules, waiver.id(), TextArray(baselines), TextArray(rules));
    v1::Waiver made = WaiverOf(tx.Exec(kGet, waiver.id())[0]);
    Record(tx, made, note);
    return made;
  });
}

absl::StatusOr<v1::Waiver> WaiverStore::Get(const std::string& id) {
  return pool_.Transact("get a waiver", [&](Transaction& tx) -> absl::StatusOr<v1::Waiver> {
    const pqxx::result rows = tx.Exec(kGet, Text(id, 256));
    if (rows.empty()) return NoSuchWaiver(id);
    return WaiverOf(rows[0]);
  });
}

absl::StatusOr<v1::Waiver> WaiverStore::Update(
    const std::string& id, const std::function<absl::Status(v1::Waiver&)>& change,
    const WaiverNote& note, const WaiverBindings* bindings) {
  return pool_.Transact("change a waiver", [&](Transaction& tx) -> absl::StatusOr<v1::Waiver> {
    const pqxx::result rows = tx.Exec(kLock, Text(id, 256));
    if (rows.empty()) return NoSuchWaiver(id);
    v1::Waiver waiver = WaiverOf(rows[0]);
    if (auto status = change(waiver); !status.ok()) return status;
    waiver.set_version(tx.Exec(kUpdate, waiver.id(), static_cast<int>(waiver.state()),
                               Bytes(ContentOf(waiver)), Text(waiver.owner(), 256),
                               Expiry(waiver))[0][0]
                           .as<int64_t>());
    if (bindings != nullptr) Bind(tx, waiver.id(), *bindings);
    Record(tx, waiver, note);
    return waiver;
  });
}

absl::StatusOr<std::vector<v1::Waiver>> WaiverStore::List(const WaiverQuery& query) {
  return pool_.Transact(
      "list waivers", [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::Waiver>> {
        std::vector<v1::Waiver> waivers;
        const std::vector<int64_t> states(query.states.begin(), query.states.end());
        std::vector<std::string> baselines, rules;
        for (const auto& [baseline, rule] : query.rules) {
          baselines.push_back(baseline);
          rules.push_back(rule);
        }
        for (const pqxx::row& row : tx.ExecPlanned(
                 kList, Time(query.after_expiry), Text(query.after_id), Time(query.expire_before),
                 Text(query.owner), IntArray(states), Time(query.now), Text(query.baseline_id),
                 TextArray(baselines), TextArray(rules), query.limit)) {
          waivers.push_back(WaiverOf(row));
        }
        return waivers;
      });
}

absl::StatusOr<std::vector<v1::WaiverChange>> WaiverStore::ListHistory(
    const WaiverHistoryQuery& query) {
  return pool_.Transact(
      "list changes of a waiver",
      [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::WaiverChange>> {
        const std::string id = Text(query.waiver_id, 256);
        if (tx.Exec(kGet, id).empty()) return NoSuchWaiver(id);
        std::vector<v1::WaiverChange> changes;
        for (const pqxx::row& row : tx.Exec(kHistory, id, query.before_version, query.limit)) {
          v1::WaiverChange& change = changes.emplace_back();
          *change.mutable_time() = TimestampOf(TimeOf(row[0]));
          change.set_actor(TextOf(row[1]));
          change.set_action(static_cast<v1::WaiverChange::Action>(row[2].as<int>()));
          change.set_note(TextOf(row[3]));
          change.mutable_waiver()->ParseFromString(BytesOf(row[4]));
          change.mutable_waiver()->set_version(row[5].as<int64_t>());
        }
        return changes;
      });
}

absl::StatusOr<std::vector<StoredWaiver>> WaiverStore::ListInEffect(absl::Time now) {
  return pool_.Transact("read waivers",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<StoredWaiver>> {
                          std::vector<StoredWaiver> waivers;
                          absl::flat_hash_map<std::string, size_t> places;
                          std::vector<std::string> bound;
                          for (const pqxx::row& row : tx.Exec(kInEffect, Time(now))) {
                            waivers.push_back({WaiverOf(row), {}});
                            const v1::Waiver& waiver = waivers.back().waiver;
                            if (!waiver.bound_to_facts()) continue;
                            places.emplace(waiver.id(), waivers.size() - 1);
                            bound.push_back(waiver.id());
                          }
                          if (bound.empty()) return waivers;
                          for (const pqxx::row& row : tx.Exec(kBindings, TextArray(bound))) {
                            waivers[places[TextOf(row[0])]].bindings[TextOf(row[1])].push_back(
                                static_cast<uint64_t>(row[2].as<int64_t>()));
                          }
                          for (StoredWaiver& waiver : waivers) {
                            for (auto& [host, approved] : waiver.bindings) {
                              std::sort(approved.begin(), approved.end());
                            }
                          }
                          return waivers;
                        });
}

}  // namespace plimsoll::store
