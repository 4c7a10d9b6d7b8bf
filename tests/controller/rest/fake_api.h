// A table of a few methods whose answers a test decides, and how it asks for them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "controller/api/methods.h"
#include "controller/rest/service.h"
#include "proto/support/clock.h"

namespace plimsoll::rest {

// Borrowed by the table: outlives it.
struct FakeApi {
  absl::StatusOr<v1::ListHostsResponse> ListHosts(const store::Principal&,
                                                  const v1::ListHostsRequest& request) {
    asked = request.ShortDebugString();
    v1::ListHostsResponse response;
    for (int i = 0; i < hosts; ++i) response.add_hosts()->set_id("h-1");
    return response;
  }
  absl::StatusOr<v1::Host> GetHost(const store::Principal& who, const v1::GetHostRequest& request) {
    if (!error.ok()) return error;
    v1::Host host;
    host.set_id(request.host());
    host.set_controller(who.peer);
    return host;
  }
  absl::StatusOr<v1::HostReport> GetHostReport(const store::Principal&,
                                               const v1::GetHostReportRequest&) {
    return v1::HostReport();
  }
  absl::StatusOr<v1::RemoveHostResponse> RemoveHost(const store::Principal&,
                                                    const v1::RemoveHostRequest&) {
    return v1::RemoveHostResponse();
  }
  absl::StatusOr<v1::Summary> GetSummary(const store::Principal&, const v1::GetSummaryRequest&) {
    ++summaries;
    v1::Summary summary;
    summary.set_host_count(summaries);
    return summary;
  }
  absl::StatusOr<v1::Scan> CreateScan(const store::Principal&,
                                      const v1::CreateScanRequest& request) {
    v1::Scan scan;
    scan.set_id(request.idempotency_key());
    return scan;
  }
  absl::StatusOr<v1::Schedule> UpdateSchedule(const store::Principal&,
                                              const v1::UpdateScheduleRequest& request) {
    return request.schedule();
  }

  void AddTo(api::MethodTable& table) {
    using access::Permission;
    table.Add({"HostService.ListHosts", Permission::kRead, "GET /v1/hosts"}, *this,
              &FakeApi::ListHosts);
    table.Add({"HostService.GetHost", Permission::kRead, "GET /v1/hosts/{host}"}, *this,
              &FakeApi::GetHost);
    table.Add({"HostService.GetHostReport", Permission::kRead, "GET /v1/hosts/{host}/report"},
              *this, &FakeApi::GetHostReport);
    table.Add({"HostService.RemoveHost", Permission::kAdminister, "DELETE /v1/hosts/{host}"}, *this,
              &FakeApi::RemoveHost);
    api::MethodSpec summary{"SummaryService.GetSummary", Permission::kRead,
                            "GET /v1/baselines/{baseline}/summary"};
    summary.aggregate = true;
    table.Add(summary, *this, &FakeApi::GetSummary);
    table.Add({"ScanService.CreateScan", Permission::kScan, "POST /v1/scans"}, *this,
              &FakeApi::CreateScan);
    table.Add({"ScheduleService.UpdateSchedule", Permission::kScan,
               "PUT /v1/schedules/{schedule.id}", "schedule"},
              *this, &FakeApi::UpdateSchedule);
    table.AddStream<v1::WatchScanRequest, v1::Scan>(
        {"ScanService.WatchScan", Permission::kRead, "GET /v1/scans/{id}/events"},
        [this](const v1::WatchScanRequest& request,
               std::function<void()>) -> absl::StatusOr<std::unique_ptr<api::Stream>> {
          if (!error.ok()) return error;
          return std::make_unique<TwoScans>(request.id());
        });
  }

  // RUNNING, then DONE.
  struct TwoScans final : api::Stream {
    explicit TwoScans(std::string with) : id(std::move(with)) {}
    absl::StatusOr<Step> Next(const store::Principal&) override {
      auto scan = std::make_unique<v1::Scan>();
      scan->set_id(id);
      scan->set_state(++told == 1 ? v1::Scan::RUNNING : v1::Scan::DONE);
      return Step{std::move(scan), told == 2};
    }
    const std::string id;
    int told = 0;
  };

  std::string asked;
  int hosts = 1;
  int summaries = 0;
  absl::Status error;
};

// What the service answers to a request with the id "r-1" from 10.0.0.1. Waits for it.
inline HttpResponse AskService(RestService& service, const std::string& method,
                               const std::string& target,
                               std::map<std::string, std::string> headers, std::string body) {
  HttpRequest request;
  request.method = method;
  request.target = ParseTarget(target).value();
  request.headers = std::move(headers);
  request.body = std::move(body);
  request.peer = "10.0.0.1";
  request.id = "r-1";
  HttpResponse answer;
  absl::Notification done;
  service.Handle(std::move(request), [&](HttpResponse response) {
    answer = std::move(response);
    done.Notify();
  });
  done.WaitForNotification();
  return answer;
}

// The first header of that name; empty: none.
inline std::string HeaderOf(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

// What is left of a stream of events, "NAME ID DATA" each.
inline std::vector<std::string> EventsOf(EventSource& source) {
  std::vector<std::string> seen;
  for (bool over = false; !over;) {
    absl::Notification done;
    source.Next([&](std::optional<ServerSentEvent> event) {
      over = !event.has_value();
      if (!over) seen.push_back(event->name + " " + event->id + " " + event->data);
      done.Notify();
    });
    done.WaitForNotification();
  }
  return seen;
}

}  // namespace plimsoll::rest
