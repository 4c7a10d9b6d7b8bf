#include "collector/agent/once.h"

#include <google/protobuf/util/json_util.h>

#include <iostream>

#include "collector/agent/offline_plan.h"
#include "collector/sources/sources.h"
#include "proto/support/key_files.h"

namespace plimsoll::agent {
absl::Status CollectOnce(host::HostEnv& env, const Config& config) {
  const v1::HostFacts facts =
      sources::CollectAll(env, OfflinePlan(), config.docker_socket, config.labels);
  std::string bytes;
  if (config.json) {
    google::protobuf::util::JsonPrintOptions options;
    options.add_whitespace = true;
    const auto status = google::protobuf::util::MessageToJsonString(facts, &bytes, options);
    if (!status.ok()) return absl::InternalError(status.ToString());
  } else {
    facts.SerializeToString(&bytes);
  }
  if (config.out != "-") return support::WritePrivateFile(config.out, bytes);
  std::cout.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::cout.flush();
  if (!std::cout)
    return absl::UnavailableError("standard output was closed before all was written");
  return absl::OkStatus();
}

}  // namespace plimsoll::agent
