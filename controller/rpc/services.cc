#include "controller/rpc/services.h"

#include <spdlog/spdlog.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "controller/rpc/streaming.h"
#include "controller/rpc/unary.h"
#include "plimsoll/v1/activity_service.grpc.pb.h"
#include "plimsoll/v1/authority_service.grpc.pb.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/enrollment_service.grpc.pb.h"
#include "plimsoll/v1/event_service.grpc.pb.h"
#include "plimsoll/v1/finding_service.grpc.pb.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/notification_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "plimsoll/v1/schedule_service.grpc.pb.h"
#include "plimsoll/v1/selector_service.grpc.pb.h"
#include "plimsoll/v1/session_service.grpc.pb.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"
#include "plimsoll/v1/tailoring_service.grpc.pb.h"
#include "plimsoll/v1/token_service.grpc.pb.h"
#include "plimsoll/v1/user_service.grpc.pb.h"
#include "plimsoll/v1/waiver_service.grpc.pb.h"
#include "plimsoll/v1/what_if_service.grpc.pb.h"

namespace plimsoll::rpc {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// A service whose methods the table answers.
template <class Service>
class Skin : public Service::CallbackService {
 public:
  Skin(const ApiParts& parts, OpenStreams& streams) : parts_(parts), streams_(streams) {}

 protected:
  const api::Method& Find(const char* name) const {
    const auto* method = parts_.methods.Find(absl::StrCat(Service::service_full_name(), ".", name));
    if (method == nullptr) {
      spdlog::critical("{}.{} is not in the table of methods", Service::service_full_name(), name);
      std::abort();
    }
    return *method;
  }

  const ApiParts& parts_;
  OpenStreams& streams_;
};

// One method of a service: its name, its request and its answer.
#define PLIMSOLL_UNARY_OF(Name, Request, Response)                                     \
  ServerUnaryReactor* Name(CallbackServerContext* context, const v1::Request* request, \
                           v1::Response* response) override {                          \
    return Unary(parts_, context, Name##_, request, response);                         \
  }                                                                                    \
  const api::Method& Name##_ = this->Find(#Name);
#define PLIMSOLL_UNARY(Name, Response) PLIMSOLL_UNARY_OF(Name, Name##Request, Response)

#define PLIMSOLL_STREAM(Name, Response)                                                     \
  grpc::ServerWriteReactor<v1::Response>* Name(CallbackServerContext* context,              \
                                               const v1::Name##Request* request) override { \
    return Streaming<v1::Response>::Start(parts_, streams_, context, Name##_, *request);    \
  }                                                                                         \
  const api::Method& Name##_ = this->Find(#Name);

struct HostRpc final : Skin<v1::HostService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(ListHosts, ListHostsResponse)
  PLIMSOLL_UNARY(GetHost, Host)
  PLIMSOLL_UNARY(GetHostReport, HostReport)
  PLIMSOLL_UNARY(RemoveHost, RemoveHostResponse)
  PLIMSOLL_UNARY(ReleaseHost, Host)
  PLIMSOLL_UNARY(SetHostLabels, SetHostLabelsResponse)
  PLIMSOLL_UNARY(ListTransitions, ListTransitionsResponse)
};

struct BaselineRpc final : Skin<v1::BaselineService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(ListBaselines, ListBaselinesResponse)
  PLIMSOLL_UNARY(GetBaseline, Baseline)
  PLIMSOLL_UNARY(GetRule, Rule)
  PLIMSOLL_UNARY(UploadBaseline, BaselineVersion)
  PLIMSOLL_UNARY(ListBaselineVersions, ListBaselineVersionsResponse)
  PLIMSOLL_UNARY(ActivateBaseline, Baseline)
  PLIMSOLL_UNARY(RollbackBaseline, Baseline)
};

struct FindingRpc final : Skin<v1::FindingService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(ListFindings, ListFindingsResponse)
};

struct SummaryRpc final : Skin<v1::SummaryService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(GetSummary, Summary)
  PLIMSOLL_UNARY(ListLabelSummaries, ListLabelSummariesResponse)
  PLIMSOLL_UNARY(ListWorstHosts, ListWorstHostsResponse)
  PLIMSOLL_UNARY(ListFailingConfigurations, ListFailingConfigurationsResponse)
  PLIMSOLL_UNARY(GetTrend, Trend)
};

