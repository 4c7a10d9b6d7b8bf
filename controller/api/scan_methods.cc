#include <utility>

#include "controller/api/methods.h"

namespace plimsoll::api {
namespace {

using access::Permission;

// The scan, and again at every change, until it is done.
class ScanStream final : public Stream {
 public:
  ScanStream(Scans& scans, v1::WatchScanRequest request, std::function<void()> changed)
      : scans_(scans),
        request_(std::move(request)),
        handle_(scans.Watch(request_.id(), std::move(changed))) {}
  ~ScanStream() override { scans_.Unwatch(request_.id(), handle_); }

  absl::StatusOr<Step> Next(const Principal& who) override {
    auto scan = scans_.Observe(who, request_);
    if (!scan.ok()) return scan.status();
    // The first state is told in any case; later ones when they differ.
    std::string state = scan->SerializeAsString();
    if (state == told_) return Step();
    told_ = std::move(state);
    const bool last = scan->state() != v1::Scan::RUNNING;
    return Step{std::make_unique<v1::Scan>(*std::move(scan)), last};
  }

 private:
  Scans& scans_;
  const v1::WatchScanRequest request_;
  const uint64_t handle_;
  std::string told_;
};

}  // namespace

void AddScanMethods(MethodTable& table, Scans& scans) {
  table.Add({"ScanService.CreateScan", Permission::kScan, "POST /v1/scans"}, scans, &Scans::Create);
  table.Add({"ScanService.ListScans", Permission::kRead, "GET /v1/scans"}, scans, &Scans::List);
  table.Add({"ScanService.GetScan", Permission::kRead, "GET /v1/scans/{id}"}, scans, &Scans::Get);
  table.Add({"ScanService.CancelScan", Permission::kScan, "POST /v1/scans/{id}/cancel"}, scans,
            &Scans::Cancel);
  table.Add({"ScanService.ListScanHosts", Permission::kRead, "GET /v1/scans/{scan_id}/hosts"},
            scans, &Scans::ListHosts);
  table.Add({"ScanService.GetScanReport", Permission::kRead,
             "GET /v1/scans/{scan_id}/hosts/{host}/report"},
            scans, &Scans::GetReport);
  table.AddStream<v1::WatchScanRequest, v1::Scan>(
      {"ScanService.WatchScan", Permission::kRead, "GET /v1/scans/{id}/events"},
      [&scans](const v1::WatchScanRequest& request,
               std::function<void()> changed) -> absl::StatusOr<std::unique_ptr<Stream>> {
        return std::make_unique<ScanStream>(scans, request, std::move(changed));
      });
}

}  // namespace plimsoll::api
