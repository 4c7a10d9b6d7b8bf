// One connection to a syslog receiver.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/notification_service.pb.h"

namespace plimsoll::notify {

// Messages framed as the transport has it (RFC 5425, 6587 octet counting, 5426). Blocking, all
// calls together at most the time-out. Not thread-safe. Errors are UNAVAILABLE and name the server.
class SyslogConnection {
 public:
  // TLS: the server's certificate must be valid for its name.
  static absl::StatusOr<std::unique_ptr<SyslogConnection>> Open(const v1::SyslogTarget& target,
                                                                absl::Duration timeout);
  virtual ~SyslogConnection() = default;
  virtual absl::Status Write(const std::string& message) = 0;
  // OK: the receiver has closed in its turn or, at least, its system has taken all of it (UDP: it
  // was sent).
  virtual absl::Status Close() = 0;
};

}  // namespace plimsoll::notify
