// Who a collector is.
#pragma once

#include <grpcpp/server_context.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace plimsoll::gateway {

// Who a peer is, by its client certificate and by nothing else.
struct PeerIdentity {
  std::string host_id;
  // Lower-case hex.
  std::string serial;
  // When the certificate begins to hold; a copy of a disk comes back with an old one.
  absl::Time not_before;
  // The certificate's public key (SubjectPublicKeyInfo, DER).
  std::string key_der;
};

// The peer's identity. UNAUTHENTICATED: no certificate, or one that names no host.
absl::StatusOr<PeerIdentity> IdentifyPeer(const grpc::CallbackServerContext& context);

}  // namespace plimsoll::gateway
