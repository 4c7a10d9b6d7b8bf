#include "collector/host/unix_docker_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstring>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Error = boost::system::error_code;
using Unix = asio::local::stream_protocol;
using Stream = beast::basic_stream<Unix, asio::io_context::executor_type>;
using Reply = std::function<void(size_t index, absl::StatusOr<std::string> body)>;

constexpr uint32_t kMaxHeaderBytes = 64 << 10;
// A usual reply in one read; Beast would otherwise ask for 512 bytes at a time.
constexpr size_t kReadBytes = 16 << 10;

absl::Status ConnectError(const Error& error, absl::string_view socket) {
  const std::string text = absl::StrCat("connect to ", socket, ": ", error.message());
  if (error == asio::error::access_denied) {
    return absl::PermissionDeniedError(
        absl::StrCat(text, "; run the collector as root or in the socket's group"));
  }
  return absl::UnavailableError(text);
}

absl::Status HttpStatusError(unsigned status, absl::string_view path) {
  const std::string text = absl::StrCat("GET ", path, ": HTTP ", status);
  switch (status) {
    case 400:
      return absl::InvalidArgumentError(
          absl::StrCat(text, "; the engine refuses this request or this API version"));
    case 401:
    case 403:
      return absl::PermissionDeniedError(
          absl::StrCat(text, "; an authorization plugin or a socket proxy refuses it"));
    case 404:
      return absl::NotFoundError(text);
    case 503:
      return absl::FailedPreconditionError(absl::StrCat(text, "; not a swarm manager"));
    default:
      return status < 400 ? absl::DataLossError(text) : absl::UnavailableError(text);
  }
}

absl::Status TransferError(const Error& error, absl::string_view path) {
  const std::string text = absl::StrCat("GET ", path, ": ", error.message());
  if (error == beast::error::timeout) {
    return absl::DeadlineExceededError(
        absl::StrCat("GET ", path, ": no complete reply before the deadline"));
  }
  if (error == http::error::body_limit || error == http::error::buffer_overflow) {
    return absl::ResourceExhaustedError(absl::StrCat("GET ", path, ": the reply is too long"));
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return absl::UnavailableError(absl::StrCat("GET ", path, ": the connection broke"));
  }
  if (error.category() == http::make_error_code(http::error::bad_method).category()) {
    return absl::DataLossError(absl::StrCat(text, "; the socket does not speak HTTP"));
  }
  return absl::UnavailableError(text);
}

bool IsTarget(absl::string_view path) {
  if (path.empty() || path[0] != '/') return false;
  for (const char c : path) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

}  // namespace

// The requests of one call, handed out one by one.
class UnixDockerClient::Batch {
 public:
  Batch(const std::vector<std::string>& paths, int timeouts_allowed, const Reply& reply)
      : paths_(paths), timeouts_allowed_(timeouts_allowed), reply_(reply) {}

  // The next request to send; none when all are handed out or refused.
  std::optional<size_t> Next() {
    for (; next_ < paths_.size(); ++next_) {
      if (timeouts_ >= timeouts_allowed_) {
        reply_(next_, absl::DeadlineExceededError(absl::StrCat(
                          "GET ", paths_[next_], ": not sent, the engine stopped answering")));
      } else if (!IsTarget(paths_[next_])) {
        reply_(next_, absl::InvalidArgumentError("not a path that can be sent"));
      } else {
        return next_++;
      }
    }
    return std::nullopt;
  }
  void Finish(size_t index, absl::StatusOr<std::string> body) {
    if (absl::IsDeadlineExceeded(body.status())) ++timeouts_;
    reply_(index, std::move(body));
  }
  const std::string& path(size_t index) const { return paths_[index]; }

 private:
  const std::vector<std::string>& paths_;
  const int timeouts_allowed_;
  const Reply& reply_;
  size_t next_ = 0;
  int timeouts_ = 0;
};

// One connection, and the request it is busy with.
class UnixDockerClient::Connection {
 public:
  Connection(asio::io_context& io, const DockerClientOptions& options)
      : io_(io), options_(options) {
    buffer_.reserve(kReadBytes);
  }

  void Work(Batch& batch) {
    batch_ = &batch;
    TakeNext();
  }

 private:
  void TakeNext() {
    const std::optional<size_t> next = batch_->Next();
    if (!next.has_value()) return;
    index_ = *next;
    deadline_ =
        std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(options_.request_timeout);
    request_ = {http::verb::get, batch_->path(index_), 11};
    request_.set(http::field::host, "docker");
    request_.set(http::field::user_agent, "plimsoll-collector");
    request_.set(http::field::accept, "application/json");
    reused_ = stream_.has_value();
    if (reused_) {
      Send();
    } else {
      Connect();
    }
  }

