// An HTTP server on a unix socket, as raw as a test wants it.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace plimsoll::test {

// One end of a connection, in the server's hands. Reads and writes block until the client closes.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  // The next request's first line; empty when the client has closed.
  std::string NextRequest() {
    char buffer[4096];
    size_t end = 0;
    while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
      const ssize_t got = ::read(fd_, buffer, sizeof(buffer));
      if (got <= 0) return "";
      pending_.append(buffer, static_cast<size_t>(got));
    }
    const std::string line = pending_.substr(0, pending_.find("\r\n"));
    pending_.erase(0, end + 4);
    return line;
  }
  void Send(const std::string& text) {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t n = ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  }
  void Reply(const std::string& status, const std::string& body, const std::string& headers = "") {
    Send(absl::StrCat("HTTP/1.1 ", status, "\r\n", headers, "Content-Length: ", body.size(),
                      "\r\n\r\n", body));
  }

 private:
  const int fd_;
  std::string pending_;
};

// Serves each connection on a thread of its own; ends when destroyed.
class UnixServer {
 public:
  using Serve = std::function<void(Peer&)>;
  explicit UnixServer(Serve serve) : serve_(std::move(serve)) {
    char directory[] = "/tmp/plimsoll-engine-XXXXXX";
    directory_ = ::mkdtemp(directory);
    path_ = directory_ + "/docker.sock";
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener_, 128), 0);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~UnixServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    for (const int fd : fds_) ::shutdown(fd, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
  }
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;
  const std::string& path() const { return path_; }
  int connections() const { return connections_; }

 private:
  void Accept() {
    while (true) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      // A copy keeps the number from being used again before the server ends.
      fds_.push_back(::dup(fd));
      threads_.emplace_back([this, fd] {
        Peer peer(fd);
        serve_(peer);
        ::shutdown(fd, SHUT_RDWR);
        ::close(fd);
      });
    }
  }

  const Serve serve_;
  std::string directory_, path_;
  int listener_ = -1;
  std::atomic<int> connections_ = 0;
  std::thread acceptor_;
  std::vector<std::thread> threads_;
  std::vector<int> fds_;
};

}  // namespace plimsoll::test
