// Where a browser on this machine brings back the code of a sign-in.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace plimsoll::cli {

// A port of 127.0.0.1, open as long as it lives. Not thread-safe.
class LoopbackListener {
 public:
  // UNAVAILABLE: no port is to be had.
  static absl::StatusOr<LoopbackListener> Open();
  LoopbackListener(LoopbackListener&& other) noexcept;
  ~LoopbackListener();

  int port() const { return port_; }
  // Answers requests until one is for "/?code=...", and returns that code, of base64url characters.
  // DEADLINE_EXCEEDED: none came.
  absl::StatusOr<std::string> AwaitCode(absl::Duration patience);

 private:
  LoopbackListener(int fd, int port) : fd_(fd), port_(port) {}
  int fd_;
  int port_;
};

}  // namespace plimsoll::cli
