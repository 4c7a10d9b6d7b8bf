// TLS of gRPC servers whose certificate may change while they serve.
#pragma once

#include <grpc/grpc_security.h>
#include <grpcpp/security/server_credentials.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "controller/access/certificate_authority.h"

namespace plimsoll::controller {

// What one port shows and asks for. Outlives the server. Thread-safe.
class ServerTls {
 public:
  // From the next handshake on. `client_ca` not empty: a client's certificate must be of it.
  void Set(access::ServerIdentity identity, std::string client_ca) ABSL_LOCKS_EXCLUDED(mutex_);
  // For one port, after the first Set. `clients`: those that have a certificate show it.
  std::shared_ptr<grpc::ServerCredentials> Credentials(bool clients);

 private:
  // Called by gRPC at each handshake.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self,
                                                         grpc_ssl_server_certificate_config** out);

  absl::Mutex mutex_;
  access::ServerIdentity identity_ ABSL_GUARDED_BY(mutex_);
  std::string client_ca_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;
};

// The identity in two files, PEM: the certificate, followed by those up to its root, and its key
// (0600). FAILED_PRECONDITION says what is wrong with which.
absl::StatusOr<access::ServerIdentity> LoadServerIdentity(const std::string& certificate_file,
                                                          const std::string& key_file,
                                                          absl::Time now);

}  // namespace plimsoll::controller
