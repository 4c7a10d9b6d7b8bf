#include "controller/rpc/scan_watch.h"

#include <utility>
#include <vector>

#include "controller/rpc/unary.h"

namespace plimsoll::rpc {

void ScanWatches::Add(const std::shared_ptr<ScanWatch>& watch) {
  absl::MutexLock lock(&mutex_);
  watches_[watch.get()] = watch;
}

void ScanWatches::Remove(ScanWatch* watch) {
  absl::MutexLock lock(&mutex_);
  watches_.erase(watch);
}

void ScanWatches::EndAll() {
  std::vector<std::shared_ptr<ScanWatch>> open;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [key, watch] : watches_) {
      if (auto alive = watch.lock()) open.push_back(std::move(alive));
    }
  }
  for (const auto& watch : open)
    watch->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the controller is shutting down"));
}

ScanWatch::ScanWatch(const ApiParts& parts, ScanWatches& watches, std::string scan_id,
                     std::string authorization, std::string peer)
    : parts_(parts),
      watches_(watches),
      scan_id_(std::move(scan_id)),
      authorization_(std::move(authorization)),
      peer_(std::move(peer)) {}

ScanWatch* ScanWatch::Start(const ApiParts& parts, ScanWatches& watches,
                            grpc::CallbackServerContext* context,
                            const v1::WatchScanRequest& request) {
  std::shared_ptr<ScanWatch> watch(
      new ScanWatch(parts, watches, request.id(), Authorization(*context), context->peer()));
  watch->self_ = watch;
  watches.Add(watch);
  std::weak_ptr<ScanWatch> weak = watch;
  watch->handle_ = parts.scans.Watch(request.id(), [weak] {
    if (auto alive = weak.lock()) alive->Schedule();
  });
  watch->Schedule();
  return watch.get();
}

void ScanWatch::Schedule() {
  parts_.workers.Add([self = shared_from_this()] { self->Refresh(); });
}

void ScanWatch::Refresh() {
  auto scan = [this]() -> absl::StatusOr<v1::Scan> {
    auto principal = parts_.authenticator.Authenticate(authorization_, PeerAddress(peer_));
    if (!principal.ok()) {
      api::Principal nobody;
      nobody.kind = store::CallerKind::kNobody;
      nobody.peer = PeerAddress(peer_);
      parts_.recorder.Refused(nobody, "ScanService.WatchScan", principal.status());
      return principal.status();
    }
    v1::WatchScanRequest request;
    request.set_id(scan_id_);
    return parts_.scans.Observe(*principal, request);
  }();
  if (!scan.ok()) {
    End(Outcome(scan.status(), "WatchScan", peer_));
    return;
  }
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  if (writing_) {
    stale_ = true;
    return;
  }
  stale_ = false;
  // The first state is told in any case; later ones when they differ.
  std::string state = scan->SerializeAsString();
  if (state == told_) return;
  told_ = std::move(state);
  writing_ = true;
  writing_scan_ = *std::move(scan);
  if (writing_scan_.state() == v1::Scan::RUNNING) {
    StartWrite(&writing_scan_);
  } else {
    ended_ = true;
    StartWriteAndFinish(&writing_scan_, grpc::WriteOptions(), grpc::Status::OK);
  }
}

void ScanWatch::OnWriteDone(bool ok) {
  bool again = false;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    again = ok && stale_ && !ended_;
  }
  if (again) Schedule();
}

void ScanWatch::OnCancel() { End(grpc::Status::CANCELLED); }

void ScanWatch::OnDone() {
  parts_.scans.Unwatch(scan_id_, handle_);
  watches_.Remove(this);
  self_.reset();
}

void ScanWatch::End(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  ended_ = true;
  Finish(status);
}

}  // namespace plimsoll::rpc
