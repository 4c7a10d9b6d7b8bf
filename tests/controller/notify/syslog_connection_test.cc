#include "controller/notify/syslog_connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::notify {
namespace {

// A port of this machine that listens.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { close(fd_); }
  int fd() const { return fd_; }
  v1::SyslogTarget Target() const {
    v1::SyslogTarget target;
    target.set_server(absl::StrCat("localhost:", port_));
    target.set_transport(v1::SyslogTarget::TCP);
    return target;
  }

 private:
  const int fd_;
  int port_ = 0;
};

absl::Status Send(const v1::SyslogTarget& target, const std::string& message) {
  auto connection = SyslogConnection::Open(target, absl::Seconds(20));
  if (!connection.ok()) return connection.status();
  if (auto status = (*connection)->Write(message); !status.ok()) return status;
  return (*connection)->Close();
}

std::string ReadAll(int fd) {
  std::string all;
  char buffer[4096];
  for (ssize_t size = 0; (size = read(fd, buffer, sizeof(buffer))) > 0;) all.append(buffer, size);
  return all;
}

TEST(SyslogConnectionTest, TcpIsOverWhenTheReceiverHasReadAll) {
  const Listener listener;
  const std::string message(100'000, 'x');
  std::string read;
  std::thread receiver([&] {
    const int fd = accept(listener.fd(), nullptr, nullptr);
    read = ReadAll(fd);
    close(fd);
  });
  const absl::Status status = Send(listener.Target(), message);
  receiver.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(read, absl::StrCat("100000 ", message));
}

TEST(SyslogConnectionTest, AReceiverThatKeepsItsSideOpenHasTakenIt) {
  const Listener listener;
  const absl::Status status = Send(listener.Target(), "m");
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SyslogConnectionTest, AReceiverThatThrowsItAwayHasNot) {
  const Listener listener;
  std::thread receiver([&] {
    const int fd = accept(listener.fd(), nullptr, nullptr);
    char first = 0;
    EXPECT_EQ(read(fd, &first, 1), 1);
    // The rest is unread: the connection is reset.
    close(fd);
  });
  const absl::Status status = Send(listener.Target(), std::string(100, 'x'));
  receiver.join();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST(SyslogConnectionTest, SaysWhoCannotBeFoundOrReached) {
  v1::SyslogTarget target;
  target.set_server("no such name:514");
  for (const auto transport : {v1::SyslogTarget::TCP, v1::SyslogTarget::UDP}) {
    target.set_transport(transport);
    const absl::Status status = Send(target, "m");
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "no such name:514 cannot be found")) << status;
  }
}

}  // namespace
}  // namespace plimsoll::notify
