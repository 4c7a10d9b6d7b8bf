// Where exceptions of libpqxx become statuses. Nothing above this folder sees one.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plimsoll::store {

// The exception being handled, as a status; call inside `catch (...)`. `what` says what was tried,
// e.g. "list hosts". Messages hold the server's first line: no details, no values, no statement, no
// connection string.
//   UNAVAILABLE     connection lost or refused, server shutting down, out of resources, a lock or
//                   statement timeout; a commit whose outcome is unknown
//   ABORTED         serialisation failure, deadlock
//   ALREADY_EXISTS  unique key violated
//   INTERNAL        everything else
absl::Status StatusOfException(absl::string_view what);

// Runs `f`, which returns a status or a StatusOr, and returns its result or its exception's status.
template <class F>
auto Guard(absl::string_view what, F f) -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    return StatusOfException(what);
  }
}

}  // namespace plimsoll::store
