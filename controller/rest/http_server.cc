#include "controller/rest/http_server.h"

#include <spdlog/spdlog.h>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/rest/http_connection.h"

namespace plimsoll::rest {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

absl::StatusOr<tcp::endpoint> ParseAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  error_code error;
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (colon == std::string::npos || error || !absl::SimpleAtoi(text.substr(colon + 1), &port) ||
      port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not ADDRESS:PORT, e.g. 0.0.0.0:7445"));
  }
  return tcp::endpoint(address, static_cast<uint16_t>(port));
}

absl::StatusOr<std::shared_ptr<asio::ssl::context>> MakeTls(const std::string& key_pem,
                                                            const std::string& certificate_pem) {
  error_code error;
  auto made = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  asio::ssl::context& tls = *made;
  tls.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1 |
                      asio::ssl::context::no_sslv2 | asio::ssl::context::no_sslv3 |
                      asio::ssl::context::single_dh_use,
                  error);
  SSL_CTX_set_options(tls.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(tls.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  tls.use_certificate_chain(asio::buffer(certificate_pem), error);
  if (!error) tls.use_private_key(asio::buffer(key_pem), asio::ssl::context::pem, error);
  if (error) return absl::InvalidArgumentError("the server's certificate or key is not usable");
  return made;
}

// An IPv4 address is one, also where the socket is of IPv6 and takes both.
std::string PeerOf(const tcp::endpoint& remote) {
  const asio::ip::address address = remote.address();
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address.to_string();
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpServerOptions options, HttpHandler handler)
      : shared_(std::make_shared<ServerShared>(std::move(options), std::move(handler))),
        acceptor_(shared_->context) {}

  absl::Status Listen() {
    auto endpoint = ParseAddress(shared_->options.address);
    if (!endpoint.ok()) return endpoint.status();
    HttpServerOptions& options = shared_->options;
    if (auto status = SetIdentity(options.key_pem, options.certificate_pem); !status.ok())
      return status;
    options.key_pem.clear();
    error_code error;
    acceptor_.open(endpoint->protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(*endpoint, error);
    if (!error) acceptor_.listen(1024, error);
    if (error) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", shared_->options.address, ": ", error.message()));
    }
    port_ = acceptor_.local_endpoint().port();
    asio::co_spawn(shared_->context, Accept(shared_, acceptor_), asio::detached);
    for (int i = 0; i < shared_->options.threads; ++i) {
      threads_.emplace_back([shared = shared_] { shared->context.run(); });
    }
    return absl::OkStatus();
  }

  absl::Status SetIdentity(const std::string& key_pem, const std::string& certificate_pem) {
    auto tls = MakeTls(key_pem, certificate_pem);
    if (!tls.ok()) return tls.status();
    absl::MutexLock lock(&shared_->tls_mutex);
    shared_->tls = *std::move(tls);
    return absl::OkStatus();
  }

  void Stop(absl::Duration grace) {
    if (!shared_->book.Stop()) return;
    asio::post(shared_->context, [this] {
      error_code ignored;
      acceptor_.close(ignored);
    });
    shared_->book.AwaitEmpty(grace);
    shared_->context.stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    // What is left waits for handlers; its clients need not.
    shared_->book.CutAll();
    error_code ignored;
    acceptor_.close(ignored);
  }

  int port() const { return port_; }
  const HttpCounters& counters() const { return shared_->counters; }

 private:
  static asio::awaitable<void> Accept(std::shared_ptr<ServerShared> shared,
                                      tcp::acceptor& acceptor) {
    for (;;) {
      error_code error;
      tcp::socket socket = co_await acceptor.async_accept(
          asio::make_strand(shared->context), asio::redirect_error(asio::use_awaitable, error));
      if (shared->book.stopping() || error == asio::error::operation_aborted) co_return;
      if (error) {
        // Out of descriptors, or a client that left: wait a little rather than spin.
        asio::steady_timer pause(shared->context, std::chrono::milliseconds(50));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      const tcp::endpoint remote = socket.remote_endpoint(error);
      const std::string peer = error ? "" : PeerOf(remote);
      if (error || !shared->book.Admit(peer)) continue;
      const auto executor = socket.get_executor();
      asio::co_spawn(executor, ServeConnection(shared, std::move(socket), peer),
                     [shared, peer](const std::exception_ptr& failure) {
                       if (failure) spdlog::error("connection broke peer={}", peer);
                       shared->book.Leave(peer);
                     });
    }
  }

  const std::shared_ptr<ServerShared> shared_;
  tcp::acceptor acceptor_;
  std::vector<std::thread> threads_;
  int port_ = 0;
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options,
                                                              HttpHandler handler) {
  auto impl = std::make_shared<Impl>(std::move(options), std::move(handler));
  if (auto status = impl->Listen(); !status.ok()) return status;
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { Stop(absl::ZeroDuration()); }
void HttpServer::Stop(absl::Duration grace) { impl_->Stop(grace); }
absl::Status HttpServer::SetIdentity(const std::string& key_pem,
                                     const std::string& certificate_pem) {
  return impl_->SetIdentity(key_pem, certificate_pem);
}
int HttpServer::port() const { return impl_->port(); }
const HttpCounters& HttpServer::counters() const { return impl_->counters(); }

}  // namespace plimsoll::rest
