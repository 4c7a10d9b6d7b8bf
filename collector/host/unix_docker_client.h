// The Engine API over a Unix socket, by Boost.Beast.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/host/docker_client.h"

namespace plimsoll::host {

// Keeps up to `concurrency` connections open between calls, and opens one again, once a request,
// when the engine had closed it meanwhile. Everything happens on the calling thread.
//
// A status that no line of the interface names is UNAVAILABLE. Once as many requests of one GetEach
// as there are connections have run into their deadline, those not yet sent are refused with
// DEADLINE_EXCEEDED: an engine that hangs costs two deadlines, not one for each object. Messages
// hold no byte of a reply.
class UnixDockerClient : public DockerClient {
 public:
  explicit UnixDockerClient(DockerClientOptions options);
  ~UnixDockerClient() override;

  absl::StatusOr<std::string> Get(absl::string_view path) override;
  void GetEach(const std::vector<std::string>& paths, const Done& done) override;
  // Opens a connection of its own. A process outside our PID namespace has pid 0.
  absl::StatusOr<PeerCredentials> Peer() override;

 private:
  class Batch;
  class Connection;
  struct Pool;

  const DockerClientOptions options_;
  const std::unique_ptr<Pool> pool_;
};

}  // namespace plimsoll::host
