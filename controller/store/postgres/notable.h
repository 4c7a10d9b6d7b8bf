// Events that notifications are made of, noted in the transaction that makes them true.
#pragma once

#include <string>
#include <vector>

#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "plimsoll/v1/notification_service.pb.h"

namespace plimsoll::store {

// Collects events and writes them in one statement, which writes nothing unless there is a channel
// that is not paused.
class NotableEvents {
 public:
  // `noted` is on the controller's clock. `was_unknown`: a failure that may be an old one, seen
  // again.
  void Note(const v1::NotificationEvent& event, absl::Time noted, bool was_unknown = false);
  // Throws what libpqxx throws.
  void Write(Transaction& tx) const;

 private:
  std::vector<std::string> hosts_, noted_;
  std::vector<int64_t> was_unknown_;
  BytesColumn contents_;
};

}  // namespace plimsoll::store
