// Requests through libcurl to a server that answers anything.
#include "controller/access/web_fetch.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::access {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Gives every request the same answer, one connection after the other.
class AnswerServer {
 public:
  explicit AnswerServer(std::string answer)
      : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const at = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, at, size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    EXPECT_EQ(getsockname(listener_, at, &size), 0);
    url_ = absl::StrCat("http://127.0.0.1:", ntohs(address.sin_port), "/a");
    thread_ = std::thread([this] { Serve(); });
  }
  ~AnswerServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  const std::string& url() const { return url_; }
  std::vector<std::string> requests() {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }

 private:
  // Forms in these tests end with "end".
  static bool IsWhole(const std::string& request) {
    return absl::EndsWith(request, absl::StartsWith(request, "POST") ? "end" : "\r\n\r\n");
  }
  void Serve() {
    for (int client; (client = accept(listener_, nullptr, nullptr)) >= 0; close(client)) {
      std::string request;
      char chunk[4096];
      for (ssize_t got; !IsWhole(request) && (got = recv(client, chunk, sizeof chunk, 0)) > 0;) {
        request.append(chunk, static_cast<size_t>(got));
      }
      {
        absl::MutexLock lock(&mutex_);
        requests_.push_back(request);
      }
      for (size_t sent = 0; sent < answer_.size();) {
        const ssize_t more =
            send(client, answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
        if (more <= 0) break;
        sent += static_cast<size_t>(more);
      }
    }
  }

  const std::string answer_;
  const int listener_;
  std::string url_;
  absl::Mutex mutex_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

std::string Answer(const std::string& body, const std::string& head = "200 OK") {
  return absl::StrCat("HTTP/1.1 ", head, "\r\nConnection: close\r\nContent-Length: ", body.size(),
                      "\r\n\r\n", body);
}

TEST(WebFetch, SendsWhatItIsGiven) {
  AnswerServer server(Answer("{}"));
  const auto got = CurlFetch("")({.url = server.url(), .bearer = "b-1"});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "{}");
  const auto posted =
      CurlFetch("")({.url = server.url(), .form = "a=1&end", .user = "u", .password = "p"});
  ASSERT_TRUE(posted.ok()) << posted.status();
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_THAT(requests[0],
              AllOf(HasSubstr("GET /a HTTP/1.1\r\n"), HasSubstr("Authorization: Bearer b-1\r\n")));
  EXPECT_THAT(requests[1],
              AllOf(HasSubstr("POST /a HTTP/1.1\r\n"), HasSubstr("Authorization: Basic dTpw\r\n"),
                    HasSubstr("\r\n\r\na=1&end"), Not(HasSubstr("b-1"))));
}

// A provider cannot send the controller, with its secret, elsewhere.
TEST(WebFetch, FollowsNoRedirect) {
  AnswerServer elsewhere(Answer("{}"));
  AnswerServer server(Answer("moved", absl::StrCat("302 Found\r\nLocation: ", elsewhere.url())));
  const auto got = CurlFetch("")({.url = server.url()});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->status, 302);
  EXPECT_TRUE(elsewhere.requests().empty());
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(WebFetch, TakesNoEndlessAnswer) {
  AnswerServer full(Answer(std::string(256 << 10, 'x')));
  const auto most = CurlFetch("")({.url = full.url()});
  ASSERT_TRUE(most.ok()) << most.status();
  EXPECT_EQ(most->body.size(), size_t{256 << 10});
  AnswerServer longer(Answer(std::string(300 << 10, 'x')));
  const absl::Status status = CurlFetch("")({.url = longer.url()}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(status.message(), "the answer is too long");
}

TEST(WebFetch, SaysWhatWasWrongAndNoSecret) {
  AnswerServer silent("");
  const absl::Status status =
      CurlFetch("")({.url = silent.url(), .user = "u", .password = "hush", .bearer = ""}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hush")));
  EXPECT_TRUE(absl::IsInvalidArgument(CurlFetch("")({.url = "http://id.example"}).status()));
}

}  // namespace
}  // namespace plimsoll::access
