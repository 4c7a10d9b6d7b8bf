// Who is let in, and who is sent away.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/access/certificate_authority.h"
#include "tests/controller/gateway/gateway_fixture.h"

namespace plimsoll::gateway {
namespace {

class IdentityTest : public GatewayTest {};

TEST_F(IdentityTest, ATokenEnrolsAsOftenAsItSays) {
  const std::string token = Token(1);
  auto first = uplink::Enroll(address_, authority_->BundlePem(), token, "web-1", dir_ + "/first");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(access::HostIdFromUri("plimsoll://host/" + first->host_id).ok());
  auto host = store_->hosts().Get("web-1");
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->id(), first->host_id);
  EXPECT_EQ(host->connection(), v1::Host::NEVER_SEEN);

  auto second = uplink::Enroll(address_, authority_->BundlePem(), token, "web-2", dir_ + "/second");
  EXPECT_TRUE(absl::IsUnauthenticated(second.status())) << second.status();
  EXPECT_TRUE(absl::IsNotFound(store_->hosts().Get("web-2").status()));
}

TEST_F(IdentityTest, AControllerOfAnotherAuthorityGetsNoToken) {
  const std::string token = Token(1);
  auto refused =
      uplink::Enroll(address_, OtherAuthority()->BundlePem(), token, "web-1", dir_ + "/host");
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  EXPECT_TRUE(
      uplink::Enroll(address_, authority_->BundlePem(), token, "web-1", dir_ + "/host").ok());
}

TEST_F(IdentityTest, WithoutACertificateOnlyEnrolAnswers) {
  const auto stub = Anonymous();
  grpc::ClientContext connect;
  auto stream = stub->Connect(&connect);
  v1::ToCollector message;
  EXPECT_FALSE(stream->Read(&message));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);

  grpc::ClientContext renew;
  v1::RenewRequest request;
  request.set_certificate_signing_request(uplink::MakeKeyAndRequest()->request_der);
  v1::RenewResponse response;
  EXPECT_EQ(stub->Renew(&renew, request, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);

  grpc::ClientContext enroll;
  v1::EnrollRequest enrollment;
  enrollment.set_token(Token());
  enrollment.set_certificate_signing_request(uplink::MakeKeyAndRequest()->request_der);
  v1::EnrollResponse enrolled;
  EXPECT_TRUE(stub->Enroll(&enroll, enrollment, &enrolled).ok());
}

TEST_F(IdentityTest, CertificatesThatAreNotGoodAreRefused) {
  const std::string known = Enrolled().host_id;
  const absl::Time now = clock_.Now();
  const auto other = OtherAuthority();
  const struct {
    const char* name;
    uplink::Identity identity;
    absl::StatusCode code;
  } cases[] = {
      {"of another authority", Signed(*other, known, now, absl::Hours(1)),
       absl::StatusCode::kUnavailable},
      {"expired", Signed(*authority_, known, now - absl::Hours(48), absl::Hours(1)),
       absl::StatusCode::kUnavailable},
      {"not valid yet", Signed(*authority_, known, now + absl::Hours(1), absl::Hours(1)),
       absl::StatusCode::kUnavailable},
      {"never recorded", Signed(*authority_, known, now, absl::Hours(1)),
       absl::StatusCode::kUnauthenticated},
      {"no host", Signed(*authority_, "controller", now, absl::Hours(1)),
       absl::StatusCode::kUnauthenticated},
  };
  for (const auto& c : cases) {
    TestCollector uplink = Open(c.identity);
    v1::FromCollector hello;
    hello.mutable_hello()->set_protocol_version(1);
    uplink.Send(hello);
    const absl::Status end = EndOf(uplink);
    EXPECT_EQ(end.code(), c.code) << c.name << ": " << end;
  }
  EXPECT_EQ(sessions_.Count(), 0u);
}

TEST_F(IdentityTest, ARevokedHostIsThrownOutAtOnceAndStaysOut) {
  const uplink::Identity identity = Enrolled("web-1");
  const uplink::Identity bystander = Enrolled("web-2");
  TestCollector uplink = Open(identity);
  TestCollector other = Open(bystander);
  Greet(uplink);
  Greet(other, "web-2");
  Revoke(identity.host_id);
  const absl::Status end = EndOf(uplink);
  EXPECT_TRUE(absl::IsPermissionDenied(end)) << end;
  EXPECT_TRUE(absl::StrContains(end.message(), "revoked")) << end;

  TestCollector again = Open(identity);
  v1::FromCollector hello;
  hello.mutable_hello()->set_protocol_version(1);
  again.Send(hello);
  const absl::Status refused = EndOf(again);
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;

  EXPECT_TRUE(Send(other, Snapshot(1, Facts({"c1"}))));
  EXPECT_TRUE(Next(other).has_ack());
  EXPECT_EQ(Connection(identity.host_id), v1::Host::REVOKED);
  EXPECT_EQ(Connection(bystander.host_id), v1::Host::CONNECTED);
}

TEST_F(IdentityTest, RenewalOverTheStreamGivesACertificateThatWorks) {
  const uplink::Identity identity = Enrolled();
  TestCollector uplink = Open(identity);
  Greet(uplink);
  v1::FromCollector renew;
  renew.mutable_renew()->set_certificate_signing_request(*uplink::MakeRequest(identity.key_pem));
  ASSERT_TRUE(uplink.Send(renew));
  const v1::ToCollector answer = Next(uplink);
  ASSERT_TRUE(answer.has_renewed()) << answer.ShortDebugString();
  EXPECT_NE(answer.renewed().certificate_pem(), identity.certificate_pem);

  const std::string dir = dir_ + "/renewed";
  ASSERT_TRUE(uplink::SaveIdentity(dir, identity.key_pem, answer.renewed().certificate_pem(),
                                   answer.renewed().ca_bundle_pem())
                  .ok());
  auto renewed = uplink::LoadIdentity(dir, clock_.Now());
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->host_id, identity.host_id);
  TestCollector again = Open(*renewed);
  EXPECT_EQ(Greet(again).host_id(), identity.host_id);
}

