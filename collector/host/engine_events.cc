#include "collector/host/engine_events.h"

#include <sys/un.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/none.hpp>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "collector/host/json.h"

namespace plimsoll::host {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Error = boost::system::error_code;
using Unix = asio::local::stream_protocol;
using UnixStream = beast::basic_stream<Unix, asio::io_context::executor_type>;

constexpr uint32_t kMaxHeaderBytes = 64 << 10;
constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kMaxWordBytes = 64;
constexpr size_t kMaxIdBytes = 512;
constexpr size_t kMaxNameBytes = 255;

// Cuts a stream of bytes into lines, in bounded memory.
class Lines {
 public:
  explicit Lines(size_t max_bytes) : max_bytes_(max_bytes) {}

  void Add(absl::string_view bytes, const EngineEventSink& sink) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      Extend(bytes.substr(0, end));
      if (end == absl::string_view::npos) return;
      bytes.remove_prefix(end + 1);
      Finish(sink);
    }
  }

 private:
  void Extend(absl::string_view piece) {
    too_long_ = too_long_ || line_.size() + piece.size() > max_bytes_;
    if (too_long_) {
      std::string().swap(line_);
    } else {
      line_.append(piece.data(), piece.size());
    }
  }

  void Finish(const EngineEventSink& sink) {
    const absl::string_view text = absl::StripAsciiWhitespace(line_);
    if (too_long_) {
      sink.skipped();
    } else if (!text.empty()) {
      const absl::StatusOr<EngineEvent> event = ParseEngineEvent(text);
      if (event.ok()) sink.event(*event);
      if (!event.ok()) sink.skipped();
    }
    too_long_ = false;
    line_.clear();
    if (line_.capacity() > kReadBytes) line_.shrink_to_fit();
  }

  const size_t max_bytes_;
  std::string line_;
  bool too_long_ = false;
};

absl::Status StatusOfReply(unsigned status) {
  const std::string text = absl::StrCat("GET /events: HTTP ", status);
  if (status == 400) return absl::InvalidArgumentError(text);
  if (status == 401 || status == 403) {
    return absl::PermissionDeniedError(
        absl::StrCat(text, "; allow the collector /events, or changes are found by polling only"));
  }
  return absl::UnavailableError(text);
}

absl::Status StatusOfError(const Error& error) {
  const std::string text = absl::StrCat("GET /events: ", error.message());
  if (error == beast::error::timeout) return absl::DeadlineExceededError(text);
  if (error == asio::error::access_denied) return absl::PermissionDeniedError(text);
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return absl::DataLossError(absl::StrCat(text, "; the socket does not speak HTTP"));
  }
  return absl::UnavailableError(text);
}

}  // namespace

absl::StatusOr<EngineEvent> ParseEngineEvent(absl::string_view line) {
  const absl::StatusOr<JsonDocument> document = JsonDocument::Parse(line);
  if (!document.ok()) return document.status();
  JsonErrors errors;
  const JsonObject from = document->Object(errors);
  const JsonObject actor = from.Object("Actor");
  const JsonObject attributes = actor.Object("Attributes");
  const absl::string_view type = from.String("Type");
  const absl::string_view action = from.String("Action");
  const absl::string_view id = actor.String("ID");
  const absl::string_view container = attributes.String("container");
  const absl::string_view name = attributes.String("name");
  if (!errors.status().ok()) return errors.status();
  if (type.empty() || type.size() > kMaxWordBytes || action.empty() || id.size() > kMaxIdBytes ||
      container.size() > kMaxIdBytes) {
    return absl::DataLossError("event: a name of impossible length");
  }
  EngineEvent event;
  event.time_ns = from.Int("timeNano").value_or(0);
  event.type = std::string(type);
  event.action = std::string(action.substr(0, kMaxNameBytes));
  event.id = std::string(id);
  event.name = std::string(name.substr(0, kMaxNameBytes));
  event.container = std::string(container);
  return event;
}

// Lives on the thread of Stream, but for `cancelled` and what is posted to `io`.
struct UnixEngineEvents::Connection {
  explicit Connection(const EngineEventsOptions& options) : options(options) {}

  absl::Status Run(absl::string_view path, const EngineEventSink& to) {
    if (cancelled) return absl::CancelledError("no more events are wanted");
    sink = &to;
    lines.emplace(options.max_line_bytes);
    buffer.clear();
    parser.emplace();
    parser->body_limit(boost::none);
    parser->header_limit(kMaxHeaderBytes);
    request = {http::verb::get, {path.data(), path.size()}, 11};
    request.set(http::field::host, "docker");
    request.set(http::field::user_agent, "plimsoll-collector");
    request.set(http::field::accept, "application/json");
    result = absl::OkStatus();
    stream.emplace(io);
    stream->expires_after(absl::ToChronoNanoseconds(options.header_timeout));
    stream->async_connect(Unix::endpoint(options.socket_path), [this](const Error& error) {
      if (error) return End(StatusOfError(error));
      http::async_write(*stream, request, [this](const Error& error, size_t) {
        if (error) return End(StatusOfError(error));
        ReadHeader();
      });
    });
    io.restart();
    io.run();
    stream.reset();
    return cancelled ? absl::CancelledError("no more events are wanted") : result;
  }

  void ReadHeader() {
    http::async_read_header(*stream, buffer, *parser, [this](const Error& error, size_t) {
      if (error) return End(StatusOfError(error));
      if (parser->get().result_int() != 200) {
        return End(StatusOfReply(parser->get().result_int()));
      }
      stream->expires_never();
      sink->opened();
      ReadBody();
    });
  }

  void ReadBody() {
    if (parser->is_done()) return End(absl::UnavailableError("GET /events: the stream ended"));
    http::buffer_body::value_type& body = parser->get().body();
    body.data = chunk.data();
    body.size = chunk.size();
    body.more = true;
    http::async_read_some(*stream, buffer, *parser, [this](const Error& error, size_t) {
      lines->Add({chunk.data(), chunk.size() - parser->get().body().size}, *sink);
      if (error && error != http::error::need_buffer) return End(StatusOfError(error));
      ReadBody();
    });
  }

  // The last handler to run: nothing is pending after it.
  void End(absl::Status status) {
    result = std::move(status);
    stream->close();
  }

  const EngineEventsOptions& options;
  std::atomic<bool> cancelled = false;
  asio::io_context io{1};
  std::optional<UnixStream> stream;
  beast::flat_buffer buffer{kMaxHeaderBytes + kReadBytes};
  std::optional<http::response_parser<http::buffer_body>> parser;
  http::request<http::empty_body> request;
  std::array<char, kReadBytes> chunk;
  std::optional<Lines> lines;
  const EngineEventSink* sink = nullptr;
  absl::Status result;
};

UnixEngineEvents::UnixEngineEvents(EngineEventsOptions options)
    : options_(std::move(options)), connection_(std::make_unique<Connection>(options_)) {}

UnixEngineEvents::~UnixEngineEvents() = default;

absl::Status UnixEngineEvents::Stream(absl::string_view path, const EngineEventSink& sink) {
  if (options_.socket_path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::UnavailableError("the socket's path is longer than the system allows");
  }
  return connection_->Run(path, sink);
}

void UnixEngineEvents::Cancel() {
  connection_->cancelled = true;
  asio::post(connection_->io, [connection = connection_.get()] {
    if (connection->stream.has_value()) connection->stream->close();
  });
}

}  // namespace plimsoll::host
