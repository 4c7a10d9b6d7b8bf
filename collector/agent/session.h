// What a collector does while it is connected.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "collector/agent/config.h"
#include "collector/agent/pace.h"
#include "collector/agent/recorder.h"
#include "collector/spool/spool.h"
#include "collector/tracker/flat_digests.h"
#include "collector/uplink/identity.h"
#include "collector/uplink/uplink.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::agent {

// One session from Hello to its end: sends what the spool holds, in order, and drops it there when
// the controller acknowledged it. Borrows its arguments. Thread-compatible but for Drain.
class Session {
 public:
  struct Parts {
    const Config& config;
    const support::Clock& clock;
    const uplink::Identity& identity;
    uplink::Uplink& uplink;
    spool::Spool& spool;
    Recorder& recorder;
    std::string hostname;
    std::string boot_id;
  };

  // `flat`: the controller's last session spoke protocol version 1, so Hello's digest is one of
  // those.
  Session(Parts parts, bool flat);

  // Serves until the stream ends. OK: the certificate was renewed, connect again. CANCELLED:
  // drained or interrupted. OUT_OF_RANGE: the facts are larger than the controller accepts.
  // UNAVAILABLE: the stream broke; Uplink::Finish has the controller's reason. Others: the
  // controller broke the protocol.
  absl::Status Serve();

  // Ends Serve with CANCELLED as soon as nothing is queued, at `deadline` at the latest. Any
  // thread.
  void Drain(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  bool welcomed() const { return welcomed_; }
  // The session speaks protocol version 1.
  bool flat() const { return flat_; }
  // A delta was sent that the controller has not answered.
  bool delta_under_way() const { return !under_way_.empty(); }

 private:
  absl::Status Greet();
  absl::Status HandleWelcome(const v1::Welcome& welcome);
  absl::Status Handle(const v1::ToCollector& message);
  absl::Status HandleAck(uint64_t sequence);
  absl::Status HandleResync(const v1::Resync& resync);
  absl::Status HandleScan(const v1::ScanRequest& request);
  void HandleSlowDown(const v1::SlowDown& slow_down);
  void HandleRenewed(const v1::RenewResponse& renewed);

  // Sends whatever is due.
  absl::Status Act();
  // A clock that was set back makes nobody wait for as long.
  void ClampTimes(absl::Time now);
  absl::Status SendDeltas();
  // Makes the delta what the controller can apply: with a base it has, in its protocol version.
  // False: not now, a snapshot is being made.
  bool Prepare(v1::FactsDelta& delta);
  absl::Status SendAnswers();
  absl::Status SendHeartbeat();
  absl::Status AskForRenewal();
  absl::Status Send(const v1::FromCollector& message);
  void AskForSnapshot();
  // Digest of what the controller has; empty while that is not certain.
  std::string SettledDigest() const;
  bool CanSend(const spool::Spool::State& state) const;
  absl::Time NextDue() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Time drain_deadline() const ABSL_LOCKS_EXCLUDED(mutex_);

  const Parts parts_;
  bool flat_;
  bool welcomed_ = false;
  bool renewed_ = false;
  // Not before this is a renewal asked for (again).
  absl::Time next_renewal_ = absl::InfinitePast();
  // A certificate came and could not be saved.
  bool renewal_owed_ = false;
  absl::Duration heartbeat_interval_ = absl::Seconds(30);
  absl::Time next_heartbeat_;
  absl::Time silent_until_;
  // How long that was when it was set.
  absl::Duration silence_;
  v1::Limits limits_;
  Rate rate_;

  // Sent last, and the highest sent in this session: a resync takes the first back, not the second.
  uint64_t sent_ = 0;
  uint64_t highest_sent_ = 0;
  // Sequences under way.
  std::deque<uint64_t> under_way_;
  // Since when the controller owes an acknowledgement.
  absl::Time owed_since_;
  // Digest the next delta must have as its base, in protocol version 2.
  std::string sent_digest_;
  std::optional<tracker::FlatDigests> flat_digests_;
  // The next delta must be a full snapshot.
  bool snapshot_first_ = false;
  bool snapshot_asked_ = false;
  // Resyncs still expected for deltas that were under way behind the refused one.
  size_t stale_resyncs_ = 0;
  // Since the last acknowledgement.
  int resyncs_ = 0;

  // Scans answered by "nothing changed", to send; and those sent with a sequence not acknowledged,
  // which a resync takes back.
  std::vector<Recorder::Answered> answers_;
  std::deque<Recorder::Answered> unsettled_;

  mutable absl::Mutex mutex_;
  absl::Time drain_deadline_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

}  // namespace plimsoll::agent
