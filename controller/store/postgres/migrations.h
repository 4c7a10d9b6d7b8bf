// Bringing the schema up to date.
#pragma once

#include "absl/status/status.h"
#include "controller/store/postgres/connection_pool.h"

namespace plimsoll::store {

// Applies the migrations that the database lacks, all or none, under an advisory lock: controllers
// that start together wait for the first. Forward only. Errors:
// FAILED_PRECONDITION (the schema is newer than this program; the database is not UTF-8), and those
// of ConnectionPool::Transact.
absl::Status Migrate(ConnectionPool& pool);

}  // namespace plimsoll::store
