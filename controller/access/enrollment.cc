#include "controller/access/enrollment.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/access/tokens.h"
#include "proto/support/digest.h"
#include "proto/support/grpc_peer.h"
#include "proto/support/logging.h"

namespace plimsoll::access {
namespace {

// How long an operator has to approve, and then the host to come for its certificate.
constexpr absl::Duration kPendingLifetime = absl::Hours(24 * 7);

absl::Status Refused() {
  return absl::UnauthenticatedError(
      "enrolment refused: the token is not valid; create one with `plimsoll token create`");
}

}  // namespace

Enrollment::Enrollment(store::EnrollmentStore& store, const CertificateAuthority& authority,
                       const support::Clock& clock, EnrollmentOptions options)
    : store_(store), authority_(authority), clock_(clock), options_(options) {}

void Enrollment::Tell(const std::string& object, const std::string& hostname,
                      const std::string& peer, const absl::Status& outcome,
                      const std::string& message) const {
  if (!options_.enrolled) return;
  v1::Activity entry;
  const bool is_host = absl::StartsWith(object, "hosts/");
  entry.set_actor_kind(is_host ? v1::Activity::COLLECTOR : v1::Activity::NOBODY);
  entry.set_actor_id(is_host ? object.substr(sizeof "hosts/" - 1) : "");
  entry.set_actor_name(support::LogSafe(hostname));
  entry.set_peer(peer);
  entry.set_action("CollectorGateway.Enroll");
  entry.set_object(object);
  entry.set_outcome(absl::StatusCodeToString(outcome.code()));
  entry.set_message(outcome.ok() ? message : std::string(outcome.message()));
  options_.enrolled(std::move(entry));
}

bool Enrollment::MayTry() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  // A clock that was set back must not refuse for as long.
  if (now < minute_ || now - minute_ >= absl::Minutes(1)) {
    minute_ = now;
    refused_ = 0;
  }
  return refused_ < options_.refused_per_minute;
}

void Enrollment::CountRefusal() {
  absl::MutexLock lock(&mutex_);
  ++refused_;
}

absl::Status Enrollment::Refuse(const v1::EnrollRequest& request, const std::string& peer,
                                const absl::Status& why) {
  if (!absl::IsUnauthenticated(why) && !absl::IsPermissionDenied(why) &&
      !absl::IsFailedPrecondition(why)) {
    return why;
  }
  CountRefusal();
  spdlog::warn("enrolment refused peer={} hostname={} reason=\"{}\"", peer,
               support::LogSafe(request.hostname()), std::string(why.message()));
  Tell("", request.hostname(), support::AddressOf(peer), why);
  return absl::IsUnauthenticated(why) ? Refused() : why;
}

v1::EnrollResponse Enrollment::Wait(const store::EnrollmentTicket& ticket,
                                    const store::EnrollmentRequest& request) const {
  if (ticket.is_new) {
    spdlog::info("enrolment waits for approval enrolment={} hostname={} peer={} key={}",
                 ticket.pending_id, support::LogSafe(request.hostname), request.peer, request.key);
    Tell(absl::StrCat("enrollments/", ticket.pending_id), request.hostname, request.peer,
         absl::OkStatus(), "waits for approval");
  }
  v1::EnrollResponse response;
  response.mutable_pending()->set_id(ticket.pending_id);
  response.mutable_pending()->set_key_fingerprint(request.key);
  return response;
}

