// A collector that breaks the protocol, for tests: enrols for real, then behaves as it is told.
//
//   hostile_collector CONTROLLER CA TOKEN_FILE STATE_DIR SECONDS liar|deaf
//
// liar  sends facts whose digest is not theirs, deltas onto facts nobody has, and sequences that
// cannot be, again
//       and again; prints "N refused", and fails when one of them was acknowledged.
// deaf  sends heartbeats that ask for an answer and reads none; prints "ended CODE", CODE being the
// status its session ended with.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "collector/uplink/identity.h"
#include "collector/uplink/uplink.h"
#include "plimsoll/v1/collector_gateway.grpc.pb.h"
#include "proto/support/digest.h"
#include "proto/support/facts_digest.h"
#include "proto/support/key_files.h"

namespace plimsoll {
namespace {

using Clock = std::chrono::steady_clock;
using Stream = grpc::ClientReaderWriter<v1::FromCollector, v1::ToCollector>;

struct Connection {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::CollectorGateway::Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<Stream> stream;
};

std::unique_ptr<Connection> Connect(const std::string& controller, const uplink::Identity& identity,
                                    Clock::time_point end) {
  auto made = std::make_unique<Connection>();
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = identity.ca_pem;
  tls.pem_private_key = identity.key_pem;
  tls.pem_cert_chain = identity.certificate_pem;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  made->channel = grpc::CreateCustomChannel(controller, grpc::SslCredentials(tls), arguments);
  made->stub = v1::CollectorGateway::NewStub(made->channel);
  // A write waits for as long as the controller does not read.
  made->context.set_deadline(std::chrono::system_clock::now() + (end - Clock::now()));
  made->stream = made->stub->Connect(&made->context);
  v1::FromCollector message;
  message.mutable_hello()->set_protocol_version(2);
  message.mutable_hello()->set_hostname("hostile");
  made->stream->Write(message);
  return made;
}

v1::HostFacts SomeFacts(int number) {
  v1::HostFacts facts;
  facts.set_collector_version("hostile");
  facts.mutable_machine()->set_hostname("hostile");
  v1::Container& container = *facts.mutable_containers()->add_containers();
  container.set_id(std::string(64, 'f'));
  container.set_memory_limit_bytes(number);
  return facts;
}

// A lie of the kind that `number` chooses, on what Welcome said.
v1::FromCollector Lie(int number, uint64_t next) {
  v1::FromCollector message;
  v1::FactsDelta& delta = *message.mutable_facts_delta();
  delta.set_sequence(next);
  *delta.mutable_changed() = SomeFacts(number);
  const std::string truth = support::FactsDigestTree(delta.changed()).Digest();
  const std::string other = support::Sha256(std::to_string(number));
  switch (number % 4) {
    case 0:
      delta.set_new_digest(other);
      break;
    case 1:
      delta.set_base_digest(other);
      delta.set_new_digest(truth);
      break;
    case 2:
      delta.set_sequence(0);
      delta.set_new_digest(truth);
      break;
    default:
      delta.set_sequence(~uint64_t{0});
      delta.set_new_digest(truth);
  }
  return message;
}

int RunLiar(const std::string& controller, const uplink::Identity& identity,
            Clock::time_point end) {
  int refused = 0;
  for (int number = 0; Clock::now() < end; ++number) {
    const auto connection = Connect(controller, identity, end);
    v1::ToCollector answer;
    uint64_t next = 1;
    bool asked = false;
    while (connection->stream->Read(&answer)) {
      if (answer.has_ack()) {
        std::printf("lie %d was acknowledged\n", number);
        return 1;
      }
      if (answer.has_welcome()) next = answer.welcome().last_sequence() + 1;
      if (answer.has_resync()) break;
      if (!std::exchange(asked, true)) connection->stream->Write(Lie(number, next));
    }
    connection->context.TryCancel();
    connection->stream->Finish();
    refused += asked && Clock::now() < end;
  }
  std::printf("%d refused\n", refused);
  return refused > 0 ? 0 : 1;
}

int RunDeaf(const std::string& controller, const uplink::Identity& identity,
            Clock::time_point end) {
  const auto connection = Connect(controller, identity, end);
  v1::FromCollector message;
  message.mutable_heartbeat()->set_facts_digest(std::string(32, 'x'));
  bool open = true;
  while (open && Clock::now() < end) open = connection->stream->Write(message);
  if (open) connection->context.TryCancel();
  v1::ToCollector ignored;
  while (connection->stream->Read(&ignored)) {
  }
  std::printf("ended %d\n", static_cast<int>(connection->stream->Finish().error_code()));
  return 0;
}

int Main(char** argv) {
  const std::string controller = argv[1], state = argv[4], kind = argv[6];
  auto ca = support::ReadKeyFile(argv[2], false);
  auto token = support::ReadKeyFile(argv[3], true);
  if (!ca.ok() || !token.ok()) return 3;
  auto identity = uplink::Enroll(controller, *ca, std::string(absl::StripAsciiWhitespace(*token)),
                                 "hostile", state);
  if (!identity.ok()) {
    std::printf("%s\n", identity.status().ToString().c_str());
    return 3;
  }
  const auto end = Clock::now() + std::chrono::seconds(std::atoi(argv[5]));
  return kind == "deaf" ? RunDeaf(controller, *identity, end) : RunLiar(controller, *identity, end);
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr,
                 "hostile_collector CONTROLLER CA TOKEN_FILE STATE_DIR SECONDS liar|deaf\n");
    return 2;
  }
  return plimsoll::Main(argv);
}
