#include "tests/bench/fleet_sim/identities.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "collector/uplink/identity.h"
#include "plimsoll/v1/collector_gateway.grpc.pb.h"
#include "proto/support/clock.h"
#include "proto/support/digest.h"
#include "proto/support/grpc_status.h"
#include "proto/support/key_files.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::fleet_sim {
namespace {

constexpr int kAtOnce = 16;
constexpr absl::Duration kEnrollTimeout = absl::Seconds(60);

// One file for each authority: hosts of one fleet mean nothing to another.
std::string FileOf(const Options& options, const std::string& ca_pem) {
  return absl::StrCat(options.state_dir, "/hosts-", support::Sha256Hex(ca_pem).substr(0, 16),
                      ".pem");
}

// "NUMBER SEQUENCE DIGEST" a line, beside FileOf.
std::string AcknowledgedFileOf(const Options& options, const std::string& ca_pem) {
  return FileOf(options, ca_pem) + ".acknowledged";
}

void LoadAcknowledged(const std::string& file, std::vector<HostIdentity>& identities) {
  std::ifstream stream(file);
  size_t index = 0;
  uint64_t sequence = 0;
  std::string digest;
  while (stream >> index >> sequence >> digest) {
    if (index >= identities.size()) continue;
    identities[index].acknowledged_sequence = sequence;
    identities[index].acknowledged_digest = absl::HexStringToBytes(digest);
  }
}

bool Expired(const std::string& certificate_pem) {
  const support::CertificatePtr certificate(
      PEM_read_bio_X509(support::ReadBio(certificate_pem).get(), nullptr, nullptr, nullptr));
  // An hour more than now: the run shall end before the certificate does.
  time_t until = absl::ToTimeT(support::Clock::Real().Now() + absl::Hours(1));
  return !certificate || X509_cmp_time(X509_get0_notAfter(certificate.get()), &until) < 0;
}

std::shared_ptr<grpc::Channel> EnrolChannel(const std::string& controller,
                                            const std::string& ca_pem) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ca_pem;
  return grpc::CreateChannel(controller, grpc::SslCredentials(tls));
}

absl::StatusOr<HostIdentity> EnrolOne(v1::CollectorGateway::Stub& stub, const std::string& token,
                                      const std::string& hostname) {
  auto made = uplink::MakeKeyAndRequest();
  if (!made.ok()) return made.status();
  v1::EnrollRequest request;
  request.set_token(token);
  request.set_certificate_signing_request(made->request_der);
  request.set_hostname(hostname);
  v1::EnrollResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(support::Clock::Real().Now() + kEnrollTimeout));
  const absl::Status status = support::FromGrpc(stub.Enroll(&context, request, &response));
  if (!status.ok()) return status;
  HostIdentity identity;
  identity.host_id = response.host_id();
  identity.key_pem = made->key_pem;
  identity.certificate_pem = response.certificate_pem();
  return identity;
}

std::string Advice(const absl::Status& status) {
  if (absl::IsUnauthenticated(status)) {
    return "; does the token have enough uses left? `plimsoll token create --uses N`";
  }
  if (absl::IsUnavailable(status)) return "; are --controller and --ca those of the controller?";
  return "";
}

}  // namespace

