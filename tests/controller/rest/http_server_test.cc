// A real server, and clients that are anything but friendly.
#include "controller/rest/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "controller/access/certificate_authority.h"
#include "controller/access/certificates.h"
#include "proto/support/clock.h"

namespace plimsoll::rest {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

access::ServerIdentity NewIdentity() {
  const std::string folder = absl::StrCat(::testing::TempDir(), "/http_server_test_pki_", getpid());
  const absl::Time now = support::Clock::Real().Now();
  auto authority = access::CertificateAuthority::LoadOrCreate(folder, now);
  EXPECT_TRUE(authority.ok()) << authority.status();
  auto issued = (*authority)->IssueServer({"localhost"}, now, absl::Hours(1));
  EXPECT_TRUE(issued.ok()) << issued.status();
  std::filesystem::remove_all(folder);
  return *std::move(issued);
}

const access::ServerIdentity& TestIdentity() {
  static const auto* const identity = new access::ServerIdentity(NewIdentity());
  return *identity;
}

// A TLS connection that sends what it is told and reads until the server closes.
class Client {
 public:
  explicit Client(int port, int tls_version = 0) : tls_(asio::ssl::context::tls_client) {
    if (tls_version != 0) {
      SSL_CTX_set_min_proto_version(tls_.native_handle(), tls_version);
      SSL_CTX_set_max_proto_version(tls_.native_handle(), tls_version);
      SSL_CTX_set_security_level(tls_.native_handle(), 0);
    }
    stream_.emplace(io_, tls_);
    stream_->lowest_layer().connect(
        {asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)}, error_);
    if (!error_) stream_->handshake(asio::ssl::stream_base::client, error_);
  }
  bool connected() const { return !error_; }
  // The certificate that the server showed (PEM).
  std::string certificate() {
    const support::CertificatePtr shown(SSL_get1_peer_certificate(stream_->native_handle()));
    return *access::CertificatePem(shown.get());
  }

  void Send(const std::string& text) { asio::write(*stream_, asio::buffer(text), error_); }

  // What comes until `end` is in it, or until the server closes.
  std::string Read(const std::string& end = "") {
    while (end.empty() || !absl::StrContains(received_, end)) {
      char chunk[4096];
      const size_t got = stream_->read_some(asio::buffer(chunk), error_);
      received_.append(chunk, got);
      if (error_) break;
    }
    return std::exchange(received_, "");
  }
  std::string Exchange(const std::string& text) {
    Send(text);
    return Read();
  }

 private:
  asio::io_context io_;
  asio::ssl::context tls_;
  std::optional<asio::ssl::stream<asio::ip::tcp::socket>> stream_;
  boost::system::error_code error_;
  std::string received_;
};

HttpServerOptions Options() {
  HttpServerOptions options;
  options.key_pem = TestIdentity().key_pem;
  options.certificate_pem = TestIdentity().certificate_pem;
  return options;
}

// Answers with what it was asked.
void Echo(HttpRequest request, std::function<void(HttpResponse)> respond) {
  HttpResponse response;
  response.body = absl::StrCat(request.method, " ", request.target.segments.size(), " ",
                               request.body, " ", request.Header("x-test"));
  respond(std::move(response));
}

