// The floor of a controller: takes the same streams over the same TLS, decodes the messages and
// answers at once. Nothing is judged or stored. fleet_sim against it shows what gRPC, TLS and the
// simulator cost.
//
//   bare_gateway ADDRESS:PORT FOLDER       writes FOLDER/ca.pem and FOLDER/token, prints "serving",
//   runs until killed
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>

#include "controller/access/certificate_authority.h"
#include "plimsoll/v1/collector_gateway.grpc.pb.h"
#include "proto/support/clock.h"
#include "proto/support/key_files.h"

namespace plimsoll {
namespace {

constexpr absl::Duration kLifetime = absl::Hours(24);

class Stream : public grpc::ServerBidiReactor<v1::FromCollector, v1::ToCollector> {
 public:
  Stream() { StartRead(&incoming_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    outgoing_.Clear();
    switch (incoming_.kind_case()) {
      case v1::FromCollector::kHello: {
        v1::Welcome& welcome = *outgoing_.mutable_welcome();
        welcome.set_protocol_version(2);
        welcome.set_resync(incoming_.hello().facts_digest().empty());
        welcome.set_last_sequence(incoming_.hello().last_acknowledged_sequence());
        welcome.mutable_limits()->set_max_unacknowledged_deltas(1);
        welcome.mutable_heartbeat_interval()->set_seconds(30);
        break;
      }
      case v1::FromCollector::kFactsDelta:
        outgoing_.mutable_ack()->set_sequence(incoming_.facts_delta().sequence());
        // A message that was decoded keeps its memory; a stream shall not.
        v1::FromCollector().Swap(&incoming_);
        break;
      default:
        StartRead(&incoming_);
        return;
    }
    StartWrite(&outgoing_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) StartRead(&incoming_);
    if (!ok) Finish(grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  v1::FromCollector incoming_;
  v1::ToCollector outgoing_;
};

class Gateway : public v1::CollectorGateway::CallbackService {
 public:
  explicit Gateway(const access::CertificateAuthority& authority) : authority_(authority) {}

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const v1::EnrollRequest* request,
                                   v1::EnrollResponse* response) override {
    auto* reactor = context->DefaultReactor();
    const std::string id = access::NewHostId();
    auto certificate = authority_.SignHost(request->certificate_signing_request(), id,
                                           support::Clock::Real().Now(), kLifetime);
    if (certificate.ok()) {
      response->set_host_id(id);
      response->set_certificate_pem(certificate->pem);
      response->set_ca_bundle_pem(authority_.BundlePem());
    }
    reactor->Finish(certificate.ok() ? grpc::Status::OK
                                     : grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no"));
    return reactor;
  }
  grpc::ServerBidiReactor<v1::FromCollector, v1::ToCollector>* Connect(
      grpc::CallbackServerContext*) override {
    return new Stream;
  }

 private:
  const access::CertificateAuthority& authority_;
};

int Main(const std::string& address, const std::string& folder) {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  const absl::Time now = support::Clock::Real().Now();
  auto authority = access::CertificateAuthority::LoadOrCreate(folder + "/pki", now);
  if (!authority.ok()) return 3;
  auto identity = (*authority)->IssueServer({"localhost", "127.0.0.1"}, now, kLifetime);
  if (!identity.ok()) return 3;
  const bool written =
      support::WritePrivateFile(folder + "/ca.pem", (*authority)->BundlePem(), 0644).ok() &&
      support::WritePrivateFile(folder + "/token", "any\n").ok();
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_key_cert_pairs.push_back({identity->key_pem, identity->certificate_pem});
  tls.pem_root_certs = (*authority)->BundlePem();
  Gateway gateway(**authority);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::SslServerCredentials(tls));
  builder.SetMaxReceiveMessageSize(64 << 20);
  builder.RegisterService(&gateway);
  const auto server = builder.BuildAndStart();
  if (!written || server == nullptr) return 3;
  std::printf("serving\n");
  std::fflush(stdout);
  server->Wait();
  return 0;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "bare_gateway ADDRESS:PORT FOLDER\n");
    return 2;
  }
  return plimsoll::Main(argv[1], argv[2]);
}
