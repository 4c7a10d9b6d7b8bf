// systemd over D-Bus, where libsystemd is present at run time.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::host {

// Properties of a unit as systemd reports them.
struct UnitProperties {
  // "loaded", "masked", "not-found", "error", "bad-setting".
  std::string load_state;
  std::string fragment_path;
  std::vector<std::string> drop_in_paths;
  int64_t main_pid = 0;
  // (kind, address) of a socket unit.
  std::vector<std::pair<std::string, std::string>> listen;
  std::string socket_user;
  std::string socket_group;
  // Octal text, e.g. "0660".
  std::string socket_mode;
};

// Errors: UNIMPLEMENTED (no libsystemd here, or systemd is not PID 1), UNAVAILABLE (bus closed to
// us), DEADLINE_EXCEEDED. Runs no command. Thread-compatible.
class SystemdBus {
 public:
  virtual ~SystemdBus() = default;
  virtual absl::StatusOr<UnitProperties> Unit(absl::string_view name) = 0;
};

}  // namespace plimsoll::host