TEST_F(IdentityTest, ARequestThatIsNoneEndsTheSession) {
  TestCollector uplink = Open(Enrolled());
  Greet(uplink);
  v1::FromCollector renew;
  renew.mutable_renew()->set_certificate_signing_request("garbage");
  ASSERT_TRUE(uplink.Send(renew));
  const absl::Status end = EndOf(uplink);
  EXPECT_TRUE(absl::IsInvalidArgument(end)) << end;
}

TEST_F(IdentityTest, RenewalByCallNeedsTheHostToBeWelcome) {
  const uplink::Identity identity = Enrolled();
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = identity.ca_pem;
  tls.pem_private_key = identity.key_pem;
  tls.pem_cert_chain = identity.certificate_pem;
  const auto stub =
      v1::CollectorGateway::NewStub(grpc::CreateChannel(address_, grpc::SslCredentials(tls)));
  v1::RenewRequest request;
  request.set_certificate_signing_request(*uplink::MakeRequest(identity.key_pem));
  v1::RenewResponse response;
  grpc::ClientContext good;
  const grpc::Status renewed = stub->Renew(&good, request, &response);
  EXPECT_TRUE(renewed.ok()) << renewed.error_message();
  EXPECT_EQ(response.ca_bundle_pem(), authority_->BundlePem());
  Revoke(identity.host_id);
  grpc::ClientContext late;
  EXPECT_EQ(stub->Renew(&late, request, &response).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

// Nobody may wait.
class FloodTest : public GatewayTest {
 protected:
  static GatewayOptions NoRoom() {
    GatewayOptions options = Options();
    options.max_waiting_enrollments = 0;
    return options;
  }
  FloodTest() : GatewayTest(NoRoom()) {}
};

TEST_F(FloodTest, EnrolmentsThatDoNotFitAreTurnedAway) {
  grpc::ClientContext context;
  v1::EnrollResponse response;
  EXPECT_EQ(Anonymous()->Enroll(&context, v1::EnrollRequest(), &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace plimsoll::gateway
