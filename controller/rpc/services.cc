#include "controller/rpc/services.h"

#include "controller/rpc/scan_watch.h"
#include "controller/rpc/unary.h"
#include "plimsoll/v1/activity_service.grpc.pb.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/enrollment_service.grpc.pb.h"
#include "plimsoll/v1/finding_service.grpc.pb.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "plimsoll/v1/schedule_service.grpc.pb.h"
#include "plimsoll/v1/session_service.grpc.pb.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"
#include "plimsoll/v1/token_service.grpc.pb.h"
#include "plimsoll/v1/user_service.grpc.pb.h"

namespace plimsoll::rpc {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// Declares one unary method of a service: its name, messages, and the handler that answers it.
#define PLIMSOLL_UNARY(Method, Request, Response, handler)                                         \
  ServerUnaryReactor* Method(CallbackServerContext* context, const v1::Request* request,           \
                             v1::Response* response) override {                                    \
    return Unary(parts_, context, MethodName(service_full_name(), #Method), request, response,     \
                 [this](const api::Principal& who, const v1::Request& asked) { return handler; }); \
  }

class HostRpc final : public v1::HostService::CallbackService {
 public:
  explicit HostRpc(const ApiParts& parts) : parts_(parts) {}
  static std::string service_full_name() { return v1::HostService::service_full_name(); }
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
  static std::string service_full_name() { return v1::BaselineService::service_full_name(); }
  PLIMSOLL_UNARY(ListBaselines, ListBaselinesRequest, ListBaselinesResponse,
                 parts_.baselines.List(who, asked))
  PLIMSOLL_UNARY(GetBaseline, GetBaselineRequest, Baseline, parts_.baselines.Get(who, asked))
  PLIMSOLL_UNARY(GetRule, GetRuleRequest, Rule, parts_.baselines.GetRule(who, asked))

 private:
  const ApiParts& parts_;
};

class FindingRpc final : public v1::FindingService::CallbackService {
 public:
  explicit FindingRpc(const ApiParts& parts) : parts_(parts) {}
  static std::string service_full_name() { return v1::FindingService::service_full_name(); }
  PLIMSOLL_UNARY(ListFindings, ListFindingsRequest, ListFindingsResponse,
                 parts_.findings.List(who, asked))

 private:
  const ApiParts& parts_;
};

class SummaryRpc final : public v1::SummaryService::CallbackService {
 public:
  explicit SummaryRpc(const ApiParts& parts) : parts_(parts) {}
  static std::string service_full_name() { return v1::SummaryService::service_full_name(); }
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
  static std::string service_full_name() { return v1::ScanService::service_full_name(); }
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
  static std::string service_full_name() { return v1::ScheduleService::service_full_name(); }
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
  static std::string service_full_name() { return v1::EnrollmentService::service_full_name(); }
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

class UserRpc final : public v1::UserService::CallbackService {
 public:
  explicit UserRpc(const ApiParts& parts) : parts_(parts) {}
  static std::string service_full_name() { return v1::UserService::service_full_name(); }
  PLIMSOLL_UNARY(CreateUser, CreateUserRequest, CreateUserResponse, parts_.users.Create(who, asked))
  PLIMSOLL_UNARY(GetUser, GetUserRequest, User, parts_.users.Get(who, asked))
  PLIMSOLL_UNARY(ListUsers, ListUsersRequest, ListUsersResponse, parts_.users.List(who, asked))
  PLIMSOLL_UNARY(UpdateUser, UpdateUserRequest, User, parts_.users.Update(who, asked))
  PLIMSOLL_UNARY(ResetPassword, ResetPasswordRequest, ResetPasswordResponse,
                 parts_.users.ResetPassword(who, asked))
  PLIMSOLL_UNARY(DeleteUser, DeleteUserRequest, DeleteUserResponse, parts_.users.Delete(who, asked))

 private:
  const ApiParts& parts_;
};

class SessionRpc final : public v1::SessionService::CallbackService {
 public:
  explicit SessionRpc(const ApiParts& parts) : parts_(parts) {}
  static std::string service_full_name() { return v1::SessionService::service_full_name(); }
  ServerUnaryReactor* SignIn(CallbackServerContext* context, const v1::SignInRequest* request,
                             v1::SignInResponse* response) override {
    return OpenUnary(parts_, context, MethodName(service_full_name(), "SignIn"), request, response,
                     [this](const api::Principal& nobody, const v1::SignInRequest& asked) {
                       return parts_.sign_ins.SignIn(nobody, asked);
                     });
  }
  PLIMSOLL_UNARY(SignOut, SignOutRequest, SignOutResponse, parts_.sign_ins.SignOut(who, asked))
  PLIMSOLL_UNARY(SignOutEverywhere, SignOutEverywhereRequest, SignOutEverywhereResponse,
                 parts_.sign_ins.SignOutEverywhere(who, asked))
  PLIMSOLL_UNARY(GetSelf, GetSelfRequest, Self, parts_.sign_ins.GetSelf(who, asked))
  PLIMSOLL_UNARY(ChangePassword, ChangePasswordRequest, ChangePasswordResponse,
                 parts_.sign_ins.ChangePassword(who, asked))
  PLIMSOLL_UNARY(ListSessions, ListSessionsRequest, ListSessionsResponse,
                 parts_.sign_ins.List(who, asked))

 private:
  const ApiParts& parts_;
};

class TokenRpc final : public v1::TokenService::CallbackService {
 public:
  explicit TokenRpc(const ApiParts& parts) : parts_(parts) {}
  static std::string service_full_name() { return v1::TokenService::service_full_name(); }
  PLIMSOLL_UNARY(CreateApiToken, CreateApiTokenRequest, CreateApiTokenResponse,
                 parts_.tokens.Create(who, asked))
  PLIMSOLL_UNARY(ListApiTokens, ListApiTokensRequest, ListApiTokensResponse,
                 parts_.tokens.List(who, asked))
  PLIMSOLL_UNARY(RevokeApiToken, RevokeApiTokenRequest, ApiToken, parts_.tokens.Revoke(who, asked))

 private:
  const ApiParts& parts_;
};

class ActivityRpc final : public v1::ActivityService::CallbackService {
 public:
  explicit ActivityRpc(const ApiParts& parts) : parts_(parts) {}
  static std::string service_full_name() { return v1::ActivityService::service_full_name(); }
  PLIMSOLL_UNARY(ListActivity, ListActivityRequest, ListActivityResponse,
                 parts_.activities.List(who, asked))
  PLIMSOLL_UNARY(GetActivityHead, GetActivityHeadRequest, ActivityHead,
                 parts_.activities.GetHead(who, asked))

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
        users(parts),
        sessions(parts),
        tokens(parts),
        activity(parts) {}
  const ApiParts parts;
  HostRpc hosts;
  BaselineRpc baselines;
  FindingRpc findings;
  SummaryRpc summaries;
  ScanRpc scans;
  ScheduleRpc schedules;
  EnrollmentRpc enrollment;
  UserRpc users;
  SessionRpc sessions;
  TokenRpc tokens;
  ActivityRpc activity;
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
  builder.RegisterService(&services_->users);
  builder.RegisterService(&services_->sessions);
  builder.RegisterService(&services_->tokens);
  builder.RegisterService(&services_->activity);
}

void ApiServices::Drain() { services_->scans.Drain(); }

}  // namespace plimsoll::rpc
