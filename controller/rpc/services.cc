#include "controller/rpc/services.h"

#include "controller/rpc/scan_watch.h"
#include "controller/rpc/unary.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/enrollment_service.grpc.pb.h"
#include "plimsoll/v1/finding_service.grpc.pb.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "plimsoll/v1/schedule_service.grpc.pb.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"
#include "plimsoll/v1/tailoring_service.grpc.pb.h"
#include "plimsoll/v1/waiver_service.grpc.pb.h"
#include "plimsoll/v1/what_if_service.grpc.pb.h"

namespace plimsoll::rpc {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// Declares one unary method of a service: its name, messages, and the handler that answers it.
#define PLIMSOLL_UNARY(Method, Request, Response, handler)                                         \
  ServerUnaryReactor* Method(CallbackServerContext* context, const v1::Request* request,           \
                             v1::Response* response) override {                                    \
    return Unary(parts_, context, #Method, request, response,                                      \
                 [this](const api::Principal& who, const v1::Request& asked) { return handler; }); \
  }

class HostRpc final : public v1::HostService::CallbackService {
 public:
  explicit HostRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(ListHosts, ListHostsRequest, ListHostsResponse, parts_.hosts.List(who, asked))
  PLIMSOLL_UNARY(GetHost, GetHostRequest, Host, parts_.hosts.Get(who, asked))
  PLIMSOLL_UNARY(GetHostReport, GetHostReportRequest, HostReport,
                 parts_.hosts.GetReport(who, asked))
  PLIMSOLL_UNARY(RemoveHost, RemoveHostRequest, RemoveHostResponse, parts_.hosts.Remove(who, asked))
  PLIMSOLL_UNARY(ReleaseHost, ReleaseHostRequest, Host, parts_.hosts.Release(who, asked))
  PLIMSOLL_UNARY(ListTransitions, ListTransitionsRequest, ListTransitionsResponse,
                 parts_.hosts.ListTransitions(who, asked))

 private:
  const ApiParts& parts_;
};

class BaselineRpc final : public v1::BaselineService::CallbackService {
 public:
  explicit BaselineRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(ListBaselines, ListBaselinesRequest, ListBaselinesResponse,
                 parts_.baselines.List(who, asked))
  PLIMSOLL_UNARY(GetBaseline, GetBaselineRequest, Baseline, parts_.baselines.Get(who, asked))
  PLIMSOLL_UNARY(GetRule, GetRuleRequest, Rule, parts_.baselines.GetRule(who, asked))
  PLIMSOLL_UNARY(UploadBaseline, UploadBaselineRequest, BaselineVersion,
                 parts_.baseline_versions.Upload(who, asked))
  PLIMSOLL_UNARY(ListBaselineVersions, ListBaselineVersionsRequest, ListBaselineVersionsResponse,
                 parts_.baseline_versions.List(who, asked))
  PLIMSOLL_UNARY(ActivateBaseline, ActivateBaselineRequest, Baseline,
                 parts_.baseline_versions.Activate(who, asked))
  PLIMSOLL_UNARY(RollbackBaseline, RollbackBaselineRequest, Baseline,
                 parts_.baseline_versions.Rollback(who, asked))

 private:
  const ApiParts& parts_;
};

class FindingRpc final : public v1::FindingService::CallbackService {
 public:
  explicit FindingRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(ListFindings, ListFindingsRequest, ListFindingsResponse,
                 parts_.findings.List(who, asked))

 private:
  const ApiParts& parts_;
};

class SummaryRpc final : public v1::SummaryService::CallbackService {
 public:
  explicit SummaryRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(GetSummary, GetSummaryRequest, Summary, parts_.summaries.Get(who, asked))
  PLIMSOLL_UNARY(ListLabelSummaries, ListLabelSummariesRequest, ListLabelSummariesResponse,
                 parts_.summaries.ListByLabel(who, asked))
  PLIMSOLL_UNARY(ListWorstHosts, ListWorstHostsRequest, ListWorstHostsResponse,
                 parts_.summaries.ListWorst(who, asked))
  PLIMSOLL_UNARY(ListFailingConfigurations, ListFailingConfigurationsRequest,
                 ListFailingConfigurationsResponse, parts_.summaries.ListConfigurations(who, asked))
  PLIMSOLL_UNARY(GetTrend, GetTrendRequest, Trend, parts_.summaries.GetTrend(who, asked))

