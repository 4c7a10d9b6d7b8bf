// The controllers on one database, and how long its history reaches back.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace plimsoll::store {

class ConnectionPool;

// What Retain did.
struct Retained {
  // Partitions dropped, e.g. "transition_2026_03".
  std::vector<std::string> dropped;
  // Hosts whose newest facts were in them and are carried on.
  int carried = 0;
};

// Thread-safe; errors as in store.h.
class ControllerStore {
 public:
  explicit ControllerStore(ConnectionPool& pool) : pool_(pool) {}

  // This controller lives: a row of its own, made or renewed. When it was seen is noted by the
  // database's clock, the one that all controllers share.
  absl::Status Beat(const std::string& id, const std::string& name, absl::Time now);
  // Ends the sessions of controllers not seen for longer than `silence` and forgets those
  // controllers. Returns the ids of hosts whose sessions ended. Safe to call on every controller at
  // once.
  absl::StatusOr<std::vector<std::string>> ExpireDead(absl::Duration silence);
  // This controller stops: ends its sessions, with last-seen times as they are stored, and forgets
  // it.
  absl::Status Leave(const std::string& id);
  // All other controllers are dead for certain (an embedded database just started): ends their
  // sessions.
  absl::Status LeaveOthers(const std::string& id);

  // Drops history recorded before the month of `keep_from`: partitions and days of the fleet. A
  // host whose newest full snapshot lies there gets a new one first, recorded at the beginning of
  // that month; facts and verdicts that hold now are untouched. Facts of removed hosts are not
  // carried on, nor those that are damaged: the host is logged, and has none until it sends them
  // complete. One controller at a time does it, in short transactions that do not hold up
  // ingestion; the others return at once with nothing dropped. An error leaves what was done: call
  // again. UNAVAILABLE, beside the common ones: readers are in the way of a drop. The month of
  // `now` is always kept.
  absl::StatusOr<Retained> Retain(absl::Time keep_from, absl::Time now);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
