// What a collector may not do, and what becomes of it.
#include <gmock/gmock.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "tests/controller/gateway/gateway_fixture.h"

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LimitsTest : public GatewayTest {
 protected:
  static GatewayOptions Few() {
    GatewayOptions options = Options();
    options.max_objects_per_section = 3;
    options.max_deltas_per_minute = 4;
    options.max_heartbeats_per_minute = 4;
    // The clock of these tests runs on while a change is committed, which is no slow commit.
    options.slow_down_after = absl::Hours(1);
    return options;
  }
  LimitsTest() : GatewayTest(Few()) {}

  // A collector that said Hello.
  std::unique_ptr<TestCollector> Greeted(const uplink::Identity& identity) {
    auto collector = std::make_unique<TestCollector>(address_, identity);
    EXPECT_GE(Greet(*collector).limits().max_deltas_per_minute(), 4);
    return collector;
  }
  absl::Status EndAfter(const std::string& bytes) {
    auto collector = Greeted(Enrolled());
    collector->SendBytes(bytes);
    return EndOf(*collector);
  }
  static v1::FromCollector Heartbeat() {
    v1::FromCollector message;
    message.mutable_heartbeat();
    return message;
  }
};

// Anybody may send one.
TEST_F(LimitsTest, AnEnrolmentIsShort) {
  v1::EnrollRequest request;
  request.set_token(Token());
  request.set_certificate_signing_request(uplink::MakeKeyAndRequest()->request_der);
  for (const auto& [hostname, code] :
       {std::pair{std::string(100'000, 'x'), grpc::StatusCode::INVALID_ARGUMENT},
        std::pair{std::string("web-1"), grpc::StatusCode::OK}}) {
    request.set_hostname(hostname);
    grpc::ClientContext context;
    v1::EnrollResponse response;
    const grpc::Status status = Anonymous()->Enroll(&context, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_EQ(response.host_id().empty(), !status.ok());
  }
  // As short as an honest one, for those who have a certificate.
  const uplink::Identity identity = Enrolled();
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = authority_->BundlePem();
  tls.pem_private_key = identity.key_pem;
  tls.pem_cert_chain = identity.certificate_pem;
  const auto stub =
      v1::CollectorGateway::NewStub(grpc::CreateChannel(address_, grpc::SslCredentials(tls)));
  v1::RenewRequest renewal;
  renewal.set_certificate_signing_request(std::string(100'000, 'x'));
  grpc::ClientContext context;
  v1::RenewResponse response;
  const grpc::Status status = stub->Renew(&context, renewal, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "the request is longer than 64 KiB");
}

TEST_F(LimitsTest, LengthIsLookedAtBeforeDecoding) {
  v1::FromCollector large;
  large.mutable_scan_failed()->set_reason(std::string(kMaxMessageBytes, 'x'));
  const absl::Status end = EndAfter(large.SerializeAsString());
  EXPECT_TRUE(absl::IsResourceExhausted(end)) << end;
  EXPECT_EQ(stats_.over_message_bytes, 1);
  // Not a message at all, and nobody looked.
  EXPECT_TRUE(absl::IsResourceExhausted(EndAfter(std::string(kMaxMessageBytes + 1, '\xff'))));
  EXPECT_EQ(stats_.malformed, 0);

  TestCollector stranger = Open(Enrolled());
  v1::FromCollector hello = Hello();
  hello.mutable_hello()->set_hostname(std::string(100'000, 'x'));
  stranger.Send(hello);
  EXPECT_TRUE(absl::IsResourceExhausted(EndOf(stranger)));
  EXPECT_EQ(stats_.sessions_refused, 1);
}

TEST_F(LimitsTest, AFewBytesMayNotAskForMuchMemory) {
  v1::FromCollector bomb;
  for (int i = 0; i < 200'000; ++i) {
    bomb.mutable_facts_delta()->mutable_changed()->mutable_containers()->add_containers();
  }
  const absl::Status end = EndAfter(bomb.SerializeAsString());
  EXPECT_TRUE(absl::IsResourceExhausted(end)) << end;
  EXPECT_EQ(stats_.over_decoded_bytes, 1);
  EXPECT_TRUE(AwaitTrue([&] { return stats_.budget_in_use == 0; }));
}

TEST_F(LimitsTest, GarbageEndsOnlyItsOwnSession) {
  const uplink::Identity good = Enrolled("web-2");
  auto bystander = Greeted(good);
  std::mt19937 random(20261128);
  std::vector<std::string> garbage = {"garbage", std::string(1000, '\xff'), std::string("\x22", 1),
                                      std::string("\x12\xff\xff\xff\xff\x0f", 6)};
  for (int i = 0; i < 12; ++i) {
    std::string bytes(1 + random() % 3000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    bytes[0] = static_cast<char>(i % 2 == 0 ? 0x12 : 0x22);
    garbage.push_back(bytes);
  }
  for (const std::string& bytes : garbage) {
    const absl::Status end = EndAfter(bytes);
    // Some of it could only be held in much memory.
    EXPECT_TRUE(absl::IsInvalidArgument(end) || absl::IsResourceExhausted(end)) << end;
  }
  EXPECT_EQ(stats_.malformed + stats_.over_decoded_bytes, static_cast<int64_t>(garbage.size()));
  EXPECT_GE(stats_.malformed, 10);
  Send(*bystander, Snapshot(1, Facts({"c1"})));
  EXPECT_TRUE(Next(*bystander).has_ack());
}

TEST_F(LimitsTest, ObjectsAreCountedBeforeAndAfterADelta) {
  const uplink::Identity identity = Enrolled();
  auto first = Greeted(identity);
  Send(*first, Snapshot(1, Facts({"c1", "c2", "c3", "c4"})));
  absl::Status end = EndOf(*first);
  EXPECT_TRUE(absl::IsResourceExhausted(end)) << end;
  EXPECT_THAT(end.message(), HasSubstr("containers"));

  auto second = Greeted(identity);
  v1::HostFacts facts = Facts({"c1", "c2", "c3"});
  Send(*second, Snapshot(1, facts));
  EXPECT_TRUE(Next(*second).has_ack());
  Send(*second, Change(2, facts, {"c4"}, {}));
  end = EndOf(*second);
  EXPECT_TRUE(absl::IsResourceExhausted(end)) << end;
  EXPECT_EQ(stats_.over_objects, 2);
  EXPECT_THAT(StoredContainers(identity.host_id), ElementsAre("c1", "c2", "c3"));
}

TEST_F(LimitsTest, TooManyChangesAreToldToSlowDownAndWait) {
  auto collector = Greeted(Enrolled());
  for (int i = 1; i <= 6; ++i) Send(*collector, Snapshot(i, Facts({absl::StrCat("c", i)})));
  for (int i = 1; i <= 4; ++i) EXPECT_EQ(Next(*collector).ack().sequence(), i);
  const v1::ToCollector slow = Next(*collector);
  ASSERT_TRUE(slow.has_slow_down()) << slow.ShortDebugString();
  // Four a minute: one in fifteen seconds, and jitter.
  EXPECT_GE(slow.slow_down().pause().seconds(), 15);
  EXPECT_LE(slow.slow_down().pause().seconds(), 30);
  EXPECT_EQ(Next(*collector).ack().sequence(), 5u);
  controller_->service->Tick();
  EXPECT_EQ(stats_.deltas, 5) << "the sixth is not read meanwhile";
  clock_.Advance(absl::Seconds(16));
  ASSERT_TRUE(AwaitTrue([&] {
    controller_->service->Tick();
    return stats_.deltas == 6;
  }));
  // Still too fast; it is told so again unless the last pause, which is jittered, lasts longer.
  v1::ToCollector last = Next(*collector);
  if (last.has_slow_down()) last = Next(*collector);
  EXPECT_EQ(last.ack().sequence(), 6u) << last.ShortDebugString();
  EXPECT_GE(stats_.over_deltas, 1);
}

TEST_F(LimitsTest, TooManyHeartbeatsWait) {
  auto collector = Greeted(Enrolled());
  for (int i = 0; i < 20; ++i) collector->Send(Heartbeat());
  Send(*collector, Snapshot(1, Facts({"c1"})));
  ASSERT_TRUE(Await(stats_.over_heartbeats, 1));
  controller_->service->Tick();
  EXPECT_EQ(stats_.heartbeats, 5);
  EXPECT_EQ(stats_.over_heartbeats, 1);
  // One at a time: a clock that runs ahead of what arrives would be silence.
  for (int64_t heard = 6; heard <= 20; ++heard) {
    clock_.Advance(absl::Seconds(16));
    ASSERT_TRUE(AwaitTrue([&] {
      controller_->service->Tick();
      return stats_.heartbeats == heard;
    })) << heard;
  }
  clock_.Advance(absl::Seconds(16));
  ASSERT_TRUE(AwaitTrue([&] {
    controller_->service->Tick();
    return stats_.deltas == 1;
  }));
  EXPECT_EQ(stats_.heartbeats, 20);
  const v1::ToCollector answer = Next(*collector);
  EXPECT_TRUE(answer.has_ack()) << answer.ShortDebugString();
  EXPECT_EQ(stats_.sessions_silent, 0) << "waiting is not silence";
}

// Unlimited heartbeats.
class SlowReaderTest : public GatewayTest {
 protected:
  static GatewayOptions Many() {
    GatewayOptions options = Options();
    options.max_heartbeats_per_minute = 0;
    return options;
  }
  SlowReaderTest() : GatewayTest(Many()) {}
};

TEST_F(SlowReaderTest, AnswersThatNobodyReadsAreBounded) {
  TestCollector collector(address_, Enrolled(), TestCollector::Reads::kNever);
  collector.Send(Hello());
  v1::FromCollector wrong;
  wrong.mutable_heartbeat()->set_facts_digest(std::string(32, 'x'));
  int sent = 0;
  while (sent < 1'000'000 && stats_.slow_readers == 0 && collector.Send(wrong)) ++sent;
  EXPECT_TRUE(Await(stats_.slow_readers, 1)) << sent;
  EXPECT_TRUE(AwaitTrue([&] { return sessions_.OpenCount() == 0; }));
}

}  // namespace
}  // namespace plimsoll::gateway
