// Rows of notification channels, shared by the files that read them.
#pragma once

#include <pqxx/pqxx>
#include <vector>

#include "controller/store/notification_store.h"
#include "controller/store/postgres/connection_pool.h"

namespace plimsoll::store {

// Columns of a channel `c`, as ChannelOf reads them.
#define PLIMSOLL_CHANNEL_COLUMNS \
  "c.id, c.name, c.content, c.secret, c.paused, micros(c.created), c.created_by, c.version"
#define PLIMSOLL_CHANNEL "SELECT " PLIMSOLL_CHANNEL_COLUMNS " FROM notification_channel c"

// The channel in `row`, whose columns begin at `first`.
StoredChannel ChannelOf(const pqxx::row& row, int first = 0);

// All channels by name. Throws what libpqxx throws.
std::vector<StoredChannel> ReadChannels(Transaction& tx);

}  // namespace plimsoll::store
