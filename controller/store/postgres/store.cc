#include "controller/store/store.h"

#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/migrations.h"

namespace plimsoll::store {
namespace {

constexpr Statement kPing = {"ping", "SELECT 1"};

}  // namespace

Store::Store(std::unique_ptr<ConnectionPool> pool)
    : pool_(std::move(pool)),
      hosts_(*pool_),
      fleet_(*pool_),
      controllers_(*pool_),
      reports_(*pool_),
      enrollment_(*pool_),
      authorities_(*pool_),
      scans_(*pool_),
      schedules_(*pool_),
      tokens_(*pool_),
      notifications_(*pool_),
      users_(*pool_),
      activity_(*pool_),
      waivers_(*pool_),
      tailorings_(*pool_),
      selectors_(*pool_),
      baselines_(*pool_) {}

Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  auto pool = ConnectionPool::Open(options.url, options.pool_size);
  if (!pool.ok()) return pool.status();
  if (absl::Status status = Migrate(**pool); !status.ok()) return status;
  return std::unique_ptr<Store>(new Store(*std::move(pool)));
}

absl::Status Store::Ping() {
  return pool_->Transact("ping", [](Transaction& tx) {
    tx.Exec(kPing);
    return absl::OkStatus();
  });
}

bool Store::Busy() { return pool_->Busy(); }
PoolState Store::pool() { return pool_->State(); }

HostStore& Store::hosts() { return hosts_; }
FleetStore& Store::fleet() { return fleet_; }
ControllerStore& Store::controllers() { return controllers_; }
ReportStore& Store::reports() { return reports_; }
EnrollmentStore& Store::enrollment() { return enrollment_; }
AuthorityStore& Store::authorities() { return authorities_; }
ScanStore& Store::scans() { return scans_; }
ScheduleStore& Store::schedules() { return schedules_; }
TokenStore& Store::tokens() { return tokens_; }
NotificationStore& Store::notifications() { return notifications_; }
UserStore& Store::users() { return users_; }
ActivityStore& Store::activity() { return activity_; }
WaiverStore& Store::waivers() { return waivers_; }
TailoringStore& Store::tailorings() { return tailorings_; }
SelectorStore& Store::selectors() { return selectors_; }
BaselineStore& Store::baselines() { return baselines_; }

}  // namespace plimsoll::store
