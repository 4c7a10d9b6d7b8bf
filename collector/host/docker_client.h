// The Docker Engine API over its unix socket: the collector's only way to the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace plimsoll::host {

// Limits of one engine conversation.
struct DockerClientOptions {
  std::string socket_path = "/run/docker.sock";
  // For each request, from sending to the last byte.
  absl::Duration request_timeout = absl::Seconds(10);
  // Replies longer than this are refused with RESOURCE_EXHAUSTED.
  int64_t max_reply_bytes = int64_t{64} << 20;
  // Connections used by GetEach.
  int concurrency = 8;
};

// The process at the other end of the socket.
struct PeerCredentials {
  int64_t pid = 0;
  int64_t uid = 0;
};

// Sends GET and nothing else. Implementations are thread-compatible.
//
// Errors of both calls: UNAVAILABLE (no socket, nobody listens, connection broken),
// PERMISSION_DENIED (EACCES or 403), NOT_FOUND (404), DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED (reply
// too long), FAILED_PRECONDITION (503: not a swarm manager), INVALID_ARGUMENT (400), DATA_LOSS (not
// HTTP). Messages name the path and never hold a reply's body beyond the engine's own error
// message.
class DockerClient {
 public:
  virtual ~DockerClient() = default;

  // The body of a 200 reply. `path` starts with "/" and has the version prefix already.
  virtual absl::StatusOr<std::string> Get(absl::string_view path) = 0;

  // Gets every path over a few connections at once, and calls `done(index, body)` on this thread as
  // replies come in, in any order. Returns when all are done. A body is valid for the call only.
  using Done = std::function<void(size_t index, absl::StatusOr<absl::string_view> body)>;
  virtual void GetEach(const std::vector<std::string>& paths, const Done& done) = 0;

  // SO_PEERCRED of a connection to the socket.
  virtual absl::StatusOr<PeerCredentials> Peer() = 0;
};

}  // namespace plimsoll::host
