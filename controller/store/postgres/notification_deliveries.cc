// NotificationStore: deliveries.
#include "absl/strings/str_cat.h"
#include "controller/store/facts_codec.h"
#include "controller/store/notification_store.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/notification_rows.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

#define PLIMSOLL_DELIVERY                                                        \
  "SELECT id, channel_id, state, title, event_count, micros(created), attempts," \
  " micros(next_attempt), micros(last_attempt), error FROM notification_delivery"
constexpr Statement kGet = {"deliveries_get", PLIMSOLL_DELIVERY " WHERE id = $1"};
constexpr Statement kList = {
    "deliveries_list", PLIMSOLL_DELIVERY
    " WHERE ($1 = '' OR channel_id = $1) AND (created, id) < ($2::timestamptz, $3)"
    " ORDER BY created DESC, id DESC LIMIT $4"};
constexpr Statement kTake = {
    "deliveries_take",
    "WITH due AS (SELECT w.id FROM notification_delivery w"
    "  JOIN notification_channel p ON p.id = w.channel_id AND NOT p.paused WHERE w.state = 1"
    "  AND w.next_attempt <= $1::timestamptz ORDER BY w.next_attempt LIMIT $3"
    "  FOR UPDATE OF w SKIP LOCKED), taken AS (UPDATE notification_delivery d"
    "  SET next_attempt = $2::timestamptz FROM due WHERE d.id = due.id"
    "  RETURNING d.id, d.channel_id, d.attempts, d.created, d.content)"
    " SELECT t.id, t.attempts, micros(t.created), t.content, " PLIMSOLL_CHANNEL_COLUMNS
    " FROM taken t JOIN notification_channel c ON c.id = t.channel_id"};
constexpr Statement kFinish = {
    "deliveries_finish",
    "UPDATE notification_delivery SET state = $2, attempts = attempts + 1,"
    " last_attempt = $3::timestamptz, next_attempt = $4::timestamptz, error = $5 WHERE id = $1"};
constexpr Statement kAdd = {
    "deliveries_add",
    "INSERT INTO notification_delivery (id, channel_id, content, title, event_count, state,"
    " created, attempts, next_attempt, last_attempt, error) VALUES ($1, $2, $3, $4, $5, $6,"
    " $7::timestamptz, 1, $7::timestamptz, $7::timestamptz, $8)"};
constexpr Statement kRetry = {
    "deliveries_retry",
    "UPDATE notification_delivery SET state = 1, next_attempt = $2::timestamptz"
    " WHERE id = $1 AND state <> 2"};
constexpr Statement kRemove = {
    "deliveries_remove",
    "DELETE FROM notification_delivery WHERE created < $1::timestamptz AND state <> 1"};

constexpr size_t kLongestError = 1024;

v1::NotificationDelivery DeliveryOf(const pqxx::row& row) {
  v1::NotificationDelivery delivery;
  delivery.set_id(TextOf(row[0]));
  delivery.set_channel_id(TextOf(row[1]));
  delivery.set_state(static_cast<v1::NotificationDelivery::State>(row[2].as<int>()));
  delivery.set_title(TextOf(row[3]));
  delivery.set_event_count(row[4].as<int>());
  *delivery.mutable_create_time() = TimestampOf(TimeOf(row[5]));
  delivery.set_attempt_count(row[6].as<int>());
  if (delivery.state() == v1::NotificationDelivery::PENDING) {
    *delivery.mutable_next_attempt_time() = TimestampOf(TimeOf(row[7]));
  }
  if (!row[8].is_null()) *delivery.mutable_last_attempt_time() = TimestampOf(TimeOf(row[8]));
  delivery.set_error(TextOf(row[9]));
  return delivery;
}

absl::StatusOr<v1::NotificationDelivery> Load(Transaction& tx, const std::string& id) {
  const pqxx::result rows = tx.Exec(kGet, Text(id, 256));
  if (rows.empty()) {
    return absl::NotFoundError(absl::StrCat("no delivery \"", Text(id, 256), "\""));
  }
  return DeliveryOf(rows[0]);
}

}  // namespace

absl::StatusOr<std::vector<DueDelivery>> NotificationStore::Take(absl::Time now,
                                                                 absl::Duration lease, int limit) {
  return pool_.Transact(
      "take deliveries", [&](Transaction& tx) -> absl::StatusOr<std::vector<DueDelivery>> {
        std::vector<DueDelivery> due;
        for (const pqxx::row& row : tx.Exec(kTake, Time(now), Time(now + lease), limit)) {
          DueDelivery& delivery = due.emplace_back();
          delivery.id = TextOf(row[0]);
          delivery.attempts = row[1].as<int>();
          delivery.created = TimeOf(row[2]);
          delivery.channel = ChannelOf(row, 4);
          if (auto status = Decompress(BytesOf(row[3]), delivery.notification); !status.ok()) {
            return status;
          }
        }
        return due;
      });
}

absl::Status NotificationStore::Finish(const Attempt& attempt) {
  return pool_.Transact("finish a delivery", [&](Transaction& tx) {
    tx.Exec(kFinish, attempt.delivery_id, static_cast<int>(attempt.state), Time(attempt.time),
            Time(attempt.next), Text(attempt.error, kLongestError));
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::NotificationDelivery> NotificationStore::Add(
    const std::string& channel_id, const v1::Notification& notification, const Attempt& attempt) {
  auto content = Compress(notification);
  if (!content.ok()) return content.status();
  return pool_.Transact("add a delivery",
                        [&](Transaction& tx) -> absl::StatusOr<v1::NotificationDelivery> {
                          tx.Exec(kAdd, notification.id(), channel_id, Bytes(*content),
                                  Text(notification.title(), 512), notification.event_count(),
                                  static_cast<int>(attempt.state), Time(attempt.time),
                                  Text(attempt.error, kLongestError));
                          return Load(tx, notification.id());
                        });
}

absl::StatusOr<v1::NotificationDelivery> NotificationStore::Retry(const std::string& delivery_id,
                                                                  absl::Time now) {
  return pool_.Transact(
      "retry a delivery", [&](Transaction& tx) -> absl::StatusOr<v1::NotificationDelivery> {
        auto delivery = Load(tx, delivery_id);
        if (!delivery.ok()) return delivery;
        if (tx.Exec(kRetry, Text(delivery_id, 256), Time(now)).affected_rows() == 0) {
          return absl::FailedPreconditionError(absl::StrCat("delivery ", Text(delivery_id, 256),
                                                            " was taken; nothing to try again"));
        }
        return Load(tx, delivery_id);
      });
}

absl::StatusOr<std::vector<v1::NotificationDelivery>> NotificationStore::ListDeliveries(
    const DeliveryQuery& query) {
  return pool_.Transact(
      "list deliveries",
      [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::NotificationDelivery>> {
        std::vector<v1::NotificationDelivery> deliveries;
        for (const pqxx::row& row : tx.ExecPlanned(kList, query.channel_id, Time(query.before),
                                                   Text(query.before_id, 256), query.limit)) {
          deliveries.push_back(DeliveryOf(row));
        }
        return deliveries;
      });
}

absl::Status NotificationStore::RemoveDeliveries(absl::Time before) {
  return pool_.Transact("remove old deliveries", [&](Transaction& tx) {
    tx.Exec(kRemove, Time(before));
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
