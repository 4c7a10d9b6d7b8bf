// The engine's stream of events: GET /events over its unix socket.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace plimsoll::host {

// One event, with what tells which object changed. Texts are hostile; none is longer than 512
// bytes.
struct EngineEvent {
  // The engine's clock, nanoseconds since 1970; 0: not sent.
  int64_t time_ns = 0;
  // "container", "image", "network", ...; and "create", "exec_create: sh", ... Never empty.
  std::string type;
  std::string action;
  // Actor.ID: of an image it may be a reference ("bb:latest").
  std::string id;
  // Actor attributes "name", cut to 255 bytes, and "container" (of networks: who came or went).
  // Empty: not sent.
  std::string name;
  std::string container;
};

// Parses one line of the stream. Error: DATA_LOSS, without a byte of the line. Pure; any bytes are
// safe.
absl::StatusOr<EngineEvent> ParseEngineEvent(absl::string_view line);

// Where the stream's lines go. All are called on the thread that called Stream.
struct EngineEventSink {
  // The engine has accepted the request: later changes will be heard of.
  std::function<void()> opened;
  std::function<void(const EngineEvent&)> event;
  // A line was no event, or too long to be looked at: something happened, and nobody knows what.
  std::function<void()> skipped;
};

// Sends GET and nothing else. Stream and Cancel may be called from different threads; one Stream at
// a time.
class EngineEvents {
 public:
  virtual ~EngineEvents() = default;

  // Blocks until the stream ends, however long it is silent; never OK. `path` starts with "/" and
  // has the version prefix already. Errors: CANCELLED (see Cancel), UNAVAILABLE (no socket, nobody
  // listens, or the stream ended), PERMISSION_DENIED, INVALID_ARGUMENT (400: wrong version),
  // DEADLINE_EXCEEDED (no header in time), DATA_LOSS (not HTTP).
  virtual absl::Status Stream(absl::string_view path, const EngineEventSink& sink) = 0;

  // Ends the running Stream and every later one at once.
  virtual void Cancel() = 0;
};

// Limits of one stream.
struct EngineEventsOptions {
  std::string socket_path = "/run/docker.sock";
  // An engine that is starting accepts connections long before it answers.
  absl::Duration header_timeout = absl::Seconds(60);
  // Longer lines are skipped. An event carries every label of its container.
  size_t max_line_bytes = size_t{512} << 10;
};

// By Boost.Beast. Memory is bounded by max_line_bytes; an idle stream uses no timer.
class UnixEngineEvents : public EngineEvents {
 public:
  explicit UnixEngineEvents(EngineEventsOptions options);
  ~UnixEngineEvents() override;

  absl::Status Stream(absl::string_view path, const EngineEventSink& sink) override;
  void Cancel() override;

 private:
  struct Connection;
  const EngineEventsOptions options_;
  const std::unique_ptr<Connection> connection_;
};

}  // namespace plimsoll::host
