#include "controller/rest/http_connection.h"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/rest/errors.h"
#include "controller/rest/http_codec.h"

namespace plimsoll::rest {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using Shared = std::shared_ptr<ServerShared>;

std::chrono::nanoseconds Chrono(absl::Duration duration) {
  return absl::ToChronoNanoseconds(duration);
}

// The handler's answer, wherever it is given.
asio::awaitable<HttpResponse> Ask(Shared shared, HttpRequest request) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(HttpResponse)>(
      [shared](auto done, HttpRequest asked) {
        auto kept = std::make_shared<decltype(done)>(std::move(done));
        const auto executor = asio::get_associated_executor(*kept, shared->context.get_executor());
        shared->handler(std::move(asked), [shared, kept, executor](HttpResponse response) {
          asio::post(executor, [kept, response = std::move(response)]() mutable {
            std::move (*kept)(std::move(response));
          });
        });
      },
      asio::use_awaitable, std::move(request));
}

std::string TextOf(const ServerSentEvent& event) {
  std::string text;
  if (!event.name.empty()) absl::StrAppend(&text, "event: ", event.name, "\n");
  if (!event.id.empty()) absl::StrAppend(&text, "id: ", event.id, "\n");
  absl::StrAppend(&text, "data: ", event.data, "\n\n");
  return text;
}

// Events until the client leaves, the source ends or the server stops. `head`: none.
asio::awaitable<void> SendEvents(Shared shared, Connection& connection, HttpResponse& response,
                                 std::string id, bool head) {
  const HttpServerOptions& options = shared->options;
  TlsStream& stream = connection.stream;
  auto& lowest = beast::get_lowest_layer(stream);
  shared->book.SetEvents(connection, response.events);
  error_code error;
  auto header = EventStreamHeader(response, id);
  http::response_serializer<http::empty_body> serializer(header);
  lowest.expires_after(Chrono(options.write_timeout));
  co_await http::async_write_header(stream, serializer,
                                    asio::redirect_error(asio::use_awaitable, error));
  // Set by the source's answer; the timer is woken then.
  struct Waiting {
    explicit Waiting(asio::any_io_executor executor) : timer(std::move(executor)) {}
    asio::steady_timer timer;
    bool asked = false;
    bool answered = false;
    std::optional<ServerSentEvent> event;
  };
  const auto executor = co_await asio::this_coro::executor;
  const auto waiting = std::make_shared<Waiting>(executor);
  while (!error && !head) {
    if (!waiting->asked) {
      waiting->asked = true;
      response.events->Next([waiting, executor](std::optional<ServerSentEvent> event) {
        asio::post(executor, [waiting, event = std::move(event)]() mutable {
          waiting->event = std::move(event);
          waiting->answered = true;
          waiting->timer.cancel();
        });
      });
    }
    if (!waiting->answered) {
      error_code woken;
      waiting->timer.expires_after(Chrono(options.event_heartbeat));
      co_await waiting->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    std::string text = ": still here\n\n";
    if (waiting->answered) {
      if (!waiting->event.has_value()) break;
      text = TextOf(*waiting->event);
      waiting->asked = waiting->answered = false;
    }
    lowest.expires_after(Chrono(options.write_timeout));
    co_await asio::async_write(stream, http::make_chunk(asio::buffer(text)),
                               asio::redirect_error(asio::use_awaitable, error));
  }
  response.events->Close();
  if (!error && !head) {
    lowest.expires_after(Chrono(options.write_timeout));
    co_await asio::async_write(stream, http::make_chunk_last(),
                               asio::redirect_error(asio::use_awaitable, error));
  }
  shared->book.SetEvents(connection, nullptr);
}

// What came of reading one request.
struct Read {
  // The client is; nothing is to be answered.
  bool gone = false;
  bool keep_alive = false;
  // Whatever is answered has no body.
  bool head = false;
  std::string id;
  absl::StatusOr<HttpRequest> request = HttpRequest();
  // The answer, when what came is no request of ours.
  std::optional<HttpResponse> refusal;
};

// Says that nothing more comes, and reads away, within bounds, what a refused client still sends:
// closing over it would reset the connection, and the client would not see why.
asio::awaitable<void> Discard(TlsStream& stream) {
  constexpr size_t kMost = 4 << 20;
  auto& lowest = beast::get_lowest_layer(stream);
  error_code error;
  lowest.socket().shutdown(tcp::socket::shutdown_send, error);
  lowest.expires_after(std::chrono::seconds(2));
  std::vector<char> chunk(16 << 10);
  for (size_t got = 0; !error && got < kMost;) {
    // Below TLS: what it says does not matter any more.
    const size_t more = co_await lowest.async_read_some(
        asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, error));
    got += more;
  }
}

