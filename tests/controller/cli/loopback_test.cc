#include "controller/cli/loopback.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::cli {
namespace {

// A connection to the listener; its first `text` is sent.
int Connect(int port, const std::string& text) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  return fd;
}

std::string ReadAll(int fd) {
  std::string all;
  char buffer[4096];
  for (ssize_t n = 0; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    all.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return all;
}

TEST(Loopback, PassesOverEverythingButACode) {
  auto listener = LoopbackListener::Open();
  ASSERT_TRUE(listener.ok()) << listener.status();
  std::vector<std::string> answers;
  std::thread browser([&answers, port = listener->port()] {
    // Connects ahead of need, as browsers do, and says nothing.
    const int idle = Connect(port, "");
    for (const char* request :
         {"GET /favicon.ico HTTP/1.1\r\n\r\n", "GET /?code= HTTP/1.1\r\n\r\n",
          "GET /?code=<script> HTTP/1.1\r\n\r\n", "GET /?code=a&x=y HTTP/1.1\r\n\r\n",
          "POST /?code=abc HTTP/1.1\r\n\r\n", "\x16\x03\x01\r\n\r\n",
          "GET /?code=abc-_09 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"}) {
      answers.push_back(ReadAll(Connect(port, request)));
    }
    close(idle);
  });
  const auto code = listener->AwaitCode(absl::Seconds(60));
  browser.join();
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, "abc-_09");
  ASSERT_EQ(answers.size(), 7u);
  for (size_t i = 0; i < 6; ++i) EXPECT_TRUE(absl::StartsWith(answers[i], "HTTP/1.1 404")) << i;
  EXPECT_TRUE(absl::StrContains(answers[6], "You are signed in")) << answers[6];
}

TEST(Loopback, WaitsNoLongerThanItShould) {
  auto listener = LoopbackListener::Open();
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(listener->AwaitCode(absl::Milliseconds(20)).status()));
}

}  // namespace
}  // namespace plimsoll::cli