struct ScanRpc final : Skin<v1::ScanService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(CreateScan, Scan)
  PLIMSOLL_UNARY(GetScan, Scan)
  PLIMSOLL_UNARY(CancelScan, Scan)
  PLIMSOLL_UNARY(ListScans, ListScansResponse)
  PLIMSOLL_UNARY(ListScanHosts, ListScanHostsResponse)
  PLIMSOLL_UNARY(GetScanReport, HostReport)
  PLIMSOLL_STREAM(WatchScan, Scan)
};

struct ScheduleRpc final : Skin<v1::ScheduleService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(CreateSchedule, Schedule)
  PLIMSOLL_UNARY(GetSchedule, Schedule)
  PLIMSOLL_UNARY(ListSchedules, ListSchedulesResponse)
  PLIMSOLL_UNARY(UpdateSchedule, Schedule)
  PLIMSOLL_UNARY(PauseSchedule, Schedule)
  PLIMSOLL_UNARY(ResumeSchedule, Schedule)
  PLIMSOLL_UNARY(DeleteSchedule, DeleteScheduleResponse)
  PLIMSOLL_UNARY(ListScheduleRuns, ListScheduleRunsResponse)
  PLIMSOLL_UNARY(PreviewSchedule, PreviewScheduleResponse)
};

struct EnrollmentRpc final : Skin<v1::EnrollmentService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(CreateEnrollmentToken, CreateEnrollmentTokenResponse)
  PLIMSOLL_UNARY(ListEnrollmentTokens, ListEnrollmentTokensResponse)
  PLIMSOLL_UNARY(RevokeEnrollmentToken, EnrollmentToken)
  PLIMSOLL_UNARY(RevokeHost, RevokeHostResponse)
  PLIMSOLL_UNARY(ListEnrollments, ListEnrollmentsResponse)
  PLIMSOLL_UNARY(ApproveEnrollment, Enrollment)
  PLIMSOLL_UNARY(RejectEnrollment, Enrollment)
};

struct AuthorityRpc final : Skin<v1::AuthorityService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(GetAuthorities, AuthorityStatus)
  PLIMSOLL_UNARY(BeginRotation, AuthorityStatus)
  PLIMSOLL_UNARY(SwitchAuthority, AuthorityStatus)
  PLIMSOLL_UNARY(FinishRotation, AuthorityStatus)
  PLIMSOLL_UNARY(CancelRotation, AuthorityStatus)
};

struct UserRpc final : Skin<v1::UserService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(CreateUser, CreateUserResponse)
  PLIMSOLL_UNARY(GetUser, User)
  PLIMSOLL_UNARY(ListUsers, ListUsersResponse)
  PLIMSOLL_UNARY(UpdateUser, User)
  PLIMSOLL_UNARY(ResetPassword, ResetPasswordResponse)
  PLIMSOLL_UNARY(DeleteUser, DeleteUserResponse)
};

struct SessionRpc final : Skin<v1::SessionService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(SignIn, SignInResponse)
  PLIMSOLL_UNARY(SignOut, SignOutResponse)
  PLIMSOLL_UNARY(SignOutEverywhere, SignOutEverywhereResponse)
  PLIMSOLL_UNARY(GetSelf, Self)
  PLIMSOLL_UNARY(ChangePassword, ChangePasswordResponse)
  PLIMSOLL_UNARY(ListSessions, ListSessionsResponse)
  PLIMSOLL_UNARY(GetSignInMethods, SignInMethods)
  PLIMSOLL_UNARY(RedeemSignInCode, SignInResponse)
};

struct TokenRpc final : Skin<v1::TokenService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(CreateApiToken, CreateApiTokenResponse)
  PLIMSOLL_UNARY(ListApiTokens, ListApiTokensResponse)
  PLIMSOLL_UNARY(RevokeApiToken, ApiToken)
};

struct ActivityRpc final : Skin<v1::ActivityService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(ListActivity, ListActivityResponse)
  PLIMSOLL_UNARY(GetActivityHead, ActivityHead)
};

struct NotificationRpc final : Skin<v1::NotificationService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(CreateNotificationChannel, NotificationChannel)
  PLIMSOLL_UNARY(GetNotificationChannel, NotificationChannel)
  PLIMSOLL_UNARY(ListNotificationChannels, ListNotificationChannelsResponse)
  PLIMSOLL_UNARY(UpdateNotificationChannel, NotificationChannel)
  PLIMSOLL_UNARY(DeleteNotificationChannel, DeleteNotificationChannelResponse)
  PLIMSOLL_UNARY(TestNotificationChannel, NotificationDelivery)
  PLIMSOLL_UNARY(ListNotificationDeliveries, ListNotificationDeliveriesResponse)
  PLIMSOLL_UNARY(RetryNotificationDelivery, NotificationDelivery)
};

