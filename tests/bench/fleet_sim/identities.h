// Who the simulated hosts are: enrolled for real, and remembered.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/fleet_sim/options.h"

namespace plimsoll::fleet_sim {

// A key and a certificate for it. Empty: not enrolled yet.
struct HostIdentity {
  std::string host_id;
  std::string key_pem;
  std::string certificate_pem;
  // What was acknowledged when the last run ended: sequence and digest (raw). 0 and empty: unknown.
  uint64_t acknowledged_sequence = 0;
  std::string acknowledged_digest;
};

// What --state remembers of the first `count` hosts, in their order; certificates that have
// expired, and those of another authority than `ca_pem`, are forgotten. Errors name the file.
absl::StatusOr<std::vector<HostIdentity>> LoadIdentities(const Options& options,
                                                         const std::string& ca_pem);

// Enrols every host of `identities` that is not, several at a time, and writes each down at once.
// `hostnames` are theirs. Prints progress. Stops early (CANCELLED) once `interrupted`. Other errors
// are those of CollectorGateway.Enroll, with advice.
absl::Status EnrollMissing(const Options& options, const std::string& ca_pem,
                           const std::vector<std::string>& hostnames,
                           const std::atomic<bool>& interrupted,
                           std::vector<HostIdentity>& identities);

// Remembers what of each host is acknowledged, so that its next run begins as a collector that was
// restarted. Best effort: without it the next run sends everything.
void SaveAcknowledged(const Options& options, const std::string& ca_pem,
                      const std::vector<HostIdentity>& identities);

}  // namespace plimsoll::fleet_sim
