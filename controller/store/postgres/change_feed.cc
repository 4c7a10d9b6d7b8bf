#include "controller/store/change_feed.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <pqxx/pqxx>

#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"

namespace plimsoll::store {
namespace {

constexpr absl::Duration kPause = absl::Seconds(1);
// An idle connection is asked now and then whether it lives.
constexpr int kIdleMillis = 30'000;

// Collects what one channel says until it is taken.
class Receiver : public pqxx::notification_receiver {
 public:
  Receiver(pqxx::connection& connection, const char* channel)
      : pqxx::notification_receiver(connection, channel) {}
  void operator()(const std::string& payload, int) override {
    for (std::string& id : IdsOf(payload)) ids_.push_back(std::move(id));
  }
  std::vector<std::string> Take() { return std::exchange(ids_, {}); }

 private:
  std::vector<std::string> ids_;
};

// Waits until the server may have said something. False: `stop_fd` did.
bool Await(pqxx::connection& connection, int stop_fd) {
  while (true) {
    pollfd fds[] = {{connection.sock(), POLLIN, 0}, {stop_fd, POLLIN, 0}};
    const int ready = poll(fds, 2, kIdleMillis);
    if (fds[1].revents != 0) return false;
    if (ready > 0) return true;
    if (ready == 0) {
      pqxx::nontransaction(connection).exec("SELECT 1");
      // What came in beside its answer is taken already: nothing would wake us for it.
      return true;
    }
  }
}

}  // namespace

ChangeFeed::ChangeFeed(std::string url, Callbacks callbacks)
    : url_(std::move(url)),
      callbacks_(std::move(callbacks)),
      stop_fd_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Run(); }) {}

ChangeFeed::~ChangeFeed() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  eventfd_write(stop_fd_, 1);
  thread_.join();
  close(stop_fd_);
}

bool ChangeFeed::Pause() {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stopped_), kPause);
  return !stopped_;
}

void ChangeFeed::Listen() {
  const absl::StatusOr<Conninfo> conninfo = ParseUrl(url_);
  if (!conninfo.ok()) throw std::runtime_error(std::string(conninfo.status().message()));
  pqxx::connection connection(conninfo->text);
  Receiver hosts(connection, kHostChannel);
  Receiver scans(connection, kScanChannel);
  Receiver access(connection, kAccessChannel);
  Receiver policy(connection, kPolicyChannel);
  Receiver authority(connection, kAuthorityChannel);
  spdlog::info("listening for changes of other controllers");
  if (callbacks_.connected) callbacks_.connected();
  do {
    connection.get_notifs();
    std::vector<std::string> host_ids = hosts.Take();
    if (!host_ids.empty() && callbacks_.hosts) callbacks_.hosts(std::move(host_ids));
    for (std::string& scan_id : scans.Take()) {
      if (callbacks_.scan) callbacks_.scan(std::move(scan_id));
    }
    std::vector<std::string> access_ids = access.Take();
    if (!access_ids.empty() && callbacks_.access) callbacks_.access(std::move(access_ids));
    if (!policy.Take().empty() && callbacks_.policy) callbacks_.policy();
    if (!authority.Take().empty() && callbacks_.authority) callbacks_.authority();
  } while (Await(connection, stop_fd_));
}

void ChangeFeed::Run() {
  do {
    const absl::Status status = Guard("listen for changes", [this] {
      Listen();
      return absl::OkStatus();
    });
    // Messages of a failed connection may quote what the URL holds.
    if (!status.ok()) {
      spdlog::warn("not listening for changes code={} retry_seconds={}",
                   absl::StatusCodeToString(status.code()), absl::ToInt64Seconds(kPause));
    }
  } while (Pause());
}

}  // namespace plimsoll::store
