// NotificationStore: from events to notifications.
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "controller/store/facts_codec.h"
#include "controller/store/notification_store.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/host_rows.h"
#include "controller/store/postgres/notable.h"
#include "controller/store/postgres/notification_rows.h"
#include "controller/store/postgres/sql_values.h"
#include "plimsoll/v1/scan_service.pb.h"

namespace plimsoll::store {
namespace {

// One controller at a time.
constexpr Statement kTurn = {"notify_turn", "SELECT pg_try_advisory_xact_lock(7245107785)"};
constexpr Statement kAnyChannel = {"notify_any_channel",
                                   "SELECT FROM notification_channel WHERE NOT paused LIMIT 1"};
// Hosts are locked by id, as everywhere; one that is locked now is noted next time.
constexpr Statement kFellSilent = {
    "notify_fell_silent",
    "WITH silent AS (SELECT id FROM host WHERE stale_noted IS NULL"
    "  AND last_seen < $1::timestamptz AND removed IS NULL AND revoked IS NULL"
    "  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)"
    " UPDATE host SET stale_noted = $2::timestamptz FROM silent WHERE host.id = silent.id"
    " RETURNING host.id, micros(last_seen)"};
constexpr Statement kHeardAgain = {
    "notify_heard_again",
    "WITH heard AS (SELECT id FROM host WHERE stale_noted IS NOT NULL"
    "  AND last_seen >= $1::timestamptz AND removed IS NULL"
    "  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)"
    " UPDATE host SET stale_noted = NULL FROM heard WHERE host.id = heard.id"
    " RETURNING host.id, micros(last_seen)"};
constexpr Statement kScansEnded = {
    "notify_scans_ended",
    "UPDATE scan SET end_noted = true WHERE ended IS NOT NULL AND NOT end_noted"
    " RETURNING id, micros(ended), targeted, outcome, state, reason"};
constexpr Statement kWaiversExpiring = {
    "notify_waivers_expiring",
    "UPDATE waiver SET expiry_noted = expires WHERE state = 2 AND expires > $1::timestamptz"
    " AND expires < $1::timestamptz + interval '7 days' AND expiry_noted IS DISTINCT FROM expires"
    " RETURNING id, owner, micros(expires)"};
constexpr Statement kEvents = {
    "notify_events",
    "SELECT e.id, e.host_id, e.content, e.was_unknown, micros(e.noted), h.hostname"
    " FROM notification_event e LEFT JOIN host h ON h.id = e.host_id ORDER BY e.id LIMIT $1"};
constexpr Statement kLabels = {
    "notify_labels",
    "SELECT h.id, l.key, l.value FROM host h, jsonb_each_text(" PLIMSOLL_HOST_LABELS
    ") l"
    " WHERE h.id = ANY($1::text[])"};
// What the rule was before it became UNKNOWN.
constexpr Statement kDefinite = {"notify_definite",
                                 "SELECT to_status, to_waived FROM transition WHERE host_id = $1 "
                                 "AND baseline_id = $2 AND rule_id = $3"
                                 " AND to_status <> 0 AND observed < $4::timestamptz"
                                 " ORDER BY recorded DESC, sequence DESC LIMIT 1"};
constexpr Statement kAddPending = {
    "notify_add_pending",
    "INSERT INTO notification_pending (channel_id, event_id, content, noted)"
    " SELECT channel_id, event_id, substring($3::bytea FROM c_begin FOR c_size), noted"
    " FROM unnest($1::text[], $2::bigint[], $4::integer[], $5::integer[], $6::timestamptz[])"
    " AS p(channel_id, event_id, c_begin, c_size, noted)"};
constexpr Statement kForgetEvents = {"notify_forget_events",
                                     "DELETE FROM notification_event WHERE id = ANY($1::bigint[])"};
constexpr Statement kWaiting = {
    "notify_waiting",
    "SELECT channel_id, micros(min(noted)) FROM notification_pending GROUP BY channel_id"};
constexpr Statement kPending = {
    "notify_pending",
    "DELETE FROM notification_pending p USING (SELECT event_id FROM notification_pending"
    "  WHERE channel_id = $1 ORDER BY event_id LIMIT $2) oldest"
    " WHERE p.channel_id = $1 AND p.event_id = oldest.event_id RETURNING p.event_id, p.content"};
constexpr Statement kAddDelivery = {
    "notify_add_delivery",
    "INSERT INTO notification_delivery (id, channel_id, content, title, event_count, state,"
    " created, next_attempt) VALUES ($1, $2, $3, $4, $5, 1, $6::timestamptz, $6::timestamptz)"};

std::string Instant(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
}

bool MyTurn(Transaction& tx) { return tx.Exec(kTurn)[0][0].as<bool>(); }

void NoteHosts(const pqxx::result& rows, v1::NotificationEvent::Kind kind, absl::Time now,
               NotableEvents& events) {
  for (const pqxx::row& row : rows) {
    v1::NotificationEvent event;
    event.set_kind(kind);
    event.set_host_id(TextOf(row[0]));
    *event.mutable_time() = TimestampOf(now);
    event.set_message(
        absl::StrCat("last heard of ",
                     absl::FormatTime("%Y-%m-%d %H:%M:%SZ", TimeOf(row[1]), absl::UTCTimeZone())));
    events.Note(event, now);
  }
}

void NoteScans(const pqxx::result& rows, absl::Time now, NotableEvents& events) {
  for (const pqxx::row& row : rows) {
    v1::Scan outcome;
    outcome.ParseFromString(BytesOf(row[3]));
    v1::NotificationEvent event;
    event.set_kind(v1::NotificationEvent::SCAN_ENDED);
    event.set_object_id(TextOf(row[0]));
    *event.mutable_time() = TimestampOf(TimeOf(row[1]));
    std::string message =
        absl::StrCat(v1::Scan::State_Name(static_cast<v1::Scan::State>(row[4].as<int>())), ": ",
                     outcome.progress().evaluated(), " of ", row[2].as<int>(), " hosts evaluated");
    for (const auto& [baseline, counts] : outcome.counts()) {
      absl::StrAppend(&message, "; ", baseline, ": ", counts.fail(), " failing verdicts");
    }
    if (const std::string reason = TextOf(row[5]); !reason.empty()) {
      absl::StrAppend(&message, " (", reason, ")");
    }
    event.set_message(message);
    events.Note(event, now);
  }
}

void NoteWaivers(const pqxx::result& rows, absl::Time now, NotableEvents& events) {
  for (const pqxx::row& row : rows) {
    v1::NotificationEvent event;
    event.set_kind(v1::NotificationEvent::WAIVER_EXPIRING);
    event.set_object_id(TextOf(row[0]));
    *event.mutable_time() = TimestampOf(now);
    event.set_message(absl::StrCat("ends ", Instant(TimeOf(row[2])), ", owner ", TextOf(row[1])));
    events.Note(event, now);
  }
}

// A window may hold more than the memory does.
constexpr int kMostTogether = 20000;

// An event as it was noted.
struct Noted {
  int64_t id = 0;
  std::string time;
  v1::NotificationEvent event;
  bool was_unknown = false;
};

std::vector<Noted> ReadEvents(Transaction& tx, int limit) {
  std::vector<Noted> all;
  std::vector<std::string> hosts;
  for (const pqxx::row& row : tx.Exec(kEvents, limit)) {
    Noted& noted = all.emplace_back();
    noted.id = row[0].as<int64_t>();
    noted.event.ParseFromString(BytesOf(row[2]));
    noted.was_unknown = row[3].as<bool>();
    noted.time = Time(TimeOf(row[4]));
    noted.event.set_hostname(TextOf(row[5]));
    if (!noted.event.host_id().empty()) hosts.push_back(noted.event.host_id());
  }
  absl::flat_hash_map<std::string, std::vector<std::pair<std::string, std::string>>> labels;
  if (!hosts.empty()) {
    for (const pqxx::row& row : tx.Exec(kLabels, TextArray(hosts))) {
      labels[TextOf(row[0])].emplace_back(TextOf(row[1]), TextOf(row[2]));
    }
  }
  for (Noted& noted : all) {
    for (const auto& [key, value] : labels[noted.event.host_id()]) {
      (*noted.event.mutable_labels())[key] = value;
    }
  }
  return all;
}

// A failure seen again after nothing could be seen is no news.
bool IsOldFailure(Transaction& tx, const v1::NotificationEvent& event) {
  const pqxx::result rows = tx.Exec(kDefinite, event.host_id(), event.baseline_id(),
                                    event.rule_id(), Time(TimeOf(event.time())));
  return !rows.empty() && rows[0][0].as<int>() == v1::Verdict::FAIL && !rows[0][1].as<bool>();
}

absl::Time WindowEnd(const v1::NotificationChannel& channel, absl::Time first) {
  constexpr absl::Duration kDefaultWindow = absl::Seconds(10);
  const absl::Duration window =
      channel.has_window()
          ? absl::Seconds(channel.window().seconds()) + absl::Nanoseconds(channel.window().nanos())
          : kDefaultWindow;
  return first + window;
}

}  // namespace

absl::Status NotificationStore::NoteWhatTimeBrings(absl::Time stale_before, absl::Time now) {
  return pool_.Transact("note what time brings", [&](Transaction& tx) -> absl::Status {
    if (!MyTurn(tx)) return absl::OkStatus();
    NotableEvents events;
    const pqxx::result scans = tx.Exec(kScansEnded);
    // Nobody wants to know: hosts are looked at when somebody does.
    if (tx.Exec(kAnyChannel).empty()) return absl::OkStatus();
    NoteScans(scans, now, events);
    NoteWaivers(tx.Exec(kWaiversExpiring, Time(now)), now, events);
    NoteHosts(tx.Exec(kFellSilent, Time(stale_before), Time(now)),
              v1::NotificationEvent::HOST_STALE, now, events);
    NoteHosts(tx.Exec(kHeardAgain, Time(stale_before)), v1::NotificationEvent::HOST_BACK, now,
              events);
    events.Write(tx);
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> NotificationStore::Distribute(
    int limit,
    const std::function<bool(const v1::NotificationEvent&, const v1::NotificationChannel&)>&
        wanted) {
  return pool_.Transact("distribute events", [&](Transaction& tx) -> absl::StatusOr<bool> {
    if (!MyTurn(tx)) return false;
    const std::vector<Noted> all = ReadEvents(tx, limit);
    if (all.empty()) return false;
    std::vector<std::string> channels, times;
    std::vector<int64_t> ids;
    BytesColumn contents;
    const std::vector<StoredChannel> stored = ReadChannels(tx);
    for (const Noted& noted : all) {
      bool news = !noted.was_unknown;
      for (const StoredChannel& channel : stored) {
        if (channel.channel.paused() || !wanted(noted.event, channel.channel)) continue;
        if (!news && IsOldFailure(tx, noted.event)) break;
        news = true;
        channels.push_back(channel.channel.id());
        ids.push_back(noted.id);
        times.push_back(noted.time);
        contents.Add(noted.event.SerializeAsString());
      }
    }
    if (!ids.empty()) {
      tx.Exec(kAddPending, TextArray(channels), IntArray(ids), contents.all(), contents.begins(),
              contents.sizes(), TextArray(times));
    }
    // Not by order: one with a smaller id may be committed later.
    std::vector<int64_t> read;
    for (const Noted& noted : all) read.push_back(noted.id);
    tx.Exec(kForgetEvents, IntArray(read));
    return true;
  });
}

absl::Status NotificationStore::PutTogether(
    absl::Time now,
    const std::function<v1::Notification(const v1::NotificationChannel&,
                                         const std::vector<v1::NotificationEvent>&)>& compose) {
  return pool_.Transact("put notifications together", [&](Transaction& tx) -> absl::Status {
    if (!MyTurn(tx)) return absl::OkStatus();
    const pqxx::result waiting = tx.Exec(kWaiting);
    if (waiting.empty()) return absl::OkStatus();
    absl::flat_hash_map<std::string, absl::Time> first;
    for (const pqxx::row& row : waiting) first[TextOf(row[0])] = TimeOf(row[1]);
    for (const StoredChannel& stored : ReadChannels(tx)) {
      const v1::NotificationChannel& channel = stored.channel;
      const auto found = first.find(channel.id());
      if (found == first.end() || WindowEnd(channel, found->second) > now) continue;
      std::map<int64_t, v1::NotificationEvent> events;
      for (const pqxx::row& row : tx.Exec(kPending, channel.id(), kMostTogether)) {
        events[row[0].as<int64_t>()].ParseFromString(BytesOf(row[1]));
      }
      std::vector<v1::NotificationEvent> ordered;
      for (auto& [id, event] : events) ordered.push_back(std::move(event));
      const v1::Notification notification = compose(channel, ordered);
      if (notification.groups().empty()) continue;
      auto content = Compress(notification);
      if (!content.ok()) return content.status();
      tx.Exec(kAddDelivery, notification.id(), channel.id(), Bytes(*content),
              Text(notification.title(), 512), notification.event_count(), Time(now));
    }
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