 private:
  const ApiParts& parts_;
};

class ScanRpc final : public v1::ScanService::CallbackService {
 public:
  explicit ScanRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(CreateScan, CreateScanRequest, Scan, parts_.scans.Create(who, asked))
  PLIMSOLL_UNARY(GetScan, GetScanRequest, Scan, parts_.scans.Get(who, asked))
  PLIMSOLL_UNARY(CancelScan, CancelScanRequest, Scan, parts_.scans.Cancel(who, asked))
  PLIMSOLL_UNARY(ListScans, ListScansRequest, ListScansResponse, parts_.scans.List(who, asked))
  PLIMSOLL_UNARY(ListScanHosts, ListScanHostsRequest, ListScanHostsResponse,
                 parts_.scans.ListHosts(who, asked))
  PLIMSOLL_UNARY(GetScanReport, GetScanReportRequest, HostReport,
                 parts_.scans.GetReport(who, asked))
  grpc::ServerWriteReactor<v1::Scan>* WatchScan(CallbackServerContext* context,
                                                const v1::WatchScanRequest* request) override {
    return ScanWatch::Start(parts_, watches_, context, *request);
  }
  void Drain() { watches_.EndAll(); }

 private:
  const ApiParts& parts_;
  ScanWatches watches_;
};

class ScheduleRpc final : public v1::ScheduleService::CallbackService {
 public:
  explicit ScheduleRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(CreateSchedule, CreateScheduleRequest, Schedule,
                 parts_.schedules.Create(who, asked))
  PLIMSOLL_UNARY(GetSchedule, GetScheduleRequest, Schedule, parts_.schedules.Get(who, asked))
  PLIMSOLL_UNARY(ListSchedules, ListSchedulesRequest, ListSchedulesResponse,
                 parts_.schedules.List(who, asked))
  PLIMSOLL_UNARY(UpdateSchedule, UpdateScheduleRequest, Schedule,
                 parts_.schedules.Update(who, asked))
  PLIMSOLL_UNARY(PauseSchedule, PauseScheduleRequest, Schedule, parts_.schedules.Pause(who, asked))
  PLIMSOLL_UNARY(ResumeSchedule, ResumeScheduleRequest, Schedule,
                 parts_.schedules.Resume(who, asked))
  PLIMSOLL_UNARY(DeleteSchedule, DeleteScheduleRequest, DeleteScheduleResponse,
                 parts_.schedules.Delete(who, asked))
  PLIMSOLL_UNARY(ListScheduleRuns, ListScheduleRunsRequest, ListScheduleRunsResponse,
                 parts_.schedules.ListRuns(who, asked))
  PLIMSOLL_UNARY(PreviewSchedule, PreviewScheduleRequest, PreviewScheduleResponse,
                 parts_.schedules.Preview(who, asked))

 private:
  const ApiParts& parts_;
};

class EnrollmentRpc final : public v1::EnrollmentService::CallbackService {
 public:
  explicit EnrollmentRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(CreateEnrollmentToken, CreateEnrollmentTokenRequest, CreateEnrollmentTokenResponse,
                 parts_.enrollment.Create(who, asked))
  PLIMSOLL_UNARY(ListEnrollmentTokens, ListEnrollmentTokensRequest, ListEnrollmentTokensResponse,
                 parts_.enrollment.List(who, asked))
  PLIMSOLL_UNARY(RevokeEnrollmentToken, RevokeEnrollmentTokenRequest, EnrollmentToken,
                 parts_.enrollment.Revoke(who, asked))
  PLIMSOLL_UNARY(RevokeHost, RevokeHostRequest, RevokeHostResponse,
                 parts_.enrollment.RevokeHost(who, asked))