absl::StatusOr<v1::EnrollResponse> Enrollment::Enroll(const v1::EnrollRequest& request,
                                                      const std::string& peer) {
  if (!MayTry()) {
    spdlog::warn("enrolment refused peer={} reason=\"too many refused attempts\"", peer);
    return absl::ResourceExhaustedError("too many refused enrolments; try again in a minute");
  }
  const absl::Time now = clock_.Now();
  const auto key = RequestedKey(request.certificate_signing_request());
  if (!key.ok()) {
    CountRefusal();
    return key.status();
  }
  store::EnrollmentRequest ask{
      .secret_hash = HashSecret(request.token()),
      .key = support::Sha256Hex(*key),
      .hostname = request.hostname().substr(0, 255),
      .peer = support::AddressOf(peer),
      .can_wait = request.can_wait(),
      .id = absl::StrCat("e-", support::Sha256Hex(NewSecret("")).substr(0, 12))};
  auto response = Admit(ask, *key, now);
  // The same host asked twice at once: the second time it is given what the first was.
  if (absl::IsAborted(response.status())) response = Admit(ask, *key, now);
  if (!response.ok()) return Refuse(request, peer, response.status());
  return response;
}

absl::StatusOr<v1::EnrollResponse> Enrollment::Admit(const store::EnrollmentRequest& ask,
                                                     const std::string& key_der, absl::Time now) {
  const auto ticket = store_.Ask(ask, now, now + kPendingLifetime);
  if (!ticket.ok()) return ticket.status();
  if (!ticket->pending_id.empty()) return Wait(*ticket, ask);

  const bool retry = !ticket->enrolled_serial.empty();
  const bool again = !retry && !ticket->host_id.empty();
  const std::string host_id = retry || again ? ticket->host_id : NewHostId();
  auto certificate = authority_.SignHostKey(key_der, host_id, now, options_.certificate_lifetime);
  if (!certificate.ok()) return certificate.status();
  const store::CertificateRecord record = {certificate->serial,     host_id,
                                           certificate->not_before, certificate->not_after,
                                           certificate->trust,      ask.key};
  const absl::Status enrolled = retry ? store_.RecordCertificate(record, ticket->enrolled_serial)
                                      : store_.Enroll(ask.secret_hash, ask.hostname, record, now);
  if (!enrolled.ok()) return enrolled;
  spdlog::info("host enrolled host={} hostname={} peer={} again={} retry={}", host_id,
               support::LogSafe(ask.hostname), ask.peer, again, retry);
  Tell(absl::StrCat("hosts/", host_id), ask.hostname, ask.peer, absl::OkStatus(),
       retry   ? "asked again for its certificate"
       : again ? "enrolled again, with a new key"
               : "");
  if (again && options_.began_anew) options_.began_anew(host_id);
  v1::EnrollResponse response;
  response.set_host_id(host_id);
  response.set_certificate_pem(certificate->pem);
  response.set_ca_bundle_pem(certificate->bundle_pem);
  return response;
}

absl::StatusOr<v1::RenewResponse> Enrollment::Renew(const std::string& host_id,
                                                    const std::string& serial,
                                                    const v1::RenewRequest& request) {
  const auto key = RequestedKey(request.certificate_signing_request());
  if (!key.ok()) {
    const absl::Status known = store_.CheckCertificate(serial, host_id);
    return known.ok() ? key.status() : known;
  }
  return Reissue(host_id, serial, *key);
}

absl::StatusOr<v1::RenewResponse> Enrollment::Reissue(const std::string& host_id,
                                                      const std::string& serial,
                                                      const std::string& key_der) {
  if (auto status = store_.CheckCertificate(serial, host_id); !status.ok()) return status;
  auto certificate =
      authority_.SignHostKey(key_der, host_id, clock_.Now(), options_.certificate_lifetime);
  if (!certificate.ok()) return certificate.status();
  const absl::Status recorded =
      store_.RecordCertificate({certificate->serial, host_id, certificate->not_before,
                                certificate->not_after, certificate->trust},
                               serial);
  if (!recorded.ok()) return recorded;
  spdlog::info("certificate renewed host={} serial={}", host_id, certificate->serial);
  v1::RenewResponse response;
  response.set_certificate_pem(certificate->pem);
  response.set_ca_bundle_pem(certificate->bundle_pem);
  return response;
}

}  // namespace plimsoll::access