asio::awaitable<Read> ReadRequest(Shared shared, Connection& connection, const std::string& peer,
                                  beast::flat_buffer& buffer) {
  const HttpServerOptions& options = shared->options;
  TlsStream& stream = connection.stream;
  auto& lowest = beast::get_lowest_layer(stream);
  Read read;
  error_code error;
  http::request_parser<http::string_body> parser;
  parser.header_limit(options.max_header_bytes);
  parser.body_limit(options.max_body_bytes);
  lowest.expires_after(Chrono(options.request_timeout));
  co_await http::async_read_header(stream, buffer, parser,
                                   asio::redirect_error(asio::use_awaitable, error));
  if (!error && parser.get()[http::field::expect] == "100-continue") {
    http::response<http::empty_body> go_on(http::status::continue_, 11);
    co_await http::async_write(stream, go_on, asio::redirect_error(asio::use_awaitable, error));
  }
  if (!error) {
    co_await http::async_read(stream, buffer, parser,
                              asio::redirect_error(asio::use_awaitable, error));
  }
  ++shared->counters.requests;
  read.head = parser.get().method() == http::verb::head;
  if (error) {
    ++shared->counters.bad_requests;
    read.id = NewRequestId();
    read.refusal = RefusalOf(error, read.id);
    read.gone = !read.refusal.has_value();
    co_return read;
  }
  read.keep_alive = parser.get().keep_alive();
  read.id = RequestIdOf(parser.get());
  read.request = ToRequest(parser.release(), peer, read.id);
  if (!read.request.ok()) {
    ++shared->counters.bad_requests;
    read.refusal = ErrorResponse(read.request.status(), read.id);
  }
  co_return read;
}

asio::awaitable<void> ServeRequests(Shared shared, Connection& connection, std::string peer) {
  const HttpServerOptions& options = shared->options;
  TlsStream& stream = connection.stream;
  auto& lowest = beast::get_lowest_layer(stream);
  beast::flat_buffer buffer(options.max_header_bytes + 4096);
  for (;;) {
    error_code error;
    if (buffer.size() == 0) {
      // The first byte of the next request may take its time, the rest may not.
      lowest.expires_after(Chrono(options.idle_timeout));
      const size_t got = co_await stream.async_read_some(
          buffer.prepare(4096), asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      buffer.commit(got);
    }
    if (!shared->book.SetBusy(connection, true)) co_return;
    Read read = co_await ReadRequest(shared, connection, peer, buffer);
    if (read.gone) co_return;
    HttpResponse response;
    if (read.refusal.has_value()) {
      response = *std::move(read.refusal);
    } else {
      response = co_await Ask(shared, *std::move(read.request));
    }
    if (response.events != nullptr) {
      co_await SendEvents(shared, connection, response, read.id, read.head);
      co_return;
    }
    const bool keep_alive = read.keep_alive && !shared->book.stopping();
    auto message = ToMessage(std::move(response), read.id, keep_alive, read.head);
    lowest.expires_after(Chrono(options.write_timeout));
    http::response_serializer<http::string_body> serializer(message);
    if (read.head) {
      co_await http::async_write_header(stream, serializer,
                                        asio::redirect_error(asio::use_awaitable, error));
    } else {
      co_await http::async_write(stream, serializer,
                                 asio::redirect_error(asio::use_awaitable, error));
    }
    if (!error && !keep_alive && read.refusal.has_value()) co_await Discard(stream);
    if (error || !keep_alive || !shared->book.SetBusy(connection, false)) co_return;
  }
}

}  // namespace

asio::awaitable<void> ServeConnection(Shared shared, tcp::socket socket, std::string peer) {
  error_code error;
  socket.set_option(tcp::no_delay(true), error);
  const std::shared_ptr<asio::ssl::context> tls = [&shared] {
    absl::MutexLock lock(&shared->tls_mutex);
    return shared->tls;
  }();
  TlsStream stream(std::move(socket), *tls);
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(Chrono(shared->options.handshake_timeout));
  co_await stream.async_handshake(asio::ssl::stream_base::server,
                                  asio::redirect_error(asio::use_awaitable, error));
  if (error) {
    ++shared->counters.failed_handshakes;
    co_return;
  }
  Connection connection(stream);
  shared->book.Open(&connection);
  co_await ServeRequests(shared, connection, peer);
  shared->book.Close(&connection);
  // A client that does not answer the goodbye is cut off.
  lowest.expires_after(std::chrono::seconds(2));
  co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
}

}  // namespace plimsoll::rest
