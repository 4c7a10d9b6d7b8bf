// A controller's gateway with everything behind it, as the program builds it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/access/certificate_authority.h"
#include "controller/gateway/gateway_service.h"
#include "proto/support/clock.h"

namespace plimsoll::gateway {

// A clock that stands where it is put, for several threads.
class TestClock : public support::Clock {
 public:
  explicit TestClock(absl::Time now) : nanos_(absl::ToUnixNanos(now)) {}
  absl::Time Now() const override { return absl::FromUnixNanos(nanos_); }
  void Advance(absl::Duration by) { nanos_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> nanos_;
};

// A real gRPC server with TLS on a free port of 127.0.0.1 over the database at `url`. Several may
// share one database and one authority.
class TestController {
 public:
  static constexpr int kThreads = 12;

  TestController(const std::string& id, const std::string& url,
                 const access::CertificateAuthority& authority,
                 const std::vector<v1::Baseline>& baselines, const support::Clock& clock,
                 const GatewayOptions& options);
  ~TestController();

  // Returns when all work that the pool was given before is done.
  void Settle();
  // Drains, for at most `patience`, and waits for everything that is left to do.
  void Stop(absl::Duration patience = absl::Seconds(30));
  bool running() const { return server_ != nullptr; }

  const std::string id;
  GatewayStats stats;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<scans::ScanBoard> board;
  access::Revocations revocations;
  std::unique_ptr<access::Enrollment> enrollment;
  SessionRegistry sessions;
  std::unique_ptr<support::WorkerPool> workers;
  std::unique_ptr<Ingest> ingest;
  std::unique_ptr<GatewayService> service;
  std::string address;
  // What on_committed and on_host_changed were told.
  absl::Mutex mutex;
  std::vector<std::string> committed ABSL_GUARDED_BY(mutex);
  std::vector<std::string> changed ABSL_GUARDED_BY(mutex);

 private:
  void Listen(const access::CertificateAuthority& authority);

  const support::Clock& clock_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace plimsoll::gateway
