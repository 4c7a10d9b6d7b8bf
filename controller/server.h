// The controller as a whole: everything wired, serving until told to stop.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "controller/config.h"

namespace plimsoll::controller {

// Thread-compatible but for Stop.
class Server {
 public:
  // Opens the database (starting the embedded one if none is configured), the CA and both ports.
  // Errors name what could not be opened and why.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Config& config);
  virtual ~Server() = default;

  // Serves until Stop, then drains: sessions are told to go elsewhere, what is being committed is
  // committed.
  virtual void Run() = 0;
  // Any thread may call it.
  virtual void Stop() = 0;
};

}  // namespace plimsoll::controller
