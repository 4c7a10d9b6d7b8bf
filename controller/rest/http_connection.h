// One connection of the HTTPS server, from handshake to goodbye.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/rest/http_server.h"

namespace plimsoll::rest {

using TlsStream = boost::beast::ssl_stream<boost::beast::tcp_stream>;

// What stopping must reach of a connection.
struct Connection {
  explicit Connection(TlsStream& stream) : stream(stream) {}
  TlsStream& stream;
  // A request is under way. Of the book's lock, as is `events`.
  bool busy = false;
  std::shared_ptr<EventSource> events;
};

// The connections that are open. Thread-safe.
class ConnectionBook {
 public:
  // Limits and counters outlive it.
  ConnectionBook(const HttpServerOptions& options, HttpCounters& counters)
      : options_(options), counters_(counters) {}

  // One more connection of `peer`; false: too many, or stopping. Leave takes it back.
  bool Admit(const std::string& peer) ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const std::string& peer) ABSL_LOCKS_EXCLUDED(mutex_);

  // Between handshake and goodbye.
  void Open(Connection* connection) ABSL_LOCKS_EXCLUDED(mutex_);
  void Close(Connection* connection) ABSL_LOCKS_EXCLUDED(mutex_);
  // False: the server stops, and this connection takes no further request.
  bool SetBusy(Connection& connection, bool busy) ABSL_LOCKS_EXCLUDED(mutex_);
  // Null: no stream any more. A server that stops closes the source at once.
  void SetEvents(Connection& connection, std::shared_ptr<EventSource> events)
      ABSL_LOCKS_EXCLUDED(mutex_);

  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on nobody is admitted; ends connections that wait for a request, and streams of
  // events. False: called before.
  bool Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until no connection is open, at most `patience`.
  void AwaitEmpty(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);
  // Cuts off what is left. No thread serves any more.
  void CutAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const HttpServerOptions& options_;
  HttpCounters& counters_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<Connection*> open_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> peers_ ABSL_GUARDED_BY(mutex_);
};

// What the connections of one server share.
struct ServerShared {
  ServerShared(HttpServerOptions with, HttpHandler answers)
      : options(std::move(with)),
        handler(std::move(answers)),
        context(options.threads),
        book(options, counters) {}
  HttpServerOptions options;
  const HttpHandler handler;
  boost::asio::io_context context;
  absl::Mutex tls_mutex;
  // Of connections from now on; those that are open keep theirs.
  std::shared_ptr<boost::asio::ssl::context> tls ABSL_GUARDED_BY(tls_mutex);
  HttpCounters counters;
  ConnectionBook book;
};

// Serves one admitted connection until it ends. Runs on the socket's executor.
boost::asio::awaitable<void> ServeConnection(std::shared_ptr<ServerShared> shared,
                                             boost::asio::ip::tcp::socket socket, std::string peer);

}  // namespace plimsoll::rest
