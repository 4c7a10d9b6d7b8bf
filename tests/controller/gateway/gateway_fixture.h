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
#include "proto/support/clock.h"
#include "tests/controller/gateway/test_collector.h"
#include "tests/controller/gateway/test_controller.h"

namespace plimsoll::gateway {

// A real gRPC server with TLS, a real database, and the collectors' own enrolment. The clock stands
// still at the time the test began: TLS checks certificates against the machine's clock, so they
// have to be valid there.
class GatewayTest : public ::testing::Test {
 protected:
  static constexpr int kMaxMessageBytes = 1 << 20;

  // The options that tests change little by little.
  static GatewayOptions Options();
  // An empty `url` is a fresh database.
  explicit GatewayTest(const GatewayOptions& options = Options(), const std::string& url = {});
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
  // Another controller on the same database.
  std::unique_ptr<TestController> Another(const std::string& id) const;

  TestCollector Open(const uplink::Identity& identity) const;
  // Of the newest protocol.
  static v1::FromCollector Hello(const std::string& boot_id = "boot-1");
  // Sends Hello; returns Welcome, or an empty one and a test failure.
  v1::Welcome Greet(TestCollector& collector, const std::string& hostname = "web-1");
  bool Send(TestCollector& collector, v1::FactsDelta delta);
  // The next message; a test failure when there is none within kPatience.
  v1::ToCollector Next(TestCollector& collector);
  // Waits until the controller ends the session, and says how.
  absl::Status EndOf(TestCollector& collector);

  // Facts of a small host with these containers.
  v1::HostFacts Facts(const std::vector<std::string>& containers) const;
  // Of protocol version 2, as all digests here unless they say otherwise.
  static std::string Digest(const v1::HostFacts& facts);
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
  void Settle() { controller_->Settle(); }
  // Ends all sessions and waits for everything they left to do.
  void Stop() { controller_->Stop(); }
  // Waits until `counter` is at least `count`; false after kPatience.
  static bool Await(const GatewayStats::Counter& counter, int64_t count);
  static bool AwaitTrue(const std::function<bool()>& condition);

  const std::string dir_;
  const GatewayOptions options_;
  const std::string url_;
  TestClock clock_;
  std::unique_ptr<access::CertificateAuthority> authority_;
  std::vector<v1::Baseline> baselines_;
  std::unique_ptr<TestController> controller_;
  // Of controller_.
  store::Store* const store_;
  scans::ScanBoard* const board_;
  Ingest* const ingest_;
  SessionRegistry& sessions_;
  GatewayStats& stats_;
  const std::string address_;
  int made_ = 0;

 private:
  std::unique_ptr<access::CertificateAuthority> MakeAuthority() const;
  static std::vector<v1::Baseline> Shipped();
};

}  // namespace plimsoll::gateway
