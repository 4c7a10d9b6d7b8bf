#include "controller/cli/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "proto/support/clock.h"

namespace plimsoll::cli {
namespace {

constexpr size_t kLongestRequest = 16 << 10;
// A browser that connects sends at once; one that only connects does not keep others out.
constexpr timeval kSilence = {1, 0};
constexpr char kSignedIn[] =
    "You are signed in. You may close this page and go back to the terminal.\n";

// The head of a request, as far as it came.
std::string ReadHead(int fd) {
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kSilence, sizeof kSilence);
  std::string head;
  char buffer[4096];
  while (head.size() < kLongestRequest && !absl::StrContains(head, "\r\n\r\n")) {
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) break;
    head.append(buffer, static_cast<size_t>(n));
  }
  return head;
}

// Empty: the request is for something else.
std::string CodeIn(absl::string_view head) {
  absl::string_view line = head.substr(0, head.find("\r\n"));
  if (!absl::ConsumePrefix(&line, "GET /?code=")) return "";
  const absl::string_view code = line.substr(0, line.find(' '));
  const bool plain = std::all_of(code.begin(), code.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_';
  });
  return plain ? std::string(code) : "";
}

void Answer(int fd, absl::string_view status, absl::string_view text) {
  const std::string answer =
      absl::StrCat("HTTP/1.1 ", status,
                   "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ", text.size(),
                   "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n", text);
  (void)send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
}

}  // namespace

absl::StatusOr<LoopbackListener> LoopbackListener::Open() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || bind(fd, raw, size) != 0 || listen(fd, 8) != 0 ||
      getsockname(fd, raw, &size) != 0) {
    const std::string why = std::strerror(errno);
    if (fd >= 0) close(fd);
    return absl::UnavailableError(absl::StrCat("cannot listen on 127.0.0.1: ", why));
  }
  return LoopbackListener(fd, ntohs(address.sin_port));
}

LoopbackListener::LoopbackListener(LoopbackListener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), port_(other.port_) {}

LoopbackListener::~LoopbackListener() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::string> LoopbackListener::AwaitCode(absl::Duration patience) {
  const support::Clock& clock = support::Clock::Real();
  const absl::Time deadline = clock.Now() + patience;
  while (clock.Now() < deadline) {
    pollfd waiting = {fd_, POLLIN, 0};
    const int64_t left = absl::ToInt64Milliseconds(deadline - clock.Now());
    if (poll(&waiting, 1, static_cast<int>(std::max<int64_t>(left, 0))) <= 0) continue;
    const int connection = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    const std::string code = CodeIn(ReadHead(connection));
    Answer(connection, code.empty() ? "404 Not Found" : "200 OK", code.empty() ? "" : kSignedIn);
    close(connection);
    if (!code.empty()) return code;
  }
  return absl::DeadlineExceededError("nobody signed in; run the command again");
}

}  // namespace plimsoll::cli
