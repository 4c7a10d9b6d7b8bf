// A controller's gateway with everything behind it, and collectors that talk to it.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "collector/uplink/identity.h"
#include "collector/uplink/uplink.h"
#include "controller/access/certificate_authority.h"
#include "controller/gateway/gateway_service.h"
#include "proto/support/clock.h"

namespace plimsoll::gateway {

// A real gRPC server with TLS on a free port of 127.0.0.1, a real database, and the collectors' own
// library as client. The clock stands still at the time the test began: TLS checks certificates
// against the machine's clock, so they have to be valid there.
class GatewayTest : public ::testing::Test {
 protected:
  static constexpr int kThreads = 4;
  static constexpr int kMaxMessageBytes = 1 << 20;

  GatewayTest();
  ~GatewayTest() override;

  // The secret of a new enrolment token.
  std::string Token(int uses = 1);
  // A host that is enrolled; each call makes another one.
  uplink::Identity Enrolled(const std::string& hostname = "web-1");
  // An identity that `authority` signed and nobody recorded.
  uplink::Identity Signed(const access::CertificateAuthority& authority, const std::string& host_id,
                          absl::Time from, absl::Duration lifetime);
  std::unique_ptr<access::CertificateAuthority> OtherAuthority();
  // The channel of somebody who has no certificate.
  std::unique_ptr<v1::CollectorGateway::Stub> Anonymous() const;

  uplink::Uplink Open(const uplink::Identity& identity) const;
  // Sends Hello; returns Welcome, or an empty one and a test failure.
  v1::Welcome Greet(uplink::Uplink& uplink, const std::string& hostname = "web-1");
  bool Send(uplink::Uplink& uplink, v1::FactsDelta delta);
  // The next message; a test failure when there is none within kPatience.
  v1::ToCollector Next(uplink::Uplink& uplink);
  // Waits until the controller ends the session, and says how.
  absl::Status EndOf(uplink::Uplink& uplink);

  // Facts of a small host with these containers.
  v1::HostFacts Facts(const std::vector<std::string>& containers) const;
  // Everything, as the first delta of a session.
  v1::FactsDelta Snapshot(uint64_t sequence, const v1::HostFacts& facts) const;
  // `containers` come, `gone` go; `base` becomes what the controller shall have afterwards.
  v1::FactsDelta Change(uint64_t sequence, v1::HostFacts& base,
                        const std::vector<std::string>& containers,
                        const std::vector<std::string>& gone) const;
  // Containers the store knows of a host.
  std::vector<std::string> StoredContainers(const std::string& host_id);
  v1::Host::Connection Connection(const std::string& host_id);
  // A scan of these hosts, one minute long.
  store::NewScan Scan(const std::string& id, const std::vector<std::string>& hosts) const;
  // "state: host state message" of a scan with one host.
  std::string ScanState(const std::string& id);
  void Revoke(const std::string& host_id);

  // Returns when all work that the pool was given before is done.
  void Settle();
  // Ends all sessions and waits for everything they left to do.
  void Stop();

  const std::string dir_;
  support::FakeClock clock_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<access::CertificateAuthority> authority_;
  std::vector<v1::Baseline> baselines_;
  access::Revocations revocations_;
  std::unique_ptr<access::Enrollment> enrollment_;
  std::unique_ptr<scans::ScanBoard> board_;
  std::unique_ptr<Ingest> ingest_;
  SessionRegistry sessions_;
  std::unique_ptr<support::WorkerPool> workers_;
  std::unique_ptr<GatewayService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  int made_ = 0;
};

}  // namespace plimsoll::gateway
