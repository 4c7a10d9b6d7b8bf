#include "collector/uplink/uplink.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/clock.h"
#include "proto/support/grpc_status.h"

namespace plimsoll::uplink {
namespace {

// Of Enroll and Renew.
constexpr absl::Duration kCallTimeout = absl::Seconds(30);
// How long a controller may take to end a session that we closed.
constexpr absl::Duration kCloseTimeout = absl::Seconds(5);
// A dead connection is noticed within a minute.
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
// More than this unread means that the agent is stuck; the controller feels it as back-pressure.
constexpr size_t kMaximumReceived = 64;

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& controller, const std::string& ca_pem,
                                           const std::string& key_pem,
                                           const std::string& certificate_pem) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ca_pem;
  tls.pem_private_key = key_pem;
  tls.pem_cert_chain = certificate_pem;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Reconnecting is the agent's business; a channel of its own per session keeps states apart.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(4 << 20);
  return grpc::CreateCustomChannel(controller, grpc::SslCredentials(tls), arguments);
}

}  // namespace

absl::StatusOr<Identity> Enroll(const std::string& controller, const std::string& ca_pem,
                                const std::string& token, const std::string& hostname,
                                const std::string& state_dir) {
  auto made = KeyToEnroll(state_dir);
  if (!made.ok()) return made.status();
  v1::EnrollRequest request;
  request.set_token(token);
  request.set_certificate_signing_request(made->request_der);
  request.set_hostname(hostname);
  request.set_can_wait(true);
  v1::EnrollResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(support::Clock::Real().Now() + kCallTimeout));
  const auto channel = OpenChannel(controller, ca_pem, "", "");
  const absl::Status status = support::FromGrpc(
      v1::CollectorGateway::NewStub(channel)->Enroll(&context, request, &response));
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("enrol at ", controller, ": ", status.message()));
  }
  if (response.has_pending()) {
    const auto fingerprint = KeyFingerprint(made->key_pem);
    if (!fingerprint.ok()) return fingerprint.status();
    return absl::AbortedError(absl::StrCat("enrolment ", response.pending().id(),
                                           " waits for approval by an operator; the key of this "
                                           "host is ",
                                           *fingerprint));
  }
  if (auto saved = SaveIdentity(state_dir, made->key_pem, response.certificate_pem(),
                                response.ca_bundle_pem());
      !saved.ok()) {
    return saved;
  }
  if (auto noted = NoteEnrolled(state_dir, token); !noted.ok()) return noted;
  return LoadIdentity(state_dir, support::Clock::Real().Now());
}

absl::StatusOr<Identity> Renew(const std::string& controller, const Identity& identity,
                               const std::string& state_dir) {
  auto signing_request = MakeRequest(identity.key_pem);
  if (!signing_request.ok()) return signing_request.status();
  v1::RenewRequest request;
  request.set_certificate_signing_request(*std::move(signing_request));
  v1::RenewResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(support::Clock::Real().Now() + kCallTimeout));
  const auto channel =
      OpenChannel(controller, identity.ca_pem, identity.key_pem, identity.certificate_pem);
  const absl::Status status = support::FromGrpc(
      v1::CollectorGateway::NewStub(channel)->Renew(&context, request, &response));
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("renew at ", controller, ": ", status.message()));
  }
  if (auto saved = SaveIdentity(state_dir, identity.key_pem, response.certificate_pem(),
                                response.ca_bundle_pem());
      !saved.ok()) {
    return saved;
  }
  return LoadIdentity(state_dir, support::Clock::Real().Now());
}

Uplink::Uplink(const std::string& controller, const Identity& identity)
    : channel_(
          OpenChannel(controller, identity.ca_pem, identity.key_pem, identity.certificate_pem)),
      stub_(v1::CollectorGateway::NewStub(channel_)),
      stream_(stub_->Connect(&context_)),
      reader_([this] { ReadLoop(); }) {}

Uplink::~Uplink() {
  if (!finished_) {
    context_.TryCancel();
    Finish().IgnoreError();
  }
}

bool Uplink::Send(const v1::FromCollector& message) { return stream_->Write(message); }

absl::StatusOr<v1::ToCollector> Uplink::Receive(absl::Duration patience) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return interrupted_ || over_ || woken_ || !received_.empty();
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&ready), patience)) {
    return absl::DeadlineExceededError("nothing received");
  }
  woken_ = false;
  if (interrupted_) return absl::CancelledError("interrupted");
  if (received_.empty()) {
    return over_ ? absl::UnavailableError("the session is over")
                 : absl::DeadlineExceededError("woken");
  }
  v1::ToCollector message = std::move(received_.front());
  received_.pop_front();
  return message;
}

void Uplink::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

void Uplink::Cancel() {
  Interrupt();
  context_.TryCancel();
}

void Uplink::Interrupt() {
  absl::MutexLock lock(&mutex_);
  interrupted_ = true;
}

absl::Status Uplink::Finish() {
  finished_ = true;
  {
    // A reader that waits for room must not wait for ever.
    absl::MutexLock lock(&mutex_);
    interrupted_ = true;
  }
  stream_->WritesDone();
  {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(&over_), kCloseTimeout)) context_.TryCancel();
  }
  reader_.join();
  return support::FromGrpc(stream_->Finish());
}

void Uplink::ReadLoop() {
  v1::ToCollector message;
  while (stream_->Read(&message)) {
    absl::MutexLock lock(&mutex_);
    const auto room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return interrupted_ || received_.size() < kMaximumReceived;
    };
    mutex_.Await(absl::Condition(&room));
    if (!interrupted_) received_.push_back(std::move(message));
    message.Clear();
  }
  absl::MutexLock lock(&mutex_);
  over_ = true;
}

}  // namespace plimsoll::uplink