 private:
  const ApiParts& parts_;
};

class WaiverRpc final : public v1::WaiverService::CallbackService {
 public:
  explicit WaiverRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(CreateWaiver, CreateWaiverRequest, Waiver, parts_.waivers.Create(who, asked))
  PLIMSOLL_UNARY(PreviewWaiver, PreviewWaiverRequest, PreviewWaiverResponse,
                 parts_.waivers.Preview(who, asked))
  PLIMSOLL_UNARY(ApproveWaiver, DecideWaiverRequest, Waiver, parts_.waivers.Approve(who, asked))
  PLIMSOLL_UNARY(RejectWaiver, DecideWaiverRequest, Waiver, parts_.waivers.Reject(who, asked))
  PLIMSOLL_UNARY(RenewWaiver, RenewWaiverRequest, Waiver, parts_.waivers.Renew(who, asked))
  PLIMSOLL_UNARY(RevokeWaiver, DecideWaiverRequest, Waiver, parts_.waivers.Revoke(who, asked))
  PLIMSOLL_UNARY(GetWaiver, GetWaiverRequest, Waiver, parts_.waivers.Get(who, asked))
  PLIMSOLL_UNARY(ListWaivers, ListWaiversRequest, ListWaiversResponse,
                 parts_.waivers.List(who, asked))
  PLIMSOLL_UNARY(ListWaiverHistory, ListWaiverHistoryRequest, ListWaiverHistoryResponse,
                 parts_.waivers.ListHistory(who, asked))

 private:
  const ApiParts& parts_;
};

class TailoringRpc final : public v1::TailoringService::CallbackService {
 public:
  explicit TailoringRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(SetTailoring, SetTailoringRequest, Tailoring, parts_.tailorings.Set(who, asked))
  PLIMSOLL_UNARY(GetTailoring, GetTailoringRequest, Tailoring, parts_.tailorings.Get(who, asked))
  PLIMSOLL_UNARY(ListTailorings, ListTailoringsRequest, ListTailoringsResponse,
                 parts_.tailorings.List(who, asked))
  PLIMSOLL_UNARY(DeleteTailoring, DeleteTailoringRequest, DeleteTailoringResponse,
                 parts_.tailorings.Delete(who, asked))

 private:
  const ApiParts& parts_;
};

class WhatIfRpc final : public v1::WhatIfService::CallbackService {
 public:
  explicit WhatIfRpc(const ApiParts& parts) : parts_(parts) {}
  PLIMSOLL_UNARY(StartWhatIf, StartWhatIfRequest, WhatIf, parts_.what_ifs.Start(who, asked))
  PLIMSOLL_UNARY(GetWhatIf, GetWhatIfRequest, WhatIf, parts_.what_ifs.Get(who, asked))
  PLIMSOLL_UNARY(ListWhatIfFlips, ListWhatIfFlipsRequest, ListWhatIfFlipsResponse,
                 parts_.what_ifs.ListFlips(who, asked))
  PLIMSOLL_UNARY(CancelWhatIf, CancelWhatIfRequest, CancelWhatIfResponse,
                 parts_.what_ifs.Cancel(who, asked))

 private:
  const ApiParts& parts_;
};

#undef PLIMSOLL_UNARY

}  // namespace

struct ApiServices::Services {
  explicit Services(const ApiParts& p)
      : parts(p),
        hosts(parts),
        baselines(parts),
        findings(parts),
        summaries(parts),
        scans(parts),
        schedules(parts),
        enrollment(parts),
        waivers(parts),
        tailorings(parts),
        what_ifs(parts) {}
  const ApiParts parts;
  HostRpc hosts;
  BaselineRpc baselines;
  FindingRpc findings;
  SummaryRpc summaries;
  ScanRpc scans;
  ScheduleRpc schedules;
  EnrollmentRpc enrollment;
  WaiverRpc waivers;
  TailoringRpc tailorings;
  WhatIfRpc what_ifs;
};

ApiServices::ApiServices(const ApiParts& parts) : services_(std::make_unique<Services>(parts)) {}
ApiServices::~ApiServices() = default;

void ApiServices::Register(grpc::ServerBuilder& builder) {
  builder.RegisterService(&services_->hosts);
  builder.RegisterService(&services_->baselines);
  builder.RegisterService(&services_->findings);
  builder.RegisterService(&services_->summaries);
  builder.RegisterService(&services_->scans);
  builder.RegisterService(&services_->schedules);
  builder.RegisterService(&services_->enrollment);
  builder.RegisterService(&services_->waivers);
  builder.RegisterService(&services_->tailorings);
  builder.RegisterService(&services_->what_ifs);
}

void ApiServices::Drain() { services_->scans.Drain(); }

}  // namespace plimsoll::rpc
