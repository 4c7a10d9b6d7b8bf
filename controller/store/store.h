// The database: the one source of truth. One class a noun; SQL lives in controller/store/postgres
// only.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/activity_store.h"
#include "controller/store/authority_store.h"
#include "controller/store/baseline_store.h"
#include "controller/store/controller_store.h"
#include "controller/store/enrollment_store.h"
#include "controller/store/fleet_store.h"
#include "controller/store/host_store.h"
#include "controller/store/notification_store.h"
#include "controller/store/report_store.h"
#include "controller/store/scan_store.h"
#include "controller/store/schedule_store.h"
#include "controller/store/selector_store.h"
#include "controller/store/tailoring_store.h"
#include "controller/store/token_store.h"
#include "controller/store/user_store.h"
#include "controller/store/waiver_store.h"

namespace plimsoll::store {

class ConnectionPool;

// The connections to the database, now.
struct PoolState {
  // At most; that exist; of them, those nobody uses; threads that wait for one.
  int limit = 0;
  int open = 0;
  int idle = 0;
  int waiting = 0;
};

struct StoreOptions {
  // libpq connection string or URL. May hold a password: never logged.
  std::string url;
  int pool_size = 8;
};

// Thread-safe, as are all the stores it hands out. Calls block. Common errors of all stores:
// UNAVAILABLE (the database cannot be reached; safe to try again), ABORTED (serialisation; safe to
// try again), INTERNAL (the database says something that should not be). Exceptions never leave the
// layer.
class Store {
 public:
  // Connects and brings the schema up to date (forward only, under an advisory lock).
  // FAILED_PRECONDITION: the schema is newer than this program.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const StoreOptions& options);
  ~Store();

  // A round trip. For health checks.
  absl::Status Ping();
  // Every connection is in use: work that can wait should.
  bool Busy();
  PoolState pool();

  HostStore& hosts();
  FleetStore& fleet();
  ControllerStore& controllers();
  ReportStore& reports();
  EnrollmentStore& enrollment();
  AuthorityStore& authorities();
  ScanStore& scans();
  ScheduleStore& schedules();
  TokenStore& tokens();
  NotificationStore& notifications();
  UserStore& users();
  ActivityStore& activity();
  WaiverStore& waivers();
  TailoringStore& tailorings();
  SelectorStore& selectors();
  BaselineStore& baselines();

 private:
  explicit Store(std::unique_ptr<ConnectionPool> pool);
  std::unique_ptr<ConnectionPool> pool_;
  HostStore hosts_;
  FleetStore fleet_;
  ControllerStore controllers_;
  ReportStore reports_;
  EnrollmentStore enrollment_;
  AuthorityStore authorities_;
  ScanStore scans_;
  ScheduleStore schedules_;
  TokenStore tokens_;
  NotificationStore notifications_;
  UserStore users_;
  ActivityStore activity_;
  WaiverStore waivers_;
  TailoringStore tailorings_;
  SelectorStore selectors_;
  BaselineStore baselines_;
};

}  // namespace plimsoll::store
