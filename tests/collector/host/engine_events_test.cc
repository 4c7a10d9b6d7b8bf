#include "collector/host/engine_events.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "tests/support/unix_server.h"

namespace plimsoll::host {
namespace {

using test::Peer;
using test::UnixServer;

constexpr char kHeader[] =
    "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

// As engine 20.10 writes it.
std::string Event(const std::string& action, const std::string& id = "c1") {
  return absl::StrCat(R"({"status":")", action, R"(","id":")", id,
                      R"(","from":"bb","Type":"container","Action":")", action,
                      R"(","Actor":{"ID":")", id, R"(","Attributes":{"image":"bb","name":"web"}},)",
                      R"("scope":"local","time":1795828646,"timeNano":1795828646294564001})", "\n");
}

std::string Chunk(const std::string& bytes) {
  return absl::StrFormat("%x\r\n%s\r\n", bytes.size(), bytes);
}

// Everything one stream said, until it ended.
struct Heard {
  std::vector<std::string> actions;
  int opened = 0;
  int skipped = 0;
  absl::Status status;
};

Heard Listen(UnixEngineEvents& events, const std::string& path = "/v1.41/events") {
  Heard heard;
  EngineEventSink sink;
  sink.opened = [&] { ++heard.opened; };
  sink.event = [&](const EngineEvent& event) { heard.actions.push_back(event.action); };
  sink.skipped = [&] { ++heard.skipped; };
  heard.status = events.Stream(path, sink);
  return heard;
}

Heard ListenTo(const UnixServer& server, size_t max_line_bytes = 4096) {
  EngineEventsOptions options;
  options.socket_path = server.path();
  options.max_line_bytes = max_line_bytes;
  UnixEngineEvents events(options);
  return Listen(events);
}

TEST(ParseEngineEvent, TakesWhatTellsWhichObjectChanged) {
  const auto event = ParseEngineEvent(
      R"({"Type":"network","Action":"connect","Actor":{"ID":"n1","Attributes":{"container":"c1",)"
      R"("name":"bridge","type":"bridge"}},"scope":"local","time":17,"timeNano":17000000042})");
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->time_ns, 17000000042);
  EXPECT_EQ(event->type, "network");
  EXPECT_EQ(event->action, "connect");
  EXPECT_EQ(event->id, "n1");
  EXPECT_EQ(event->name, "bridge");
  EXPECT_EQ(event->container, "c1");
}

TEST(ParseEngineEvent, RefusesWhatIsNoEventAndRepeatsNoneOfIt) {
  const std::string secret = "s3cret";
  for (const std::string& line :
       {std::string("not json ") + secret, std::string("[]"), std::string("{}"),
        std::string("{\"Type\":\"container\"}"), std::string("{\"Type\":1,\"Action\":\"start\"}"),
        absl::StrCat("{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":\"", secret, "\"}"),
        absl::StrCat("{\"Type\":\"", std::string(65, 'x'), "\",\"Action\":\"start\"}"),
        absl::StrCat("{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"",
                     std::string(600, 'x'), "\"}}")}) {
    const auto event = ParseEngineEvent(line);
    EXPECT_TRUE(absl::IsDataLoss(event.status())) << line;
    EXPECT_EQ(event.status().message().find(secret), absl::string_view::npos);
  }
}

TEST(UnixEngineEvents, HearsEventsHoweverTheyAreCut) {
  std::string request;
  UnixServer server([&](Peer& peer) {
    request = peer.NextRequest();
    peer.Send(kHeader);
    // Two in one chunk, one over two chunks, one byte by byte.
    peer.Send(Chunk(Event("create") + Event("start")));
    const std::string die = Event("die");
    peer.Send(Chunk(die.substr(0, 10)));
    peer.Send(Chunk(die.substr(10)));
    for (const char c : Chunk(Event("destroy"))) peer.Send(std::string(1, c));
    peer.Send("0\r\n\r\n");
  });
  const Heard heard = ListenTo(server);
  EXPECT_EQ(request, "GET /v1.41/events HTTP/1.1");
  EXPECT_EQ(heard.opened, 1);
  EXPECT_EQ(heard.actions, (std::vector<std::string>{"create", "start", "die", "destroy"}));
  EXPECT_EQ(heard.skipped, 0);
  EXPECT_TRUE(absl::IsUnavailable(heard.status)) << heard.status;
}

