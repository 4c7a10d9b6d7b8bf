// systemd over D-Bus through libsystemd, which is loaded at run time where it is installed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "collector/host/systemd_bus.h"

namespace plimsoll::host {

// Where systemd is found, and for how long to wait for it.
struct DbusSystemdOptions {
  // "" or the directory where the host's root is mounted.
  std::string host_root;
  // For each unit, connecting included.
  absl::Duration timeout = absl::Seconds(5);
  std::string soname = "libsystemd.so.0";
};

// Tries systemd's own socket (/run/systemd/private, for root) and then the system bus
// (/run/dbus/system_bus_socket); keeps the connection, and makes a new one when it broke. Sends
// LoadUnit and Properties.Get, nothing else. Beyond the interface: systemd refusing to answer or
// answering with another type is UNAVAILABLE. Thread-compatible.
class DbusSystemd : public SystemdBus {
 public:
  explicit DbusSystemd(DbusSystemdOptions options = {});
  ~DbusSystemd() override;

  absl::StatusOr<UnitProperties> Unit(absl::string_view name) override;

 private:
  struct Library;
  class Connection;
  absl::Status Connect(int64_t deadline_us);

  const DbusSystemdOptions options_;
  std::unique_ptr<Library> library_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace plimsoll::host
