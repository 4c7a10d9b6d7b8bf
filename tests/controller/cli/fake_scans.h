// A controller whose scans and schedules are what the test says.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "plimsoll/v1/schedule_service.grpc.pb.h"
#include "tests/controller/cli/fake_controller.h"

namespace plimsoll::cli {

// Serves on a free port until it goes. Members are the test's to change between commands. Every
// answer ends with `status`.
class FakeScans : private v1::ScanService::Service,
                  private v1::ScheduleService::Service,
                  private v1::BaselineService::Service {
 public:
  FakeScans()
      : server_({static_cast<v1::ScanService::Service*>(this),
                 static_cast<v1::ScheduleService::Service*>(this),
                 static_cast<v1::BaselineService::Service*>(this)}) {}
  const std::string& address() const { return server_.address(); }
  const std::string& ca_pem() const { return server_.ca_pem(); }

  grpc::Status status;
  // CreateScan, GetScan and CancelScan answer with the first; WatchScan streams all, in as many
  // calls as there are entries in `watch_ends` (how each ends but the last).
  std::vector<v1::Scan> scans = std::vector<v1::Scan>(1);
  std::vector<grpc::Status> watch_ends;
  // Called by WatchScan when all is written, before it ends.
  std::function<void(grpc::ServerContext&)> watching = [](grpc::ServerContext&) {};
  std::vector<v1::ListScansResponse> scan_pages;
  std::vector<v1::ListScanHostsResponse> host_pages;
  v1::HostReport report;
  v1::Baseline baseline;
  v1::Schedule schedule;
  v1::ListSchedulesResponse schedules;
  v1::ListScheduleRunsResponse runs;
  v1::PreviewScheduleResponse times;

  // The last of its kind that was asked; all of them by name.
  std::vector<std::string> asked;
  v1::CreateScanRequest asked_scan;
  v1::ListScansRequest asked_scans;
  v1::ListScanHostsRequest asked_hosts;
  v1::GetScanReportRequest asked_report;
  v1::Schedule asked_schedule;
  v1::PreviewScheduleRequest asked_preview;
  int watches = 0;

 private:
  template <class Message>
  grpc::Status Answer(const char* method, const Message& from, Message* to) {
    asked.push_back(method);
    if (status.ok()) *to = from;
    return status;
  }
  // The page that a token, its number, names.
  template <class Page>
  static const Page& PageOf(const std::vector<Page>& pages, const std::string& token) {
    return pages.at(token.empty() ? 0 : std::stoul(token));
  }

  grpc::Status CreateScan(grpc::ServerContext*, const v1::CreateScanRequest* request,
                          v1::Scan* response) override {
    asked_scan = *request;
    return Answer("CreateScan", scans.front(), response);
  }
  grpc::Status GetScan(grpc::ServerContext*, const v1::GetScanRequest*, v1::Scan* scan) override {
    return Answer("GetScan", scans.front(), scan);
  }
  grpc::Status CancelScan(grpc::ServerContext*, const v1::CancelScanRequest*,
                          v1::Scan* scan) override {
    return Answer("CancelScan", scans.front(), scan);
  }
  grpc::Status WatchScan(grpc::ServerContext* context, const v1::WatchScanRequest*,
                         grpc::ServerWriter<v1::Scan>* writer) override {
    const size_t call = watches++;
    if (call < watch_ends.size()) return watch_ends[call];
    for (const v1::Scan& scan : scans) writer->Write(scan);
    watching(*context);
    return status;
  }
  grpc::Status ListScans(grpc::ServerContext*, const v1::ListScansRequest* request,
                         v1::ListScansResponse* response) override {
    asked_scans = *request;
    return Answer("ListScans", PageOf(scan_pages, request->page_token()), response);
  }
  grpc::Status ListScanHosts(grpc::ServerContext*, const v1::ListScanHostsRequest* request,
                             v1::ListScanHostsResponse* response) override {
    asked_hosts = *request;
    return Answer("ListScanHosts", PageOf(host_pages, request->page_token()), response);
  }
  grpc::Status GetScanReport(grpc::ServerContext*, const v1::GetScanReportRequest* request,
                             v1::HostReport* response) override {
    asked_report = *request;
    return Answer("GetScanReport", report, response);
  }
  grpc::Status GetBaseline(grpc::ServerContext*, const v1::GetBaselineRequest*,
                           v1::Baseline* response) override {
    return Answer("GetBaseline", baseline, response);
  }
  grpc::Status CreateSchedule(grpc::ServerContext*, const v1::CreateScheduleRequest* request,
                              v1::Schedule* response) override {
    asked_schedule = request->schedule();
    return Answer("CreateSchedule", schedule, response);
  }
  grpc::Status GetSchedule(grpc::ServerContext*, const v1::GetScheduleRequest*,
                           v1::Schedule* response) override {
    return Answer("GetSchedule", schedule, response);
  }
  grpc::Status ListSchedules(grpc::ServerContext*, const v1::ListSchedulesRequest*,
                             v1::ListSchedulesResponse* response) override {
    return Answer("ListSchedules", schedules, response);
  }
  grpc::Status UpdateSchedule(grpc::ServerContext*, const v1::UpdateScheduleRequest* request,
                              v1::Schedule* response) override {
    asked_schedule = request->schedule();
    return Answer("UpdateSchedule", schedule, response);
  }
  grpc::Status PauseSchedule(grpc::ServerContext*, const v1::PauseScheduleRequest*,
                             v1::Schedule* response) override {
    return Answer("PauseSchedule", schedule, response);
  }
  grpc::Status ResumeSchedule(grpc::ServerContext*, const v1::ResumeScheduleRequest*,
                              v1::Schedule* response) override {
    return Answer("ResumeSchedule", schedule, response);
  }
  grpc::Status DeleteSchedule(grpc::ServerContext*, const v1::DeleteScheduleRequest*,
                              v1::DeleteScheduleResponse* response) override {
    return Answer("DeleteSchedule", v1::DeleteScheduleResponse(), response);
  }
  grpc::Status ListScheduleRuns(grpc::ServerContext*, const v1::ListScheduleRunsRequest*,
                                v1::ListScheduleRunsResponse* response) override {
    return Answer("ListScheduleRuns", runs, response);
  }
  grpc::Status PreviewSchedule(grpc::ServerContext*, const v1::PreviewScheduleRequest* request,
                               v1::PreviewScheduleResponse* response) override {
    asked_preview = *request;
    return Answer("PreviewSchedule", times, response);
  }

  FakeServer server_;
};

}  // namespace plimsoll::cli
