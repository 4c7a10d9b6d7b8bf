// A controller's collector port whose every word a test chooses: real gRPC over TLS, no store.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "plimsoll/v1/collector_gateway.grpc.pb.h"
#include "proto/support/facts_delta.h"
#include "proto/support/facts_digest.h"
#include "tests/support/test_authority.h"

namespace plimsoll::test {

inline constexpr absl::Duration kPatience = absl::Seconds(20);

// One session at the controller's end. All methods may be called from any thread.
class FarSession {
 public:
  using Stream = grpc::ServerReaderWriter<v1::ToCollector, v1::FromCollector>;
  // Says how the session ends when a delta comes; OK: it goes on.
  using Judge = std::function<grpc::Status(const v1::FactsDelta&)>;
  FarSession(Stream* stream, grpc::ServerContext* context, Judge judge)
      : stream_(stream), context_(context), judge_(std::move(judge)) {}

  // The next message; nullopt when none comes for `patience`, or the session is over.
  std::optional<v1::FromCollector> Next(absl::Duration patience = kPatience) {
    absl::MutexLock lock(&mutex_);
    const auto ready = [this] { return over_ || !received_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&ready), patience);
    if (received_.empty()) return std::nullopt;
    v1::FromCollector message = std::move(received_.front());
    received_.pop_front();
    return message;
  }

  // The next delta; heartbeats before it are passed over.
  std::optional<v1::FactsDelta> NextDelta(absl::Duration patience = kPatience) {
    while (auto message = Next(patience)) {
      if (message->has_facts_delta()) return message->facts_delta();
    }
    return std::nullopt;
  }

  // The next heartbeat that names scans.
  std::optional<v1::Heartbeat> NextAnswer() {
    while (auto message = Next()) {
      if (message->heartbeat().scan_ids_size() > 0) return message->heartbeat();
    }
    return std::nullopt;
  }

  bool Send(const v1::ToCollector& message) {
    absl::MutexLock lock(&mutex_);
    return !over_ && !ending_ && stream_->Write(message);
  }
  void Ack(uint64_t sequence) {
    v1::ToCollector message;
    message.mutable_ack()->set_sequence(sequence);
    Send(message);
  }
  void Resync() {
    v1::ToCollector message;
    message.mutable_resync()->set_reason("a test wants it");
    Send(message);
  }
  void Scan(const std::string& id) {
    v1::ToCollector message;
    message.mutable_scan_request()->set_scan_id(id);
    Send(message);
  }
  void Welcome(const v1::Welcome& welcome) {
    v1::ToCollector message;
    *message.mutable_welcome() = welcome;
    Send(message);
  }

  // Breaks the connection.
  void Drop() {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    // The context is gone with the stream.
    if (!over_) context_->TryCancel();
  }
  // The collector has gone, or the session was ended.
  bool AwaitOver() {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&over_), kPatience);
  }

 private:
  friend class FakeGateway;
  grpc::Status Run() {
    v1::FromCollector message;
    grpc::Status end;
    while (end.ok() && stream_->Read(&message)) {
      if (judge_ && message.has_facts_delta()) end = judge_(message.facts_delta());
      absl::MutexLock lock(&mutex_);
      if (end.ok()) received_.push_back(message);
    }
    absl::MutexLock lock(&mutex_);
    over_ = true;
    return end;
  }

  absl::Mutex mutex_;
  Stream* const stream_;
  grpc::ServerContext* const context_;
  const Judge judge_;
  std::deque<v1::FromCollector> received_;
  bool over_ = false;
  bool ending_ = false;
};

