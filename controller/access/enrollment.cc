#include "controller/access/enrollment.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/access/tokens.h"
#include "proto/support/logging.h"

namespace plimsoll::access {
namespace {

absl::Status Refused() {
  return absl::UnauthenticatedError(
      "enrolment refused: the token is not valid; create one with `plimsoll token create`");
}

}  // namespace

Enrollment::Enrollment(store::EnrollmentStore& store, const CertificateAuthority& authority,
                       const support::Clock& clock, EnrollmentOptions options)
    : store_(store), authority_(authority), clock_(clock), options_(options) {}

void Enrollment::Tell(const std::string& host_id, const std::string& hostname,
                      const std::string& peer, const absl::Status& outcome) const {
  if (!options_.enrolled) return;
  v1::Activity entry;
  entry.set_actor_kind(outcome.ok() ? v1::Activity::COLLECTOR : v1::Activity::NOBODY);
  entry.set_actor_id(outcome.ok() ? host_id : "");
  entry.set_actor_name(support::LogSafe(hostname));
  // Of gRPC's "ipv4:10.0.0.1:4711" the address.
  const size_t begin = peer.find(':') + 1;
  const size_t end = peer.rfind(':');
  entry.set_peer(end == std::string::npos || end < begin ? peer : peer.substr(begin, end - begin));
  entry.set_action("CollectorGateway.Enroll");
  entry.set_object(outcome.ok() ? absl::StrCat("hosts/", host_id) : "");
  entry.set_outcome(absl::StatusCodeToString(outcome.code()));
  entry.set_message(std::string(outcome.message()));
  options_.enrolled(std::move(entry));
}

bool Enrollment::MayTry() {
  absl::MutexLock lock(&mutex_);
  if (clock_.Now() - minute_ >= absl::Minutes(1)) {
    minute_ = clock_.Now();
    refused_ = 0;
  }
  return refused_ < options_.refused_per_minute;
}

void Enrollment::CountRefusal() {
  absl::MutexLock lock(&mutex_);
  ++refused_;
}

absl::StatusOr<v1::EnrollResponse> Enrollment::Enroll(const v1::EnrollRequest& request,
                                                      const std::string& peer) {
  if (!MayTry()) {
    spdlog::warn("enrolment refused peer={} reason=\"too many refused attempts\"", peer);
    return absl::ResourceExhaustedError("too many refused enrolments; try again in a minute");
  }
  const std::string host_id = NewHostId();
  auto certificate = authority_.SignHost(request.certificate_signing_request(), host_id,
                                         clock_.Now(), options_.certificate_lifetime);
  if (!certificate.ok()) {
    CountRefusal();
    return certificate.status();
  }
  const absl::Status enrolled =
      store_.Enroll(HashSecret(request.token()), request.hostname().substr(0, 255),
                    {certificate->serial, host_id, certificate->not_before, certificate->not_after},
                    clock_.Now());
  if (absl::IsUnauthenticated(enrolled)) {
    CountRefusal();
    spdlog::warn("enrolment refused peer={} hostname={} reason=\"{}\"", peer,
                 support::LogSafe(request.hostname()), std::string(enrolled.message()));
    Tell("", request.hostname(), peer, enrolled);
    return Refused();
  }
  if (!enrolled.ok()) return enrolled;
  spdlog::info("host enrolled host={} hostname={} peer={}", host_id,
               support::LogSafe(request.hostname()), peer);
  Tell(host_id, request.hostname(), peer, absl::OkStatus());
  v1::EnrollResponse response;
  response.set_host_id(host_id);
  response.set_certificate_pem(certificate->pem);
  response.set_ca_bundle_pem(authority_.BundlePem());
  return response;
}

absl::StatusOr<v1::RenewResponse> Enrollment::Renew(const std::string& host_id,
                                                    const std::string& serial,
                                                    const v1::RenewRequest& request) {
  if (auto status = store_.CheckCertificate(serial, host_id); !status.ok()) return status;
  auto certificate = authority_.SignHost(request.certificate_signing_request(), host_id,
                                         clock_.Now(), options_.certificate_lifetime);
  if (!certificate.ok()) return certificate.status();
  const absl::Status recorded = store_.RecordCertificate(
      {certificate->serial, host_id, certificate->not_before, certificate->not_after});
  if (!recorded.ok()) return recorded;
  spdlog::info("certificate renewed host={} serial={}", host_id, certificate->serial);
  v1::RenewResponse response;
  response.set_certificate_pem(certificate->pem);
  response.set_ca_bundle_pem(authority_.BundlePem());
  return response;
}

}  // namespace plimsoll::access