std::unique_ptr<HttpServer> StartServer(HttpServerOptions options, HttpHandler handler = Echo) {
  auto server = HttpServer::Start(std::move(options), std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
}

constexpr char kClose[] = "Connection: close\r\n";

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  const auto server = StartServer(Options());
  Client client(server->port());
  client.Send("GET /v1/a HTTP/1.1\r\nHost: x\r\nX-Test: 1\r\nX-Test: 2\r\n\r\n");
  EXPECT_THAT(client.Read("1, 2"), StartsWith("HTTP/1.1 200 OK\r\n"));
  client.Send(
      absl::StrCat("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n", kClose, "\r\nhello"));
  const std::string answer = client.Read();
  EXPECT_THAT(answer, HasSubstr("POST 1 hello"));
  EXPECT_THAT(answer, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(answer, HasSubstr("X-Request-Id: "));
  EXPECT_EQ(server->counters().requests, 2);
}

TEST(HttpServer, APlainRequestIdComesBack) {
  const auto server = StartServer(Options());
  const auto ask = [&](const std::string& id) {
    return Client(server->port())
        .Exchange(absl::StrCat("GET /v1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: ", id, "\r\n", kClose,
                               "\r\n"));
  };
  EXPECT_THAT(ask("job-7.a_b"), HasSubstr("X-Request-Id: job-7.a_b\r\n"));
  EXPECT_THAT(ask("a b"), Not(HasSubstr("X-Request-Id: a b")));
  EXPECT_THAT(ask(std::string(65, 'a')), Not(HasSubstr(std::string(65, 'a'))));
}

TEST(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  const auto server = StartServer(Options());
  Client client(server->port());
  const std::string answer = client.Exchange(
      absl::StrCat("GET /1 HTTP/1.1\r\nHost: x\r\nX-Test: first\r\n\r\n",
                   "GET /2/2 HTTP/1.1\r\nHost: x\r\nX-Test: second\r\n", kClose, "\r\n"));
  EXPECT_LT(answer.find("first"), answer.find("second"));
  EXPECT_NE(answer.find("second"), std::string::npos);
}

TEST(HttpServer, HeadHasNoBody) {
  const auto server = StartServer(Options(), [](HttpRequest, auto respond) {
    HttpResponse response;
    response.body = std::string(10'000, 'a');
    respond(std::move(response));
  });
  Client head(server->port());
  EXPECT_THAT(head.Exchange(absl::StrCat("HEAD / HTTP/1.1\r\nHost: x\r\n", kClose, "\r\n")),
              AllOf(HasSubstr("Content-Length: 10000"), Not(HasSubstr("aaaa"))));
  // Nor has a refusal, or its body would be read as the beginning of the next answer.
  Client refused(server->port());
  EXPECT_THAT(refused.Exchange(absl::StrCat("HEAD /../etc HTTP/1.1\r\nHost: x\r\n\r\n",
                                            "GET / HTTP/1.1\r\nHost: x\r\n", kClose, "\r\n")),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("\r\n\r\nHTTP/1.1 200")));
}

TEST(HttpServer, AnIPv4ClientIsOneOnASocketForBoth) {
  HttpServerOptions options = Options();
  options.address = "[::]:0";
  auto server = HttpServer::Start(options, [](const HttpRequest& request, auto respond) {
    HttpResponse response;
    response.body = request.peer;
    respond(std::move(response));
  });
  if (absl::IsUnavailable(server.status())) GTEST_SKIP() << "no IPv6 here";
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT(Client((*server)->port())
                  .Exchange(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\n", kClose, "\r\n")),
              HasSubstr("\r\n\r\n127.0.0.1"));
}

TEST(HttpServer, RefusesWhatIsTooLargeOrNotHttp) {
  HttpServerOptions options = Options();
  options.max_body_bytes = 1000;
  const auto server = StartServer(options);
  const auto status = [&](const std::string& text) {
    Client client(server->port());
    return client.Exchange(text).substr(0, 12);
  };
  EXPECT_EQ(status("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"), "HTTP/1.1 413");
  EXPECT_EQ(status(absl::StrCat("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                                "800\r\n", std::string(2048, 'x'), "\r\n0\r\n\r\n")),
            "HTTP/1.1 413");
  EXPECT_EQ(status(absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(40'000, 'x'), "\r\n\r\n")),
            "HTTP/1.1 431");
  EXPECT_EQ(status("nonsense\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status("GET /../etc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status("GET /%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status("TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 501");
  EXPECT_GE(server->counters().bad_requests, 7);
  // Nothing of it hurt the next.
  EXPECT_EQ(status(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\n", kClose, "\r\n")), "HTTP/1.1 200");
}

TEST(HttpServer, SlowClientsAreCutOffAndHurtNobody) {
  HttpServerOptions options = Options();
  options.request_timeout = absl::Seconds(3);
  options.idle_timeout = absl::Seconds(3);
  const auto server = StartServer(options);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(std::make_unique<Client>(server->port()));
    slow.back()->Send("GET / HTTP/1.1\r\nX-Slow: ");
  }
  Client quick(server->port());
  EXPECT_THAT(quick.Exchange(absl::StrCat("GET / HTTP/1.1\r\nHost: x\r\n", kClose, "\r\n")),
              StartsWith("HTTP/1.1 200"));
  for (auto& client : slow) {
    EXPECT_EQ(client->Read(), "");
  }
  Client idle(server->port());
  EXPECT_EQ(idle.Read(), "");
}

TEST(HttpServer, ConnectionsAreCounted) {
  HttpServerOptions options = Options();
  options.max_connections_per_peer = 3;
  const auto server = StartServer(options);
  std::vector<std::unique_ptr<Client>> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(std::make_unique<Client>(server->port()));
    EXPECT_TRUE(open.back()->connected());
  }
  EXPECT_FALSE(Client(server->port()).connected());
  EXPECT_EQ(server->counters().refused_connections, 1);
  open.clear();
  while (server->counters().open_connections > 0) std::this_thread::yield();
  EXPECT_TRUE(Client(server->port()).connected());
}

TEST(HttpServer, OldTlsIsRefused) {
  const auto server = StartServer(Options());
  EXPECT_FALSE(Client(server->port(), TLS1_1_VERSION).connected());
  EXPECT_TRUE(Client(server->port(), TLS1_2_VERSION).connected());
  EXPECT_TRUE(Client(server->port(), TLS1_3_VERSION).connected());
}

// Three events, then waits to be closed.
class Events : public EventSource {
 public:
  void Next(std::function<void(std::optional<ServerSentEvent>)> event) override {
    absl::MutexLock lock(&mutex_);
    if (closed_) return event(std::nullopt);
    if (sent_ < 3) {
      const std::string n = absl::StrCat(++sent_);
      return event(ServerSentEvent{"count", n, absl::StrCat("{\"n\": ", n, "}")});
    }
    waiting_ = std::move(event);
  }
  void Close() override {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    if (waiting_) std::exchange(waiting_, nullptr)(std::nullopt);
  }

 private:
  absl::Mutex mutex_;
  int sent_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void(std::optional<ServerSentEvent>)> waiting_ ABSL_GUARDED_BY(mutex_);
};

TEST(HttpServer, EventsFlowUntilTheServerStops) {
  HttpServerOptions options = Options();
  options.event_heartbeat = absl::Milliseconds(50);
  const auto server = StartServer(options, [](HttpRequest, auto respond) {
    HttpResponse response;
    response.events = std::make_shared<Events>();
    respond(std::move(response));
  });
  Client client(server->port());
  client.Send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.Read("still here");
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_LT(answer.find("event: count\nid: 1\ndata: {\"n\": 1}\n\n"),
            answer.find("event: count\nid: 3\ndata: {\"n\": 3}\n\n"));
  server->Stop(absl::Seconds(10));
  EXPECT_THAT(client.Read(), HasSubstr("0\r\n\r\n"));
}

TEST(HttpServer, HeadOfAStreamOfEventsIsItsHeaders) {
  const auto events = std::make_shared<Events>();
  const auto server = StartServer(Options(), [&events](HttpRequest, auto respond) {
    HttpResponse response;
    response.events = events;
    respond(std::move(response));
  });
  const std::string answer =
      Client(server->port()).Exchange("HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n")) << answer;
  EXPECT_THAT(answer, Not(HasSubstr("event:")));
  absl::Notification over;
  events->Next([&over](const std::optional<ServerSentEvent>& event) {
    EXPECT_FALSE(event.has_value());
    over.Notify();
  });
  EXPECT_TRUE(over.HasBeenNotified());
}

TEST(HttpServer, StoppingLetsRequestsUnderWayEnd) {
  absl::Notification asked;
  std::function<void(HttpResponse)> answer;
  const auto server = StartServer(Options(), [&](HttpRequest, auto respond) {
    answer = std::move(respond);
    asked.Notify();
  });
  Client busy(server->port());
  Client idle(server->port());
  busy.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  asked.WaitForNotification();
  std::thread stop([&] { server->Stop(absl::Seconds(30)); });
  EXPECT_EQ(idle.Read(), "");
  HttpResponse response;
  response.body = "late";
  answer(std::move(response));
  const std::string text = busy.Read();
  EXPECT_THAT(text, HasSubstr("late"));
  EXPECT_THAT(text, HasSubstr("Connection: close"));
  stop.join();
}

TEST(HttpServer, AHandlerMayAnswerAfterTheServerIsGone) {
  absl::Notification asked;
  std::function<void(HttpResponse)> answer;
  auto server = StartServer(Options(), [&](HttpRequest, auto respond) {
    answer = std::move(respond);
    asked.Notify();
  });
  Client client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  asked.WaitForNotification();
  server.reset();
  answer(HttpResponse());
  EXPECT_EQ(client.Read(), "");
}

TEST(HttpServer, ShowsAnotherCertificateFromTheNextConnectionOn) {
  const auto server = StartServer(Options());
  Client before(server->port());
  EXPECT_EQ(before.certificate(), TestIdentity().certificate_pem);
  const access::ServerIdentity next = NewIdentity();
  EXPECT_TRUE(absl::IsInvalidArgument(server->SetIdentity("no key", next.certificate_pem)));
  EXPECT_EQ(Client(server->port()).certificate(), TestIdentity().certificate_pem);
  ASSERT_TRUE(server->SetIdentity(next.key_pem, next.certificate_pem).ok());
  EXPECT_EQ(Client(server->port()).certificate(), next.certificate_pem);
  EXPECT_THAT(before.Exchange("GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, SaysWhyItCannotStart) {
  HttpServerOptions options = Options();
  options.address = "nowhere";
  EXPECT_TRUE(absl::IsInvalidArgument(HttpServer::Start(options, Echo).status()));
  options = Options();
  options.key_pem = "no key";
  EXPECT_TRUE(absl::IsInvalidArgument(HttpServer::Start(options, Echo).status()));
  const auto server = StartServer(Options());
  options = Options();
  options.address = absl::StrCat("127.0.0.1:", server->port());
  EXPECT_TRUE(absl::IsUnavailable(HttpServer::Start(options, Echo).status()));
}

}  // namespace
}  // namespace plimsoll::rest
