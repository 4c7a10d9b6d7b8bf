// What a collector does while it is connected.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "collector/agent/config.h"
#include "collector/host/host_env.h"
#include "collector/uplink/identity.h"
#include "collector/uplink/uplink.h"
#include "plimsoll/v1/collector_gateway.pb.h"

namespace plimsoll::agent {

// One session from Hello to its end. At most one delta is under way: a collector drops what it saw
// only after the controller acknowledged it. Thread-compatible; borrows its arguments.
class Session {
 public:
  Session(host::HostEnv& env, const Config& config, const uplink::Identity& identity,
          uplink::Uplink& uplink, std::string hostname);

  // Serves until the stream ends. OK: the certificate was renewed, connect again. CANCELLED:
  // interrupted. UNAVAILABLE: the stream broke; Uplink::Finish has the controller's reason.
  absl::Status Serve();

  bool welcomed() const { return welcomed_; }

 private:
  absl::Status Greet();
  absl::Status Handle(const v1::ToCollector& message);
  // Collects if something is due and nothing is under way.
  absl::Status Act();
  absl::Status CollectAndSend();
  absl::Status SendHeartbeat();
  absl::Status AskForRenewal();
  absl::Time NextDue() const;
  absl::Status Send(const v1::FromCollector& message);

  host::HostEnv& env_;
  const Config& config_;
  const uplink::Identity& identity_;
  uplink::Uplink& uplink_;
  const std::string hostname_;

  bool welcomed_ = false;
  bool renewed_ = false;
  bool renewal_asked_ = false;
  v1::CollectionPlan plan_;
  absl::Duration heartbeat_interval_ = absl::Seconds(30);
  absl::Duration interval_;
  absl::Time next_heartbeat_;
  absl::Time next_collection_;
  absl::Time silent_until_;

  // Facts are wanted now: a scan asked, the plan changed, the controller lost track.
  bool collect_now_ = true;
  // The next delta must be a full snapshot even if nothing changed.
  bool resync_ = true;
  std::vector<std::string> scan_ids_;
  // Those that the last collection answered; asked for again when the controller wants everything.
  std::vector<std::string> answered_scan_ids_;

  uint64_t sequence_ = 0;
  // 0: nothing under way.
  uint64_t unacknowledged_ = 0;
  std::string unacknowledged_digest_;
  std::string acknowledged_digest_;
};

}  // namespace plimsoll::agent
