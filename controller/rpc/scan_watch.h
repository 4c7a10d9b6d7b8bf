// WatchScan: a scan, again and again, until it is done.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "controller/rpc/services.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"

namespace plimsoll::rpc {

class ScanWatch;

// The watches that are open, so that a stopping controller can end them. Thread-safe.
class ScanWatches {
 public:
  void Add(const std::shared_ptr<ScanWatch>& watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(ScanWatch* watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  std::map<ScanWatch*, std::weak_ptr<ScanWatch>> watches_ ABSL_GUARDED_BY(mutex_);
};

// One stream. Writes the newest state when there is a newer one; states in between are skipped.
// Lives until gRPC is done with it and no work refers to it.
class ScanWatch : public grpc::ServerWriteReactor<v1::Scan>,
                  public std::enable_shared_from_this<ScanWatch> {
 public:
  static ScanWatch* Start(const ApiParts& parts, ScanWatches& watches,
                          grpc::CallbackServerContext* context,
                          const v1::WatchScanRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  // The first end counts. `status` is what the client sees.
  void End(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  ScanWatch(const ApiParts& parts, ScanWatches& watches, std::string scan_id,
            std::string authorization, std::string peer);
  // On the pool: reads the scan and writes it if nothing is being written.
  void Refresh() ABSL_LOCKS_EXCLUDED(mutex_);
  void Schedule();

  const ApiParts& parts_;
  ScanWatches& watches_;
  const std::string scan_id_;
  const std::string authorization_;
  const std::string peer_;
  std::shared_ptr<ScanWatch> self_;
  uint64_t handle_ = 0;

  absl::Mutex mutex_;
  v1::Scan writing_scan_ ABSL_GUARDED_BY(mutex_);
  // What was written last, serialised.
  std::string told_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool stale_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace plimsoll::rpc
