// The floor of a collection: fetches what the collector fetches from the engine, in the same order
// and over as many connections, and throws it away. Nothing is parsed; ids are found by their key.
//
//   collect_floor SOCKET [CONNECTIONS]     prints "SECONDS CALLS BYTES"
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Unix = asio::local::stream_protocol;

// One connection, kept open.
class Connection {
 public:
  explicit Connection(const std::string& path) : socket_(io_) {
    socket_.connect(Unix::endpoint(path));
  }

  std::string Get(const std::string& target) {
    http::request<http::empty_body> request(http::verb::get, target, 11);
    request.set(http::field::host, "docker");
    http::write(socket_, request);
    http::response_parser<http::string_body> reply;
    reply.body_limit(boost::none);
    http::read(socket_, buffer_, reply);
    if (reply.get().result() != http::status::ok) {
      throw std::runtime_error("GET " + target + ": HTTP " +
                               std::to_string(reply.get().result_int()));
    }
    return std::move(reply.get().body());
  }

 private:
  asio::io_context io_{1};
  Unix::socket socket_;
  boost::beast::flat_buffer buffer_;
};

class Client {
 public:
  Client(std::string socket, size_t connections)
      : socket_(std::move(socket)), connections_(connections) {}

  std::string Get(const std::string& target) {
    std::string body = At(0).Get(target);
    Count(body);
    return body;
  }

  // Gets every target, one thread for each connection.
  void GetEach(const std::vector<std::string>& targets) {
    std::atomic<size_t> next = 0;
    std::exception_ptr error;
    std::atomic<bool> failed = false;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < std::min(connections_.size(), targets.size()); ++i) {
      threads.emplace_back([&, i] {
        try {
          for (size_t at = next++; at < targets.size(); at = next++) Count(At(i).Get(targets[at]));
        } catch (...) {
          if (!failed.exchange(true)) error = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
  }

  size_t calls() const { return calls_; }
  size_t bytes() const { return bytes_; }

 private:
  Connection& At(size_t index) {
    if (!connections_[index]) connections_[index] = std::make_unique<Connection>(socket_);
    return *connections_[index];
  }
  void Count(const std::string& body) {
    ++calls_;
    bytes_ += body.size();
  }

  const std::string socket_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::atomic<size_t> calls_ = 0;
  std::atomic<size_t> bytes_ = 0;
};

// PREFIX + id + "/json" for every "Id" of a listing.
std::vector<std::string> Inspects(const std::string& prefix, const std::string& listing) {
  static constexpr char kKey[] = "\"Id\":\"";
  std::vector<std::string> targets;
  for (size_t at = listing.find(kKey); at != std::string::npos; at = listing.find(kKey, at)) {
    at += sizeof(kKey) - 1;
    targets.push_back(prefix + listing.substr(at, listing.find('"', at) - at) + "/json");
  }
  return targets;
}

void CollectAll(Client& client) {
  client.Get("/version");
  client.Get("/info");
  client.Get("/volumes");
  client.GetEach(Inspects("/containers/", client.Get("/containers/json?all=1")));
  client.GetEach(Inspects("/images/", client.Get("/images/json")));
  client.Get("/networks");
  client.Get("/networks/bridge");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: collect_floor SOCKET [CONNECTIONS]\n");
    return 2;
  }
  try {
    Client client(argv[1], argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 8);
    const auto start = std::chrono::steady_clock::now();
    CollectAll(client);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%.4f %zu %zu\n", took.count(), client.calls(), client.bytes());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "collect_floor: %s\n", error.what());
    return 1;
  }
}