  void Connect() {
    reused_ = false;
    buffer_.clear();
    stream_.emplace(io_);
    stream_->expires_at(deadline_);
    stream_->async_connect(Unix::endpoint(options_.socket_path), [this](const Error& error) {
      if (!error) return Send();
      Fail(error == beast::error::timeout ? TransferError(error, batch_->path(index_))
                                          : ConnectError(error, options_.socket_path));
    });
  }

  void Send() {
    parser_.emplace();
    parser_->body_limit(static_cast<uint64_t>(options_.max_reply_bytes));
    parser_->header_limit(kMaxHeaderBytes);
    stream_->expires_at(deadline_);
    http::async_write(*stream_, request_, [this](const Error& error, size_t) {
      if (error) return Broken(error);
      http::async_read(*stream_, buffer_, *parser_,
                       [this](const Error& error, size_t) { Received(error); });
    });
  }

  // A kept connection may have been closed before our request arrived: ask once more on a new one.
  void Broken(const Error& error) {
    if (reused_ && !parser_->got_some() && error != beast::error::timeout) return Connect();
    Fail(TransferError(error, batch_->path(index_)));
  }

  void Received(const Error& error) {
    if (error) return Broken(error);
    const unsigned status = parser_->get().result_int();
    if (!parser_->keep_alive()) stream_.reset();
    if (status == 200) {
      batch_->Finish(index_, std::move(parser_->get().body()));
    } else {
      batch_->Finish(index_, HttpStatusError(status, batch_->path(index_)));
    }
    parser_.reset();
    TakeNext();
  }

  void Fail(absl::Status status) {
    parser_.reset();
    stream_.reset();
    batch_->Finish(index_, std::move(status));
    TakeNext();
  }

  asio::io_context& io_;
  const DockerClientOptions& options_;
  std::optional<Stream> stream_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  std::chrono::steady_clock::time_point deadline_;
  Batch* batch_ = nullptr;
  size_t index_ = 0;
  // The connection served a request before this one.
  bool reused_ = false;
};

struct UnixDockerClient::Pool {
  void Run(const std::vector<std::string>& paths, const DockerClientOptions& options,
           const Reply& reply) {
    const size_t wanted = static_cast<size_t>(std::max(1, options.concurrency));
    Batch batch(paths, static_cast<int>(wanted), reply);
    while (connections.size() < std::min(wanted, paths.size())) {
      connections.push_back(std::make_unique<Connection>(io, options));
    }
    for (size_t i = 0; i < std::min(wanted, paths.size()); ++i) connections[i]->Work(batch);
    io.restart();
    io.run();
  }

  asio::io_context io{1};
  std::vector<std::unique_ptr<Connection>> connections;
};

UnixDockerClient::UnixDockerClient(DockerClientOptions options)
    : options_(std::move(options)), pool_(std::make_unique<Pool>()) {}

UnixDockerClient::~UnixDockerClient() = default;

absl::StatusOr<std::string> UnixDockerClient::Get(absl::string_view path) {
  absl::StatusOr<std::string> result = absl::UnknownError("no reply");
  const std::vector<std::string> paths = {std::string(path)};
  const Reply reply = [&](size_t, absl::StatusOr<std::string> body) { result = std::move(body); };
  if (options_.socket_path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::UnavailableError("the socket's path is longer than the system allows");
  }
  pool_->Run(paths, options_, reply);
  return result;
}

void UnixDockerClient::GetEach(const std::vector<std::string>& paths, const Done& done) {
  const Reply reply = [&](size_t index, absl::StatusOr<std::string> body) {
    if (body.ok()) {
      done(index, absl::string_view(*body));
    } else {
      done(index, body.status());
    }
  };
  if (options_.socket_path.size() >= sizeof(sockaddr_un::sun_path)) {
    for (size_t i = 0; i < paths.size(); ++i) {
      reply(i, absl::UnavailableError("the socket's path is longer than the system allows"));
    }
    return;
  }
  pool_->Run(paths, options_, reply);
}

absl::StatusOr<PeerCredentials> UnixDockerClient::Peer() {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (options_.socket_path.size() >= sizeof(address.sun_path)) {
    return absl::UnavailableError("the socket's path is longer than the system allows");
  }
  std::memcpy(address.sun_path, options_.socket_path.data(), options_.socket_path.size());
  Unix::socket socket(pool_->io);
  Error error;
  socket.open(Unix(), error);
  if (!error) socket.native_non_blocking(true, error);
  if (!error && ::connect(socket.native_handle(), reinterpret_cast<const sockaddr*>(&address),
                          sizeof(address)) != 0) {
    error = Error(errno, boost::system::system_category());
  }
  if (error) return ConnectError(error, options_.socket_path);
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return absl::UnavailableError(
        absl::StrCat("SO_PEERCRED of ", options_.socket_path, ": ", std::strerror(errno)));
  }
  return PeerCredentials{peer.pid, peer.uid};
}

}  // namespace plimsoll::host
