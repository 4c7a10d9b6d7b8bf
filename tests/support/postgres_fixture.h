// A real PostgreSQL for tests: one cluster a process, one fresh database a test.
#pragma once

#include <memory>
#include <string>

#include "controller/store/store.h"

namespace plimsoll::testing {

// libpq connection string of a new, empty database. The first call starts a cluster in a temporary
// directory (unix socket only, no fsync, never as root); it goes when the process ends, however it
// ends. Databases are not dropped one by one. Call from the main thread first. Aborts the process,
// with the reason on standard error, when no PostgreSQL can be started: a test cannot go on without
// it.
std::string FreshDatabase();

// A store on a new database, with the schema in place.
std::unique_ptr<store::Store> FreshStore();

}  // namespace plimsoll::testing
