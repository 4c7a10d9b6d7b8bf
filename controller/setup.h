// What a server is made of before it is wired: documents, credentials, the database's address.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/access/authenticator.h"
#include "controller/access/certificate_authority.h"
#include "controller/api/identity.h"
#include "controller/config.h"
#include "controller/store/store.h"
#include "controller/tls.h"
#include "controller/upkeep/upkeep.h"
#include "plimsoll/v1/baseline.pb.h"

namespace plimsoll::controller {

// The documents to judge by. Errors name the file or id.
absl::StatusOr<std::vector<v1::Baseline>> LoadBaselines(const Config& config);

// The libpq connection string; empty: run a private PostgreSQL. May hold a password.
absl::StatusOr<std::string> DatabaseUrl(const Config& config);

// The identity provider as `config` says, with what stands in files. Without an issuer: as it is.
// INVALID_ARGUMENT names the option.
absl::StatusOr<access::OidcOptions> LoadOidc(const Config& config);

// An id for a controller from this start on, that no other has.
std::string NewControllerId();

// This machine's name; empty when it has none.
std::string Hostname();

// The first start makes the administrator's token and the user `admin` with a one-time password,
// each in a file that the controller's user only can read.
absl::Status EnsureAdministrator(store::Store& store, access::Authenticator& authenticator,
                                 api::Users& users, const std::string& data_dir);

// Who did it, in entries about what the controller does by itself.
v1::Activity ControllerAsActor(const std::string& controller_id);

upkeep::UpkeepOptions UpkeepOptionsOf(const Config& config);

// What the ports show: collectors a certificate of the authority, people and programs the one that
// the configuration names, or else the same.
struct Identities {
  access::ServerIdentity own;
  access::ServerIdentity shown;
};
absl::StatusOr<Identities> MakeIdentities(const Config& config,
                                          const access::CertificateAuthority& authority,
                                          absl::Time now);

// The error of a port that could not be opened.
absl::Status NotListening(const std::string& address);

// Opens the collectors' port, which has the gateway and nothing else. Errors as NotListening.
absl::StatusOr<std::unique_ptr<grpc::Server>> ServeCollectors(const Config& config,
                                                              grpc::Service& gateway,
                                                              ServerTls& tls);

// Dead connections are noticed within minutes.
void SetKeepalive(grpc::ServerBuilder& builder);

}  // namespace plimsoll::controller
