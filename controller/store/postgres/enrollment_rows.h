// What enrolment and the queue before it know of a token.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/store/postgres/connection_pool.h"

namespace plimsoll::store {

// At most one row: id, requires_approval, host_id, whether it may be used now, revoked.
pqxx::result FindToken(Transaction& tx, const std::string& secret_hash, absl::Time now);

// One use of the token: id, labels, host_id. No row: it has none left.
pqxx::result TakeUse(Transaction& tx, const std::string& secret_hash, absl::Time now);

// At most one row: host_id and serial of who enrolled with the token, which is not revoked, and the
// key less than a day before `now`, and is still welcome with that certificate.
pqxx::result FindEnrolled(Transaction& tx, const std::string& secret_hash, const std::string& key,
                          absl::Time now);

// UNAUTHENTICATED: why a token is unknown or not good any more.
absl::Status WhyNot(Transaction& tx, const std::string& secret_hash);

}  // namespace plimsoll::store
