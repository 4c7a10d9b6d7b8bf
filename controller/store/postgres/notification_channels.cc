// NotificationStore: channels.
#include "absl/strings/str_cat.h"
#include "controller/store/notification_store.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/notification_rows.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

constexpr int kMostChannels = 100;

constexpr Statement kGet = {"channels_get", PLIMSOLL_CHANNEL
                            " WHERE c.id = $1 OR c.name = $1 ORDER BY c.id = $1 DESC LIMIT 1"};
constexpr Statement kLock = {"channels_lock", PLIMSOLL_CHANNEL " WHERE c.id = $1 FOR UPDATE"};
constexpr Statement kCount = {"channels_count", "SELECT count(*) FROM notification_channel"};
constexpr Statement kInsert = {
    "channels_insert",
    "INSERT INTO notification_channel (id, name, content, secret, paused, created, created_by)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING"};
constexpr Statement kNameTaken = {"channels_name_taken",
                                  "SELECT FROM notification_channel WHERE name = $1 AND id <> $2"};
constexpr Statement kUpdate = {
    "channels_update",
    "UPDATE notification_channel SET name = $2, content = $3, secret = $4, paused = $5,"
    " version = version + 1 WHERE id = $1"};
constexpr Statement kDelete = {"channels_delete", "DELETE FROM notification_channel WHERE id = $1"};

absl::Status NoSuchChannel(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("no notification channel \"", Text(name, 256), "\""));
}

absl::Status NameTaken(const std::string& name) {
  return absl::AlreadyExistsError(
      absl::StrCat("there is a notification channel \"", Text(name, 64), "\""));
}

// What a person can set, apart from what has a column of its own and secrets.
std::string ContentOf(v1::NotificationChannel channel) {
  channel.clear_id();
  channel.clear_name();
  channel.clear_paused();
  channel.clear_create_time();
  channel.clear_created_by();
  channel.clear_etag();
  if (channel.has_webhook()) channel.mutable_webhook()->clear_secret();
  if (channel.has_email()) channel.mutable_email()->clear_password();
  return channel.SerializeAsString();
}

absl::StatusOr<v1::NotificationChannel> Load(Transaction& tx, const std::string& id) {
  const pqxx::result rows = tx.Exec(kGet, Text(id));
  if (rows.empty()) return NoSuchChannel(id);
  return ChannelOf(rows[0]).channel;
}

}  // namespace

StoredChannel ChannelOf(const pqxx::row& row, int first) {
  StoredChannel stored;
  v1::NotificationChannel& channel = stored.channel;
  channel.ParseFromString(BytesOf(row[first + 2]));
  channel.set_id(TextOf(row[first]));
  channel.set_name(TextOf(row[first + 1]));
  stored.sealed_secret = BytesOf(row[first + 3]);
  channel.set_paused(row[first + 4].as<bool>());
  *channel.mutable_create_time() = TimestampOf(TimeOf(row[first + 5]));
  channel.set_created_by(TextOf(row[first + 6]));
  channel.set_etag(TextOf(row[first + 7]));
  const bool has_secret = !stored.sealed_secret.empty();
  if (channel.has_webhook()) channel.mutable_webhook()->set_has_secret(has_secret);
  if (channel.has_email()) channel.mutable_email()->set_has_password(has_secret);
  return stored;
}

absl::StatusOr<v1::NotificationChannel> NotificationStore::Create(const StoredChannel& stored) {
  return pool_.Transact("create a notification channel",
                        [&](Transaction& tx) -> absl::StatusOr<v1::NotificationChannel> {
                          if (tx.Exec(kCount)[0][0].as<int>() >= kMostChannels) {
                            return absl::FailedPreconditionError(absl::StrCat(
                                "there are ", kMostChannels, " notification channels; delete one"));
                          }
                          const v1::NotificationChannel& channel = stored.channel;
                          const auto made =
                              tx.Exec(kInsert, channel.id(), Text(channel.name()),
                                      Bytes(ContentOf(channel)), Bytes(stored.sealed_secret),
                                      channel.paused(), Time(TimeOf(channel.create_time())),
                                      Text(channel.created_by()));
                          if (made.affected_rows() == 0) return NameTaken(channel.name());
                          return Load(tx, channel.id());
                        });
}

absl::StatusOr<StoredChannel> NotificationStore::Get(const std::string& id_or_name) {
  return pool_.Transact("get a notification channel",
                        [&](Transaction& tx) -> absl::StatusOr<StoredChannel> {
                          const pqxx::result rows = tx.Exec(kGet, Text(id_or_name, 256));
                          if (rows.empty()) return NoSuchChannel(id_or_name);
                          return ChannelOf(rows[0]);
                        });
}

absl::StatusOr<std::vector<StoredChannel>> NotificationStore::List() {
  return pool_.Transact("list notification channels",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<StoredChannel>> {
                          return ReadChannels(tx);
                        });
}

std::vector<StoredChannel> ReadChannels(Transaction& tx) {
  static constexpr Statement kList = {"channels_list", PLIMSOLL_CHANNEL " ORDER BY c.name"};
  std::vector<StoredChannel> channels;
  for (const pqxx::row& row : tx.Exec(kList)) channels.push_back(ChannelOf(row));
  return channels;
}

absl::StatusOr<v1::NotificationChannel> NotificationStore::Update(
    const std::string& id, const std::function<absl::Status(StoredChannel&)>& change) {
  return pool_.Transact("update a notification channel",
                        [&](Transaction& tx) -> absl::StatusOr<v1::NotificationChannel> {
                          const pqxx::result rows = tx.Exec(kLock, Text(id));
                          if (rows.empty()) return NoSuchChannel(id);
                          StoredChannel stored = ChannelOf(rows[0]);
                          if (auto status = change(stored); !status.ok()) return status;
                          const v1::NotificationChannel& channel = stored.channel;
                          if (!tx.Exec(kNameTaken, Text(channel.name()), Text(id)).empty()) {
                            return NameTaken(channel.name());
                          }
                          tx.Exec(kUpdate, Text(id), Text(channel.name()),
                                  Bytes(ContentOf(channel)), Bytes(stored.sealed_secret),
                                  channel.paused());
                          return Load(tx, id);
                        });
}

absl::Status NotificationStore::Delete(const std::string& id) {
  return pool_.Transact("delete a notification channel", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kDelete, Text(id)).affected_rows() == 0) return NoSuchChannel(id);
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