absl::StatusOr<std::vector<HostIdentity>> LoadIdentities(const Options& options,
                                                         const std::string& ca_pem) {
  std::vector<HostIdentity> identities(static_cast<size_t>(options.hosts));
  const std::string file = FileOf(options, ca_pem);
  std::ifstream stream(file);
  HostIdentity* host = nullptr;
  std::string* part = nullptr;
  // "# NUMBER ID", then the key's PEM and the certificate's.
  for (std::string line; std::getline(stream, line);) {
    if (absl::StartsWith(line, "# ")) {
      const std::vector<std::string> words = absl::StrSplit(line.substr(2), ' ');
      size_t index = 0;
      if (words.size() != 2 || !absl::SimpleAtoi(words[0], &index)) {
        return absl::DataLossError(absl::StrCat(file, " is damaged; remove it to enrol anew"));
      }
      host = index < identities.size() ? &identities[index] : nullptr;
      if (host != nullptr) {
        *host = HostIdentity();
        host->host_id = words[1];
      }
      continue;
    }
    if (host == nullptr) continue;
    if (absl::StartsWith(line, "-----BEGIN")) {
      part = absl::StrContains(line, "CERTIFICATE") ? &host->certificate_pem : &host->key_pem;
    }
    if (part != nullptr) absl::StrAppend(part, line, "\n");
  }
  LoadAcknowledged(AcknowledgedFileOf(options, ca_pem), identities);
  for (HostIdentity& identity : identities) {
    if (!identity.host_id.empty() && Expired(identity.certificate_pem)) identity = {};
  }
  return identities;
}

absl::Status EnrollMissing(const Options& options, const std::string& ca_pem,
                           const std::vector<std::string>& hostnames,
                           const std::atomic<bool>& interrupted,
                           std::vector<HostIdentity>& identities) {
  std::vector<size_t> missing;
  for (size_t i = 0; i < identities.size(); ++i) {
    if (identities[i].host_id.empty()) missing.push_back(i);
  }
  if (missing.empty()) return absl::OkStatus();
  if (options.token_file.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(missing.size(),
                     " hosts are not enrolled yet: give --token-file, with a token from "
                     "`plimsoll token create --uses N --out FILE`"));
  }
  auto token = support::ReadKeyFile(options.token_file, true);
  if (!token.ok()) return token.status();
  const std::string secret(absl::StripAsciiWhitespace(*token));
  if (auto status = support::MakePrivateDirectory(options.state_dir); !status.ok()) return status;
  const std::string file = FileOf(options, ca_pem);
  if (auto known = support::ReadKeyFile(file, true); absl::IsNotFound(known.status())) {
    if (auto status = support::WritePrivateFile(file, ""); !status.ok()) return status;
  } else if (!known.ok()) {
    return known.status();
  }
  std::ofstream book(file, std::ios::app);

  const auto stub =
      v1::CollectorGateway::NewStub(EnrolChannel(options.controllers.front(), ca_pem));
  std::atomic<size_t> next = 0;
  absl::Mutex mutex;
  absl::Status failed;
  size_t done = 0;
  const auto work = [&] {
    for (size_t i = next++; i < missing.size(); i = next++) {
      auto identity = EnrolOne(*stub, secret, hostnames[missing[i]]);
      absl::MutexLock lock(&mutex);
      if (!identity.ok() && failed.ok()) failed = identity.status();
      if (interrupted && failed.ok()) failed = absl::CancelledError("interrupted");
      if (!failed.ok()) return;
      book << "# " << missing[i] << " " << identity->host_id << "\n"
           << identity->key_pem << identity->certificate_pem;
      identities[missing[i]] = *std::move(identity);
      if (++done % 1000 == 0 || done == missing.size()) {
        std::cerr << "enrolled " << done << " of " << missing.size() << " hosts\n";
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kAtOnce; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  if (!failed.ok()) {
    return absl::Status(failed.code(), absl::StrCat("enrol at ", options.controllers.front(), ": ",
                                                    failed.message(), Advice(failed)));
  }
  book.close();
  if (!book)
    return absl::ResourceExhaustedError(absl::StrCat(file, ": could not be written whole"));
  return absl::OkStatus();
}

void SaveAcknowledged(const Options& options, const std::string& ca_pem,
                      const std::vector<HostIdentity>& identities) {
  std::ofstream stream(AcknowledgedFileOf(options, ca_pem), std::ios::trunc);
  for (size_t i = 0; i < identities.size(); ++i) {
    if (identities[i].acknowledged_digest.empty()) continue;
    stream << i << ' ' << identities[i].acknowledged_sequence << ' '
           << absl::BytesToHexString(identities[i].acknowledged_digest) << '\n';
  }
}

}  // namespace plimsoll::fleet_sim
