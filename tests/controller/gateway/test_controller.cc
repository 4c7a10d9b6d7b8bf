#include "tests/controller/gateway/test_controller.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/barrier.h"

namespace plimsoll::gateway {
namespace {

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "test controller: " << status << std::endl;
  std::abort();
}

}  // namespace

TestController::TestController(const std::string& name, const std::string& url,
                               const access::CertificateAuthority& authority,
                               const std::vector<v1::Baseline>& baselines,
                               const support::Clock& clock, const GatewayOptions& options)
    : id(name), clock_(clock) {
  auto opened = store::Store::Open({.url = url, .pool_size = 8});
  Check(opened.status());
  store = *std::move(opened);
  Check(store->controllers().Beat(id, id, clock.Now()));
  Check(store->reports().PutBaselines(baselines));
  board = std::make_unique<scans::ScanBoard>(store->scans(), clock);
  enrollment = std::make_unique<access::Enrollment>(store->enrollment(), authority, clock,
                                                    access::EnrollmentOptions());
  workers = std::make_unique<support::WorkerPool>(kThreads);
  const auto note = [this](std::vector<std::string> TestController::*list) {
    return [this, list](std::vector<std::string> hosts) {
      absl::MutexLock lock(&mutex);
      (this->*list).insert((this->*list).end(), hosts.begin(), hosts.end());
    };
  };
  ingest = std::make_unique<Ingest>(
      IngestParts{*store, *board, clock, *workers, stats,
                  [policy = policy::Policy::Plain(baselines)](const std::string& id) {
                    return policy->For(id, {});
                  },
                  note(&TestController::committed)},
      baselines, absl::Minutes(5), options);
  service = std::make_unique<GatewayService>(
      GatewayParts{*store, *enrollment, *ingest, *board, sessions, *workers, clock, stats, id,
                   options, note(&TestController::changed)},
      revocations);
  Listen(authority);
}

TestController::~TestController() { Stop(); }

void TestController::Listen(const access::CertificateAuthority& authority) {
  auto identity = authority.IssueServer({"127.0.0.1"}, clock_.Now(), absl::Hours(1));
  Check(identity.status());
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_key_cert_pairs.push_back({identity->key_pem, identity->certificate_pem});
  tls.pem_root_certs = authority.BundlePem();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
  // The gateway's own limit is what is tested; gRPC's is there for the worst.
  builder.SetMaxReceiveMessageSize(64 << 20);
  builder.RegisterService(service.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) std::abort();
  address = absl::StrCat("127.0.0.1:", port);
}

void TestController::Settle() {
  const auto barrier = std::make_shared<absl::Barrier>(kThreads + 1);
  for (int i = 0; i < kThreads; ++i) workers->Add([barrier] { barrier->Block(); });
  barrier->Block();
}

void TestController::Stop(absl::Duration patience) {
  if (server_ == nullptr) return;
  service->Drain(patience);
  server_->Shutdown(absl::ToChronoTime(support::Clock::Real().Now() + absl::Seconds(30)));
  server_.reset();
  workers.reset();
  store->controllers().Leave(id).IgnoreError();
}

}  // namespace plimsoll::gateway