class FakeGateway : public v1::CollectorGateway::Service {
 public:
  explicit FakeGateway(const TestAuthority& authority) : authority_(authority) {
    const Issued own = authority.Issue("IP:127.0.0.1");
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = authority.pem();
    tls.pem_key_cert_pairs.push_back({own.key_pem, own.certificate_pem});
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~FakeGateway() override { server_->Shutdown(std::chrono::system_clock::now()); }

  const std::string& address() const { return address_; }

  // Sessions that come are refused with this from now on; OK: taken.
  void RefuseAll(const grpc::Status& status) {
    absl::MutexLock lock(&mutex_);
    refusal_ = status;
  }
  // Waits until so many sessions were refused.
  bool AwaitRefused(int count = 1) {
    absl::MutexLock lock(&mutex_);
    const auto some = [&] { return refused_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&some), kPatience);
  }
  int refused() {
    absl::MutexLock lock(&mutex_);
    return refused_;
  }

  // How deltas are judged in sessions that come from now on.
  void JudgeDeltas(FarSession::Judge judge) {
    absl::MutexLock lock(&mutex_);
    judge_ = std::move(judge);
  }

  // The next session; null when none comes.
  std::shared_ptr<FarSession> Accept(absl::Duration patience = kPatience) {
    absl::MutexLock lock(&mutex_);
    const auto ready = [this] { return !sessions_.empty(); };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&ready), patience)) return nullptr;
    auto session = sessions_.front();
    sessions_.pop_front();
    return session;
  }

  // How Enroll answers; not set: UNIMPLEMENTED.
  void OnEnroll(std::function<grpc::Status(const v1::EnrollRequest&, v1::EnrollResponse*)> answer) {
    absl::MutexLock lock(&mutex_);
    enroll_ = std::move(answer);
  }
  grpc::Status Enroll(grpc::ServerContext* context, const v1::EnrollRequest* request,
                      v1::EnrollResponse* response) override {
    absl::MutexLock lock(&mutex_);
    if (!enroll_) return Service::Enroll(context, request, response);
    return enroll_(*request, response);
  }

  // How Renew answers who shows a certificate; not set: UNIMPLEMENTED.
  void OnRenew(std::function<grpc::Status(const v1::RenewRequest&, v1::RenewResponse*)> answer) {
    absl::MutexLock lock(&mutex_);
    renew_ = std::move(answer);
  }
  grpc::Status Renew(grpc::ServerContext* context, const v1::RenewRequest* request,
                     v1::RenewResponse* response) override {
    absl::MutexLock lock(&mutex_);
    if (!renew_) return Service::Renew(context, request, response);
    if (!context->auth_context()->IsPeerAuthenticated()) {
      return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "no certificate");
    }
    return renew_(*request, response);
  }

  grpc::Status Connect(grpc::ServerContext* context, FarSession::Stream* stream) override {
    std::shared_ptr<FarSession> session;
    {
      absl::MutexLock lock(&mutex_);
      if (!refusal_.ok()) {
        ++refused_;
        return refusal_;
      }
      session = std::make_shared<FarSession>(stream, context, judge_);
      sessions_.push_back(session);
    }
    return session->Run();
  }

 private:
  const TestAuthority& authority_;
  std::string address_;
  absl::Mutex mutex_;
  std::deque<std::shared_ptr<FarSession>> sessions_;
  grpc::Status refusal_;
  std::function<grpc::Status(const v1::EnrollRequest&, v1::EnrollResponse*)> enroll_;
  std::function<grpc::Status(const v1::RenewRequest&, v1::RenewResponse*)> renew_;
  FarSession::Judge judge_;
  int refused_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// What an honest controller of protocol version 2 stores: holds every delta against what it has.
struct FarStore {
  uint64_t sequence = 0;
  v1::HostFacts facts;
  std::string digest;
  std::vector<v1::FactsDelta> history;

  // False: the delta does not fit, and a resync is called for.
  bool Take(const v1::FactsDelta& delta) {
    if (delta.sequence() <= sequence) return true;
    if (!delta.base_digest().empty() && delta.base_digest() != digest) return false;
    v1::HostFacts next = facts;
    if (!support::ApplyDelta(delta, next).ok()) return false;
    if (support::FactsDigestTree(next).Digest() != delta.new_digest()) return false;
    facts = std::move(next);
    digest = delta.new_digest();
    sequence = delta.sequence();
    history.push_back(delta);
    return true;
  }
};

}  // namespace plimsoll::test