struct EventRpc final : Skin<v1::EventService> {
  using Skin::Skin;
  PLIMSOLL_STREAM(WatchEvents, Event)
};

struct WaiverRpc final : Skin<v1::WaiverService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(CreateWaiver, Waiver)
  PLIMSOLL_UNARY(PreviewWaiver, PreviewWaiverResponse)
  PLIMSOLL_UNARY_OF(ApproveWaiver, DecideWaiverRequest, Waiver)
  PLIMSOLL_UNARY_OF(RejectWaiver, DecideWaiverRequest, Waiver)
  PLIMSOLL_UNARY(RenewWaiver, Waiver)
  PLIMSOLL_UNARY_OF(RevokeWaiver, DecideWaiverRequest, Waiver)
  PLIMSOLL_UNARY(GetWaiver, Waiver)
  PLIMSOLL_UNARY(ListWaivers, ListWaiversResponse)
  PLIMSOLL_UNARY(ListWaiverHistory, ListWaiverHistoryResponse)
};

struct TailoringRpc final : Skin<v1::TailoringService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(SetTailoring, Tailoring)
  PLIMSOLL_UNARY(GetTailoring, Tailoring)
  PLIMSOLL_UNARY(ListTailorings, ListTailoringsResponse)
  PLIMSOLL_UNARY(DeleteTailoring, DeleteTailoringResponse)
};

struct SelectorRpc final : Skin<v1::SelectorService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(SaveSelector, SavedSelector)
  PLIMSOLL_UNARY(GetSelector, SavedSelector)
  PLIMSOLL_UNARY(ListSelectors, ListSelectorsResponse)
  PLIMSOLL_UNARY(DeleteSelector, DeleteSelectorResponse)
};

struct WhatIfRpc final : Skin<v1::WhatIfService> {
  using Skin::Skin;
  PLIMSOLL_UNARY(StartWhatIf, WhatIf)
  PLIMSOLL_UNARY(GetWhatIf, WhatIf)
  PLIMSOLL_UNARY(ListWhatIfFlips, ListWhatIfFlipsResponse)
  PLIMSOLL_UNARY(CancelWhatIf, CancelWhatIfResponse)
};

#undef PLIMSOLL_UNARY
#undef PLIMSOLL_UNARY_OF
#undef PLIMSOLL_STREAM

}  // namespace

struct ApiServices::Services {
  explicit Services(const ApiParts& with) : parts(with) {}
  const ApiParts parts;
  OpenStreams streams;
  HostRpc hosts{parts, streams};
  BaselineRpc baselines{parts, streams};
  FindingRpc findings{parts, streams};
  SummaryRpc summaries{parts, streams};
  ScanRpc scans{parts, streams};
  ScheduleRpc schedules{parts, streams};
  EnrollmentRpc enrollment{parts, streams};
  AuthorityRpc authorities{parts, streams};
  NotificationRpc notifications{parts, streams};
  EventRpc events{parts, streams};
  UserRpc users{parts, streams};
  SessionRpc sessions{parts, streams};
  TokenRpc tokens{parts, streams};
  ActivityRpc activity{parts, streams};
  WaiverRpc waivers{parts, streams};
  TailoringRpc tailorings{parts, streams};
  SelectorRpc selectors{parts, streams};
  WhatIfRpc what_ifs{parts, streams};
};

ApiServices::ApiServices(const ApiParts& parts) : services_(std::make_unique<Services>(parts)) {}
ApiServices::~ApiServices() = default;

void ApiServices::Register(grpc::ServerBuilder& builder) {
  for (grpc::Service* service : std::initializer_list<grpc::Service*>{
           &services_->hosts, &services_->baselines, &services_->findings, &services_->summaries,
           &services_->scans, &services_->schedules, &services_->enrollment,
           &services_->authorities, &services_->notifications, &services_->events,
           &services_->users, &services_->sessions, &services_->tokens, &services_->activity,
           &services_->waivers, &services_->tailorings, &services_->selectors,
           &services_->what_ifs}) {
    builder.RegisterService(service);
  }
}

void ApiServices::Drain() { services_->streams.EndAll(); }

}  // namespace plimsoll::rpc
