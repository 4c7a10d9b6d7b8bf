#include "collector/host/unix_docker_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/host/json.h"
#include "tests/support/unix_server.h"

namespace plimsoll::host {
namespace {

using test::Peer;
using Server = test::UnixServer;

UnixDockerClient Client(const std::string& path, absl::Duration timeout = absl::Seconds(20)) {
  DockerClientOptions options;
  options.socket_path = path;
  options.request_timeout = timeout;
  options.max_reply_bytes = 40 << 20;
  options.concurrency = 4;
  return UnixDockerClient(options);
}

// Answers every request with its own first line.
void Echo(Peer& peer) {
  for (std::string line = peer.NextRequest(); !line.empty(); line = peer.NextRequest()) {
    peer.Reply("200 OK", line);
  }
}

TEST(UnixDockerClient, SendsGetAndKeepsTheConnection) {
  Server server(Echo);
  auto client = Client(server.path());
  for (const char* path : {"/version", "/v1.41/info", "/v1.41/containers/json?all=1"}) {
    EXPECT_EQ(*client.Get(path), absl::StrCat("GET ", path, " HTTP/1.1"));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(UnixDockerClient, MapsStatusesAndHoldsNoReply) {
  const struct {
    const char* status;
    absl::StatusCode code;
  } kCases[] = {
      {"400 Bad Request", absl::StatusCode::kInvalidArgument},
      {"401 Unauthorized", absl::StatusCode::kPermissionDenied},
      {"403 Forbidden", absl::StatusCode::kPermissionDenied},
      {"404 Not Found", absl::StatusCode::kNotFound},
      {"500 Internal Server Error", absl::StatusCode::kUnavailable},
      {"503 Service Unavailable", absl::StatusCode::kFailedPrecondition},
      {"302 Found", absl::StatusCode::kDataLoss},
      {"204 No Content", absl::StatusCode::kDataLoss},
  };
  for (const auto& c : kCases) {
    Server server([&](Peer& peer) {
      while (!peer.NextRequest().empty()) peer.Reply(c.status, "{\"message\":\"MARKER\"}");
    });
    auto client = Client(server.path());
    const auto body = client.Get("/v1.41/info");
    EXPECT_EQ(body.status().code(), c.code) << c.status;
    const std::string message(body.status().message());
    EXPECT_NE(message.find("/v1.41/info"), std::string::npos) << message;
    EXPECT_EQ(message.find("MARKER"), std::string::npos) << message;
  }
}

TEST(UnixDockerClient, ReadsChunks) {
  Server server([](Peer& peer) {
    while (!peer.NextRequest().empty()) {
      peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
      peer.Send("4\r\ndefg\r\n0\r\n\r\n");
    }
  });
  auto client = Client(server.path());
  EXPECT_EQ(*client.Get("/a"), "abcdefg");
  EXPECT_EQ(*client.Get("/b"), "abcdefg");
  EXPECT_EQ(server.connections(), 1);
}

TEST(UnixDockerClient, AHungEngineIsADeadline) {
  Server server([](Peer& peer) {
    while (!peer.NextRequest().empty()) {
    }
  });
  auto client = Client(server.path(), absl::Milliseconds(30));
  EXPECT_EQ(client.Get("/version").status().code(), absl::StatusCode::kDeadlineExceeded);
  // Half a reply is none.
  Server slow([](Peer& peer) {
    peer.NextRequest();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    peer.NextRequest();
  });
  auto other = Client(slow.path(), absl::Milliseconds(30));
  EXPECT_EQ(other.Get("/version").status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(UnixDockerClient, AHungEngineCostsNoDeadlineForEachObject) {
  std::atomic<int> requests = 0;
  Server server([&](Peer& peer) {
    while (!peer.NextRequest().empty()) ++requests;
  });
  auto client = Client(server.path(), absl::Milliseconds(30));
  const std::vector<std::string> paths(1000, "/x");
  int deadlines = 0;
  client.GetEach(paths, [&](size_t, absl::StatusOr<absl::string_view> body) {
    deadlines += absl::IsDeadlineExceeded(body.status()) ? 1 : 0;
  });
  EXPECT_EQ(deadlines, 1000);
  EXPECT_LE(requests, 8);
}

TEST(UnixDockerClient, OneSlowObjectHoldsUpNoOther) {
  Server server([](Peer& peer) {
    for (std::string line = peer.NextRequest(); !line.empty(); line = peer.NextRequest()) {
      if (line.find("/slow") == std::string::npos) peer.Reply("200 OK", "{}");
    }
  });
  auto client = Client(server.path(), absl::Seconds(2));
  std::vector<std::string> paths(100, "/fast");
  paths[3] = "/slow";
  int fine = 0;
  absl::Status slow;
  client.GetEach(paths, [&](size_t index, absl::StatusOr<absl::string_view> body) {
    fine += body.ok() ? 1 : 0;
    if (index == 3) slow = body.status();
  });
  EXPECT_EQ(fine, 99);
  EXPECT_EQ(slow.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(UnixDockerClient, ABrokenReplyIsUnavailable) {
  Server server([](Peer& peer) {
    peer.NextRequest();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  });
  auto client = Client(server.path());
  EXPECT_EQ(client.Get("/version").status().code(), absl::StatusCode::kUnavailable);
}

TEST(UnixDockerClient, AsksOnceMoreWhenAKeptConnectionWasClosed) {
  // Promises to keep the connection, and closes it after one reply.
  std::atomic<int> closed = 0;
  Server server([&](Peer& peer) {
    peer.Reply("200 OK", peer.NextRequest());
    ++closed;
  });
  auto client = Client(server.path());
  for (int i = 0; i < 3; ++i) {
    const auto body = client.Get(absl::StrCat("/", i));
    ASSERT_TRUE(body.ok()) << body.status();
    EXPECT_EQ(*body, absl::StrCat("GET /", i, " HTTP/1.1"));
    while (closed <= i) std::this_thread::yield();
  }
  EXPECT_EQ(server.connections(), 3);
}

TEST(UnixDockerClient, DoesNotAskForEver) {
  std::atomic<int> requests = 0;
  Server server([&](Peer& peer) {
    if (!peer.NextRequest().empty()) ++requests;
  });
  auto client = Client(server.path());
  EXPECT_EQ(client.Get("/x").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(requests, 1);
}

TEST(UnixDockerClient, RespectsConnectionClose) {
  Server server(
      [](Peer& peer) { peer.Reply("200 OK", peer.NextRequest(), "Connection: close\r\n"); });
  auto client = Client(server.path());
  EXPECT_TRUE(client.Get("/a").ok());
  EXPECT_TRUE(client.Get("/b").ok());
  EXPECT_EQ(server.connections(), 2);
}

TEST(UnixDockerClient, RefusesRepliesBeyondTheLimit) {
  Server server([](Peer& peer) {
    peer.NextRequest();
    peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    peer.NextRequest();
  });
  auto client = Client(server.path());
  EXPECT_EQ(client.Get("/x").status().code(), absl::StatusCode::kResourceExhausted);
  Server endless([](Peer& peer) {
    peer.NextRequest();
    peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = absl::StrCat("100000\r\n", std::string(1 << 20, 'x'), "\r\n");
    for (int i = 0; i < 50; ++i) peer.Send(chunk);
    peer.NextRequest();
  });
  auto other = Client(endless.path());
  EXPECT_EQ(other.Get("/x").status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(UnixDockerClient, TakesAndParsesThirtyMegabytes) {
  std::string body = R"({"Id":"x","Env":[)";
  while (body.size() < (30u << 20)) body += R"("KEY=0123456789012345678901234567890123456789",)";
  body += R"("END=1"],"Last":true})";
  Server server([&](Peer& peer) {
    peer.NextRequest();
    peer.Reply("200 OK", body);
    peer.NextRequest();
  });
  auto client = Client(server.path());
  const auto reply = client.Get("/x");
  ASSERT_TRUE(reply.ok()) << reply.status();
  const auto document = JsonDocument::Parse(*reply);
  ASSERT_TRUE(document.ok()) << document.status();
  JsonErrors errors;
  EXPECT_EQ(document->Object(errors).Bool("Last"), true);
}

TEST(UnixDockerClient, GarbageIsNotHttp) {
  Server server([](Peer& peer) {
    peer.NextRequest();
    peer.Send("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    peer.NextRequest();
  });
  auto client = Client(server.path());
  EXPECT_EQ(client.Get("/x").status().code(), absl::StatusCode::kDataLoss);
}

TEST(UnixDockerClient, NamesWhyThereIsNoConnection) {
  for (const std::string& path : {std::string("/tmp/plimsoll-no-such-directory/docker.sock"),
                                  std::string("/etc/passwd"), std::string(200, 'x')}) {
    auto client = Client(path);
    EXPECT_EQ(client.Get("/x").status().code(), absl::StatusCode::kUnavailable) << path;
    EXPECT_EQ(client.Peer().status().code(), absl::StatusCode::kUnavailable) << path;
    int calls = 0;
    client.GetEach({"/a", "/b"}, [&](size_t, absl::StatusOr<absl::string_view> body) {
      ++calls;
      EXPECT_EQ(body.status().code(), absl::StatusCode::kUnavailable) << path;
    });
    EXPECT_EQ(calls, 2);
  }
}

TEST(UnixDockerClient, NoRightToTheSocketIsPermissionDenied) {
  if (::geteuid() == 0) {
    // Root may open any socket: look from a process of another user.
    Server server(Echo);
    ASSERT_EQ(::chmod(server.path().c_str(), 0600), 0);
    absl::Status get;
    absl::Status peer;
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
      auto client = Client(server.path());
      get = client.Get("/x").status();
      peer = client.Peer().status();
      ::_exit(absl::IsPermissionDenied(get) && absl::IsPermissionDenied(peer) ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    return;
  }
  Server server(Echo);
  ASSERT_EQ(::chmod(server.path().c_str(), 0), 0);
  auto client = Client(server.path());
  EXPECT_EQ(client.Get("/x").status().code(), absl::StatusCode::kPermissionDenied);
}

TEST(UnixDockerClient, PathsThatCouldBreakARequestAreNotSent) {
  Server server(Echo);
  auto client = Client(server.path());
  for (const char* path : {"", "version", "/a b", "/a\r\nX: y", "/\x01"}) {
    EXPECT_EQ(client.Get(path).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(UnixDockerClient, GetsManyOverFewConnections) {
  Server server(Echo);
  auto client = Client(server.path());
  std::vector<std::string> paths;
  for (int i = 0; i < 500; ++i) paths.push_back(absl::StrCat("/object/", i));
  std::vector<std::string> bodies(paths.size());
  const std::thread::id here = std::this_thread::get_id();
  for (int round = 0; round < 2; ++round) {
    client.GetEach(paths, [&](size_t index, absl::StatusOr<absl::string_view> body) {
      EXPECT_EQ(std::this_thread::get_id(), here);
      ASSERT_TRUE(body.ok()) << body.status();
      bodies[index] = std::string(*body);
    });
    for (size_t i = 0; i < paths.size(); ++i) {
      EXPECT_EQ(bodies[i], absl::StrCat("GET ", paths[i], " HTTP/1.1"));
    }
  }
  EXPECT_LE(server.connections(), 4);
  client.GetEach({}, [](size_t, absl::StatusOr<absl::string_view>) { FAIL(); });
}

TEST(UnixDockerClient, KnowsWhoListens) {
  Server server(Echo);
  auto client = Client(server.path());
  const auto peer = client.Peer();
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(peer->uid, static_cast<int64_t>(::geteuid()));
}
}  // namespace
}  // namespace plimsoll::host