TEST(UnixEngineEvents, TakesABodyWithoutChunksToo) {
  UnixServer server([&](Peer& peer) {
    peer.NextRequest();
    peer.Send("HTTP/1.0 200 OK\r\n\r\n" + Event("start") + Event("die"));
  });
  const Heard heard = ListenTo(server);
  EXPECT_EQ(heard.actions.size(), 2u);
  EXPECT_TRUE(absl::IsUnavailable(heard.status)) << heard.status;
}

TEST(UnixEngineEvents, GarbageIsSkippedAndCounted) {
  UnixServer server([&](Peer& peer) {
    peer.NextRequest();
    peer.Send(kHeader);
    peer.Send(Chunk(absl::StrCat("garbage\n\n{\"Type\":\n", std::string("\0\xff\n", 3))));
    peer.Send(Chunk(Event("start")));
    // Longer than the limit, in many pieces, and then an event again.
    for (int i = 0; i < 100; ++i) peer.Send(Chunk(std::string(1000, 'x')));
    peer.Send(Chunk("\n" + Event("die")));
  });
  const Heard heard = ListenTo(server);
  EXPECT_EQ(heard.actions, (std::vector<std::string>{"start", "die"}));
  EXPECT_EQ(heard.skipped, 4);
}

TEST(UnixEngineEvents, RefusalsAreToldApart) {
  const struct {
    const char* reply;
    absl::StatusCode code;
  } kCases[] = {
      {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", absl::StatusCode::kInvalidArgument},
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", absl::StatusCode::kPermissionDenied},
      {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", absl::StatusCode::kUnavailable},
      {"SSH-2.0-OpenSSH\r\n\r\n", absl::StatusCode::kDataLoss},
      {"", absl::StatusCode::kUnavailable},
  };
  for (const auto& c : kCases) {
    UnixServer server([&](Peer& peer) {
      peer.NextRequest();
      peer.Send(c.reply);
    });
    const Heard heard = ListenTo(server);
    EXPECT_EQ(heard.status.code(), c.code) << heard.status;
    EXPECT_EQ(heard.opened, 0) << c.reply;
  }
  EngineEventsOptions options;
  options.socket_path = "/nowhere/docker.sock";
  UnixEngineEvents events(options);
  EXPECT_TRUE(absl::IsUnavailable(Listen(events).status));
}

TEST(UnixEngineEvents, AnEngineThatNeverAnswersIsGivenUp) {
  UnixServer server([&](Peer& peer) {
    peer.NextRequest();
    peer.NextRequest();
  });
  EngineEventsOptions options;
  options.socket_path = server.path();
  options.header_timeout = absl::Milliseconds(50);
  UnixEngineEvents events(options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(Listen(events).status));
}

TEST(UnixEngineEvents, SilenceIsNoEndAndCancelIs) {
  absl::Notification open;
  UnixServer server([&](Peer& peer) {
    peer.NextRequest();
    peer.Send(kHeader);
    peer.NextRequest();
  });
  EngineEventsOptions options;
  options.socket_path = server.path();
  // The limit is for the header alone.
  options.header_timeout = absl::Seconds(2);
  UnixEngineEvents events(options);
  EngineEventSink sink;
  sink.opened = [&] { open.Notify(); };
  absl::Notification ended;
  absl::Status status;
  std::thread listener([&] {
    status = events.Stream("/events", sink);
    ended.Notify();
  });
  EXPECT_TRUE(open.WaitForNotificationWithTimeout(absl::Seconds(20)));
  EXPECT_FALSE(ended.WaitForNotificationWithTimeout(absl::Seconds(3)));
  events.Cancel();
  listener.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_TRUE(absl::IsCancelled(Listen(events).status)) << "and for good";
}

TEST(UnixEngineEvents, CancelAtAnyMomentEndsTheStream) {
  UnixServer server([&](Peer& peer) {
    peer.NextRequest();
    peer.Send(kHeader);
    peer.NextRequest();
  });
  EngineEventsOptions options;
  options.socket_path = server.path();
  for (int i = 0; i < 50; ++i) {
    UnixEngineEvents events(options);
    std::thread listener([&] { EXPECT_TRUE(absl::IsCancelled(Listen(events).status)); });
    for (int spin = 0; spin < i * 500; ++spin) std::atomic_signal_fence(std::memory_order_seq_cst);
    events.Cancel();
    listener.join();
  }
}

}  // namespace
}  // namespace plimsoll::host
