#include "controller/notify/syslog_connection.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace plimsoll::notify {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// "host:port", "[address]:port".
void Split(const std::string& server, std::string& host, std::string& port) {
  const size_t colon = server.rfind(':');
  absl::string_view name = absl::string_view(server).substr(0, colon);
  if (absl::ConsumePrefix(&name, "[")) absl::ConsumeSuffix(&name, "]");
  host = std::string(name);
  port = colon == std::string::npos ? "" : server.substr(colon + 1);
}

class Connection : public SyslogConnection {
 public:
  Connection(const v1::SyslogTarget& target, absl::Duration timeout)
      : target_(target),
        deadline_(std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(timeout)) {}

  absl::Status Open() {
    std::string host, port;
    Split(target_.server(), host, port);
    error_code error;
    if (target_.transport() == v1::SyslogTarget::UDP) {
      asio::ip::udp::resolver resolver(io_);
      const auto found = resolver.resolve(host, port, error);
      if (error) return Failed("cannot be found", error);
      receiver_ = found.begin()->endpoint();
      datagrams_.open(receiver_.protocol(), error);
      return error ? Failed("cannot be reached", error) : absl::OkStatus();
    }
    asio::ip::tcp::resolver resolver(io_);
    const auto found = resolver.resolve(host, port, error);
    if (error) return Failed("cannot be found", error);
    asio::async_connect(stream_.next_layer(), found,
                        [&error](const error_code& e, const auto&) { error = e; });
    if (!Run()) error = asio::error::timed_out;
    if (error) return Failed("cannot be reached", error);
    if (target_.transport() == v1::SyslogTarget::TCP) return absl::OkStatus();
    return Handshake(host);
  }

  absl::Status Write(const std::string& message) override {
    error_code error;
    if (target_.transport() == v1::SyslogTarget::UDP) {
      datagrams_.send_to(asio::buffer(message), receiver_, 0, error);
    } else {
      const std::string framed = absl::StrCat(message.size(), " ", message);
      const auto done = [&error](const error_code& e, size_t) { error = e; };
      if (IsTls()) {
        asio::async_write(stream_, asio::buffer(framed), done);
      } else {
        asio::async_write(stream_.next_layer(), asio::buffer(framed), done);
      }
      if (!Run()) error = asio::error::timed_out;
    }
    return error ? Failed("did not take a message", error) : absl::OkStatus();
  }

  absl::Status Close() override {
    error_code error;
    if (target_.transport() == v1::SyslogTarget::UDP) return absl::OkStatus();
    if (IsTls()) {
      // Many receivers close without a word of their own; ours was sent.
      stream_.async_shutdown([](const error_code&) {});
      Run();
    }
    stream_.next_layer().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    if (error && error != asio::error::not_connected) return Failed("broke off", error);
    return absl::OkStatus();
  }

 private:
  bool IsTls() const { return target_.transport() != v1::SyslogTarget::TCP; }

  absl::Status Handshake(const std::string& host) {
    error_code error;
    if (target_.ca_pem().empty()) {
      context_.set_default_verify_paths(error);
    } else {
      context_.add_certificate_authority(asio::buffer(target_.ca_pem()), error);
    }
    if (error) return Failed("has authorities that cannot be read (ca_pem)", error);
    // The context the stream was made of is the one just filled.
    SSL_set1_verify_cert_store(stream_.native_handle(),
                               SSL_CTX_get_cert_store(context_.native_handle()));
    SSL_set_tlsext_host_name(stream_.native_handle(), host.c_str());
    stream_.set_verify_mode(asio::ssl::verify_peer);
    stream_.set_verify_callback(asio::ssl::host_name_verification(host));
    stream_.async_handshake(asio::ssl::stream_base::client,
                            [&error](const error_code& e) { error = e; });
    if (!Run()) error = asio::error::timed_out;
    return error ? Failed("refused TLS", error) : absl::OkStatus();
  }

  // False: not done in time; what is under way is broken off.
  bool Run() {
    io_.restart();
    io_.run_until(deadline_);
    if (io_.stopped()) return true;
    error_code ignored;
    stream_.next_layer().close(ignored);
    io_.restart();
    io_.run();
    return false;
  }

  absl::Status Failed(absl::string_view what, const error_code& error) const {
    return absl::UnavailableError(
        absl::StrCat("syslog: ", target_.server(), " ", what, ": ", error.message()));
  }

  const v1::SyslogTarget target_;
  // Of everything together.
  const std::chrono::steady_clock::time_point deadline_;
  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_client};
  asio::ssl::stream<asio::ip::tcp::socket> stream_{io_, context_};
  asio::ip::udp::socket datagrams_{io_};
  asio::ip::udp::endpoint receiver_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SyslogConnection>> SyslogConnection::Open(
    const v1::SyslogTarget& target, absl::Duration timeout) {
  auto connection = std::make_unique<Connection>(target, timeout);
  if (auto status = connection->Open(); !status.ok()) return status;
  return connection;
}

}  // namespace plimsoll::notify
