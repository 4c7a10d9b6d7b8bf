#include "controller/notify/syslog_connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

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

// How long a receiver of plain TCP may take to close after us.
constexpr std::chrono::seconds kClosing(1);

// Looks the name up on a thread that is left to itself after `deadline`: the system's resolver
// knows no other end than its own.
template <class Protocol>
typename Protocol::resolver::results_type Resolve(const std::string& host, const std::string& port,
                                                  std::chrono::steady_clock::time_point deadline,
                                                  error_code& error) {
  using Answer = std::pair<typename Protocol::resolver::results_type, error_code>;
  std::promise<Answer> promise;
  std::future<Answer> answer = promise.get_future();
  std::thread([host, port, promise = std::move(promise)]() mutable {
    asio::io_context io;
    typename Protocol::resolver resolver(io);
    Answer found;
    found.first = resolver.resolve(host, port, found.second);
    promise.set_value(std::move(found));
  }).detach();
  if (answer.wait_until(deadline) != std::future_status::ready) {
    error = asio::error::timed_out;
    return {};
  }
  Answer found = answer.get();
  error = found.second;
  return std::move(found.first);
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
      const auto found = Resolve<asio::ip::udp>(host, port, deadline_, error);
      if (error) return Failed("cannot be found", error);
      receiver_ = found.begin()->endpoint();
      datagrams_.open(receiver_.protocol(), error);
      return error ? Failed("cannot be reached", error) : absl::OkStatus();
    }
    const auto found = Resolve<asio::ip::tcp>(host, port, deadline_, error);
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
    if (target_.transport() == v1::SyslogTarget::UDP) return absl::OkStatus();
    const error_code error = IsTls() ? CloseTls() : CloseTcp();
    return error ? Failed("broke off", error) : absl::OkStatus();
  }

 private:
  error_code CloseTls() {
    error_code error;
    stream_.async_shutdown([&error](const error_code& e) { error = e; });
    if (!Run()) return asio::error::timed_out;
    // Many receivers close without a word of their own; ours was sent.
    return error.category() == asio::error::get_system_category() ? error : error_code();
  }

  error_code CloseTcp() {
    asio::ip::tcp::socket& socket = stream_.next_layer();
    error_code error;
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    if (error) return error;
    std::array<char, 256> unasked;
    asio::async_read(socket, asio::buffer(unasked),
                     [&error](const error_code& e, size_t) { error = e; });
    io_.restart();
    io_.run_until(std::min(deadline_, std::chrono::steady_clock::now() + kClosing));
    if (!io_.stopped()) {
      // Some keep their side open. What is acknowledged their system has.
      int unacknowledged = 1;
      const bool known = ioctl(socket.native_handle(), SIOCOUTQ, &unacknowledged) == 0;
      if (known && unacknowledged == 0) return BreakOff(), error_code();
      if (!Run()) return asio::error::timed_out;
    }
    return error == asio::error::eof ? error_code() : error;
  }

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
    BreakOff();
    return false;
  }

  void BreakOff() {
    error_code ignored;
    stream_.next_layer().close(ignored);
    io_.restart();
    io_.run();
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
