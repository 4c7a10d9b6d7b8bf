// Asks a controller for summaries over HTTPS at a fixed rate, for tests/bench/fleet.
//
//   rest_load PORT TOKEN_FILE RATE SECONDS SLOW
//
// RATE requests a second over 8 connections that are kept, by turns over both shipped baselines and
// selectors of fleet_sim's labels; each is sent when its time has come, whether or not those before
// it are answered, and timed from then. Meanwhile SLOW other connections (from 127.0.0.2 on, 500 an
// address) each send a header one byte every few seconds and come again when they are cut off.
// Prints {"count": N, "p50": MS, "p99": MS, "max": MS, "slow": CONNECTED}.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Stream = boost::beast::ssl_stream<tcp::socket>;

constexpr int kConnections = 8;
constexpr int kSlowAddress = 500;
constexpr std::chrono::seconds kConnectTime{60};
const char* const kSelectors[] = {"",
                                  "env%3Dprod",
                                  "env%3Dprod%2C%21legacy",
                                  "env%21%3Ddev",
                                  "team",
                                  "env%20in%20%28prod%2Cdev%29"};

// Connects from `source` and shakes hands; null: could not.
std::unique_ptr<Stream> Connect(asio::io_context& io, asio::ssl::context& tls, const char* source,
                                int port) {
  boost::system::error_code error;
  auto stream = std::make_unique<Stream>(io, tls);
  tcp::socket& socket = stream->next_layer();
  socket.open(tcp::v4(), error);
  if (!error) socket.bind({asio::ip::make_address(source), 0}, error);
  if (!error) {
    socket.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)}, error);
  }
  if (!error) socket.set_option(tcp::no_delay(true), error);
  if (!error) stream->handshake(asio::ssl::stream_base::client, error);
  return error ? nullptr : std::move(stream);
}

// One after the other, each when its time has come.
void Ask(int number, int port, const std::string& token, double rate, int seconds,
         std::vector<double>& times) {
  asio::io_context io;
  asio::ssl::context tls(asio::ssl::context::tls_client);
  auto stream = Connect(io, tls, "127.0.0.1", port);
  if (stream == nullptr) std::exit(1);
  const auto pace = std::chrono::duration<double>(kConnections / rate);
  const auto begin =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(pace * number / kConnections);
  boost::beast::flat_buffer buffer;
  for (int i = 0; pace * i < std::chrono::seconds(seconds); ++i) {
    const auto due = begin + std::chrono::duration_cast<Clock::duration>(pace * i);
    std::this_thread::sleep_until(due);
    const std::string target =
        std::string("/v1/baselines/") + (i % 2 == 0 ? "azure-docker" : "edge-docker") +
        "/summary?selector=" + kSelectors[(i + number) % std::size(kSelectors)];
    http::request<http::empty_body> request(http::verb::get, target, 11);
    request.set(http::field::host, "localhost");
    request.set(http::field::authorization, "Bearer " + token);
    http::response<http::string_body> response;
    boost::system::error_code error;
    http::write(*stream, request, error);
    if (!error) http::read(*stream, buffer, response, error);
    if (error || response.result() != http::status::ok) {
      std::fprintf(stderr, "rest_load: %d %s\n", response.result_int(), error.message().c_str());
      std::exit(1);
    }
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - due).count());
  }
}

// Keeps `count` connections that trickle, until told to stop.
void Trickle(int first, int count, int port, const std::atomic<bool>& stop,
             std::atomic<int>& connected) {
  asio::io_context io;
  asio::ssl::context tls(asio::ssl::context::tls_client);
  std::vector<std::unique_ptr<Stream>> slow(count);
  const std::string head = "GET /v1/hosts HTTP/1.1\r\nX-Slow: ";
  while (!stop) {
    int alive = 0;
    for (int i = 0; i < count && !stop; ++i) {
      boost::system::error_code error;
      if (slow[i] == nullptr) {
        const std::string source = "127.0.0." + std::to_string(2 + (first + i) / kSlowAddress);
        slow[i] = Connect(io, tls, source.c_str(), port);
        if (slow[i] != nullptr) asio::write(*slow[i], asio::buffer(head), error);
      } else {
        asio::write(*slow[i], asio::buffer("x", 1), error);
      }
      if (error) slow[i] = nullptr;
      alive += slow[i] != nullptr;
    }
    connected += alive;
    for (int i = 0; i < 30 && !stop; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (!stop) connected -= alive;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: rest_load PORT TOKEN_FILE RATE SECONDS SLOW\n");
    return 2;
  }
  const int port = std::atoi(argv[1]);
  std::string token;
  std::ifstream(argv[2]) >> token;
  const double rate = std::atof(argv[3]);
  const int seconds = std::atoi(argv[4]);
  const int slow = std::atoi(argv[5]);
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  std::atomic<bool> stop{false};
  std::atomic<int> connected{0};
  std::vector<std::thread> trickling;
  for (int i = 0; i < slow; i += kSlowAddress) {
    trickling.emplace_back(
        [&, i] { Trickle(i, std::min(kSlowAddress, slow - i), port, stop, connected); });
  }
  for (const auto begin = Clock::now(); connected < slow;) {
    if (Clock::now() - begin > kConnectTime) {
      std::fprintf(stderr, "rest_load: %d of %d slow connections within %lld s\n", connected.load(),
                   slow, static_cast<long long>(kConnectTime.count()));
      // Threads that still connect are not waited for.
      std::_Exit(1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::vector<std::vector<double>> times(kConnections);
  std::vector<std::thread> asking;
  for (int i = 0; i < kConnections; ++i) {
    asking.emplace_back([&, i] { Ask(i, port, token, rate, seconds, times[i]); });
  }
  for (std::thread& thread : asking) thread.join();
  const int left = connected;
  stop = true;
  for (std::thread& thread : trickling) thread.join();
  std::vector<double> all;
  for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  std::printf("{\"count\":%zu,\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f,\"slow\":%d}\n", all.size(),
              all[all.size() / 2], all[all.size() * 99 / 100], all.back(), left);
  return 0;
}
