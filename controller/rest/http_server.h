// An HTTPS server: TLS 1.2 and newer, HTTP/1.1 with keep-alive, bounded in everything.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/rest/http_message.h"

namespace plimsoll::rest {

struct HttpServerOptions {
  // "address:port"; port 0: any.
  std::string address = "127.0.0.1:0";
  std::string key_pem;
  std::string certificate_pem;
  int threads = 1;
  // Connections at once; the next is closed before its handshake.
  int max_connections = 4096;
  // Of them, from one address.
  int max_connections_per_peer = 1024;
  // Request line and headers.
  uint32_t max_header_bytes = 16 << 10;
  uint64_t max_body_bytes = 1 << 20;
  // From the first byte of a connection, or of a request, to its last: a client that trickles gains
  // nothing.
  absl::Duration handshake_timeout = absl::Seconds(10);
  absl::Duration request_timeout = absl::Seconds(20);
  // A connection without a request.
  absl::Duration idle_timeout = absl::Seconds(75);
  // A client that does not read its answer.
  absl::Duration write_timeout = absl::Seconds(30);
  // Silence on a stream of events before a comment is sent.
  absl::Duration event_heartbeat = absl::Seconds(15);
};

// What happened so far; each only grows but the first two.
struct HttpCounters {
  std::atomic<int64_t> open_connections{0};
  // Of them, streams of events.
  std::atomic<int64_t> event_streams{0};
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> refused_connections{0};
  std::atomic<int64_t> failed_handshakes{0};
  std::atomic<int64_t> requests{0};
  // Requests that never reached the handler: malformed, too large, too slow.
  std::atomic<int64_t> bad_requests{0};
};

// Listens from Start until Stop. Thread-safe.
class HttpServer {
 public:
  // UNAVAILABLE: cannot listen there; INVALID_ARGUMENT: address or certificate.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpServerOptions options,
                                                           HttpHandler handler);
  // As Stop with no time left.
  ~HttpServer();

  // Accepts nothing more, closes idle connections and event streams, lets requests under way end
  // until `grace` is over, joins. Idempotent.
  void Stop(absl::Duration grace);

  // For connections from now on. INVALID_ARGUMENT: key or certificate; nothing changes.
  absl::Status SetIdentity(const std::string& key_pem, const std::string& certificate_pem);

  int port() const;
  const HttpCounters& counters() const;

 private:
  class Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace plimsoll::rest
