#include "tests/controller/gateway/gateway_fixture.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/access/tokens.h"
#include "controller/evaluate/baseline_loader.h"
#include "proto/support/facts_delta.h"
#include "proto/support/facts_digest.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::gateway {
namespace {

// Only a test that fails waits this long.
constexpr absl::Duration kPatience = absl::Seconds(30);

std::string TemporaryDirectory() {
  char dir[] = "/tmp/plimsoll-gateway-XXXXXX";
  if (mkdtemp(dir) == nullptr) std::abort();
  return dir;
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

void AddContainers(const std::vector<std::string>& ids, v1::HostFacts& facts) {
  v1::ContainersFacts& section = *facts.mutable_containers();
  section.mutable_outcome()->set_state(v1::SourceOutcome::OK);
  for (const std::string& id : ids) {
    v1::Container& container = *section.add_containers();
    container.set_id(id);
    container.set_name("name-of-" + id);
    container.mutable_outcome()->set_state(v1::SourceOutcome::OK);
  }
}

}  // namespace

GatewayOptions GatewayTest::Options() {
  GatewayOptions options;
  options.max_message_bytes = kMaxMessageBytes;
  return options;
}

GatewayTest::GatewayTest(const GatewayOptions& options, const std::string& url)
    : dir_(TemporaryDirectory()),
      options_(options),
      url_(url.empty() ? plimsoll::testing::FreshDatabase() : url),
      clock_(absl::FromUnixSeconds(absl::ToUnixSeconds(support::Clock::Real().Now()))),
      authority_(MakeAuthority()),
      baselines_(Shipped()),
      controller_(Another("controller-1")),
      store_(controller_->store.get()),
      board_(controller_->board.get()),
      ingest_(controller_->ingest.get()),
      sessions_(controller_->sessions),
      stats_(controller_->stats),
      address_(controller_->address) {}

GatewayTest::~GatewayTest() {
  controller_.reset();
  std::filesystem::remove_all(dir_);
}

std::unique_ptr<access::CertificateAuthority> GatewayTest::MakeAuthority() const {
  auto authority = access::CertificateAuthority::LoadOrCreate(dir_ + "/pki", clock_.Now());
  if (!authority.ok()) std::abort();
  return *std::move(authority);
}

std::vector<v1::Baseline> GatewayTest::Shipped() {
  std::vector<v1::Baseline> baselines;
  for (const std::string& id : evaluate::ShippedBaselineIds()) {
    baselines.push_back(*evaluate::ShippedBaseline(id));
  }
  return baselines;
}

std::unique_ptr<TestController> GatewayTest::Another(const std::string& id) const {
  return std::make_unique<TestController>(id, url_, *authority_, baselines_, clock_, options_);
}

std::string GatewayTest::Token(int uses) {
  const std::string secret = access::NewSecret(access::kEnrollmentPrefix);
  v1::EnrollmentToken token;
  token.set_id(absl::StrCat("token-", ++made_));
  token.set_max_uses(uses);
  *token.mutable_create_time() = ToTimestamp(clock_.Now());
  *token.mutable_expire_time() = ToTimestamp(clock_.Now() + absl::Hours(1));
  EXPECT_TRUE(store_->enrollment().CreateToken(token, access::HashSecret(secret)).ok());
  return secret;
}

uplink::Identity GatewayTest::Enrolled(const std::string& hostname) {
  auto identity = uplink::Enroll(address_, authority_->BundlePem(), Token(), hostname,
                                 absl::StrCat(dir_, "/host-", ++made_));
  EXPECT_TRUE(identity.ok()) << identity.status();
  return identity.ok() ? *identity : uplink::Identity();
}

uplink::Identity GatewayTest::Signed(const access::CertificateAuthority& authority,
                                     const std::string& host_id, absl::Time from,
                                     absl::Duration lifetime) {
  auto made = uplink::MakeKeyAndRequest();
  auto certificate = authority.SignHost(made->request_der, host_id, from, lifetime);
  EXPECT_TRUE(certificate.ok()) << certificate.status();
  return {host_id,
          made->key_pem,
          certificate->pem,
          authority_->BundlePem(),
          certificate->not_before,
          certificate->not_after};
}

std::unique_ptr<access::CertificateAuthority> GatewayTest::OtherAuthority() {
  return *access::CertificateAuthority::LoadOrCreate(dir_ + "/other", clock_.Now());
}

std::unique_ptr<v1::CollectorGateway::Stub> GatewayTest::Anonymous() const {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = authority_->BundlePem();
  return v1::CollectorGateway::NewStub(grpc::CreateChannel(address_, grpc::SslCredentials(tls)));
}

TestCollector GatewayTest::Open(const uplink::Identity& identity) const {
  return TestCollector(address_, identity);
}

v1::FromCollector GatewayTest::Hello(const std::string& boot_id) {
  v1::FromCollector message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_protocol_version(2);
  hello.set_collector_version("0.1.0");
  hello.set_hostname("web-1");
  hello.set_boot_id(boot_id);
  return message;
}

v1::Welcome GatewayTest::Greet(TestCollector& collector, const std::string& hostname) {
  v1::FromCollector message = Hello();
  v1::Hello& hello = *message.mutable_hello();
  hello.set_hostname(hostname);
  (*hello.mutable_labels())["env"] = "prod";
  *hello.mutable_host_time() = ToTimestamp(clock_.Now() + absl::Seconds(3));
  EXPECT_TRUE(collector.Send(message));
  const v1::ToCollector answer = Next(collector);
  EXPECT_TRUE(answer.has_welcome()) << answer.ShortDebugString();
  return answer.welcome();
}

bool GatewayTest::Send(TestCollector& collector, v1::FactsDelta delta) {
  v1::FromCollector message;
  *message.mutable_facts_delta() = std::move(delta);
  return collector.Send(message);
}

v1::ToCollector GatewayTest::Next(TestCollector& collector) {
  auto message = collector.Receive(kPatience);
  EXPECT_TRUE(message.ok()) << message.status();
  return message.ok() ? *std::move(message) : v1::ToCollector();
}

absl::Status GatewayTest::EndOf(TestCollector& collector) {
  while (true) {
    auto message = collector.Receive(kPatience);
    if (message.ok()) continue;
    EXPECT_TRUE(absl::IsUnavailable(message.status())) << message.status();
    if (!absl::IsUnavailable(message.status())) collector.Cancel();
    return collector.Finish();
  }
}

v1::HostFacts GatewayTest::Facts(const std::vector<std::string>& containers) const {
  v1::HostFacts facts;
  facts.set_collector_version("0.1.0");
  *facts.mutable_observed_time() = ToTimestamp(clock_.Now());
  facts.mutable_machine()->mutable_outcome()->set_state(v1::SourceOutcome::OK);
  facts.mutable_machine()->set_hostname("web-1");
  AddContainers(containers, facts);
  return facts;
}

std::string GatewayTest::Digest(const v1::HostFacts& facts) {
  return support::FactsDigestTree(facts).Digest();
}

v1::FactsDelta GatewayTest::Snapshot(uint64_t sequence, const v1::HostFacts& facts) const {
  v1::FactsDelta delta;
  delta.set_sequence(sequence);
  delta.set_new_digest(Digest(facts));
  *delta.mutable_observed_time() = ToTimestamp(clock_.Now());
  *delta.mutable_changed() = facts;
  return delta;
}

v1::FactsDelta GatewayTest::Change(uint64_t sequence, v1::HostFacts& base,
                                   const std::vector<std::string>& containers,
                                   const std::vector<std::string>& gone) const {
  v1::FactsDelta delta;
  delta.set_sequence(sequence);
  delta.set_base_digest(Digest(base));
  *delta.mutable_observed_time() = ToTimestamp(clock_.Now());
  delta.mutable_changed()->set_collector_version("0.1.0");
  AddContainers(containers, *delta.mutable_changed());
  for (const std::string& id : gone) {
    v1::Removal& removal = *delta.add_removals();
    removal.set_section(v1::HostFacts::kContainersFieldNumber);
    removal.set_key(id);
  }
  EXPECT_TRUE(support::ApplyDelta(delta, base).ok());
  delta.set_new_digest(Digest(base));
  return delta;
}

std::vector<std::string> GatewayTest::StoredContainers(const std::string& host_id) {
  std::vector<std::string> ids;
  const auto facts = store_->reports().GetFacts(host_id);
  if (!facts.ok()) return {std::string(facts.status().message())};
  for (const v1::Container& container : facts->facts.containers().containers()) {
    ids.push_back(container.id());
  }
  return ids;
}

v1::Host::Connection GatewayTest::Connection(const std::string& host_id) {
  auto host = store_->hosts().Get(host_id);
  EXPECT_TRUE(host.ok()) << host.status();
  return host.ok() ? host->connection() : v1::Host::CONNECTION_UNSPECIFIED;
}

store::NewScan GatewayTest::Scan(const std::string& id,
                                 const std::vector<std::string>& hosts) const {
  store::NewScan scan;
  scan.id = id;
  scan.created_by = "ann";
  scan.request_digest = id;
  scan.create_time = clock_.Now();
  scan.deadline = clock_.Now() + absl::Minutes(1);
  scan.host_ids = hosts;
  return scan;
}

std::string GatewayTest::ScanState(const std::string& id) {
  auto scan = board_->Get(id);
  if (!scan.ok()) return scan.status().ToString();
  if (scan->hosts_size() != 1) return absl::StrCat(scan->hosts_size(), " hosts");
  const v1::ScanHost& host = scan->hosts(0);
  return absl::StrCat(v1::Scan::State_Name(scan->state()), ": ",
                      v1::ScanHost::State_Name(host.state()), " ", host.message());
}

void GatewayTest::Revoke(const std::string& host_id) {
  ASSERT_TRUE(store_->enrollment().RevokeHost(host_id, "stolen", clock_.Now()).ok());
  controller_->revocations.Announce(host_id);
}

bool GatewayTest::Await(const GatewayStats::Counter& counter, int64_t count) {
  return AwaitTrue([&] { return counter >= count; });
}

bool GatewayTest::AwaitTrue(const std::function<bool()>& condition) {
  const absl::Time deadline = support::Clock::Real().Now() + kPatience;
  while (!condition()) {
    if (support::Clock::Real().Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

}  // namespace plimsoll::gateway
