#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/api/activity.h"
#include "plimsoll/v1/notification_service.pb.h"
#include "plimsoll/v1/session_service.pb.h"
#include "proto/support/field_errors.h"

namespace plimsoll::api {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kLongestJson = 16 << 10;

// How to name the object of a method that changes something: its kind, and where its id stands.
struct Change {
  const char* method;
  const char* kind;
  // Path of members in the response, e.g. "token.id"; empty: in the request only.
  const char* in_response;
  // The same in the request, which is what is left when the call failed.
  const char* in_request;
};
constexpr Change kChanges[] = {
    {"HostService.RemoveHost", "hosts", "host_id", "host"},
    {"HostService.ReleaseHost", "hosts", "id", "host"},
    {"HostService.SetHostLabels", "hosts", "host_id", ""},
    {"SelectorService.SaveSelector", "selectors", "name", "selector.name"},
    {"SelectorService.DeleteSelector", "selectors", "name", "name"},
    {"ScanService.CreateScan", "scans", "id", ""},
    {"ScanService.CancelScan", "scans", "id", "id"},
    {"ScheduleService.CreateSchedule", "schedules", "id", "schedule.name"},
    {"ScheduleService.UpdateSchedule", "schedules", "id", "schedule.name"},
    {"ScheduleService.PauseSchedule", "schedules", "id", "schedule"},
    {"ScheduleService.ResumeSchedule", "schedules", "id", "schedule"},
    {"ScheduleService.DeleteSchedule", "schedules", "id", "schedule"},
    {"EnrollmentService.CreateEnrollmentToken", "enrollment-tokens", "token.id", ""},
    {"EnrollmentService.RevokeEnrollmentToken", "enrollment-tokens", "id", "id"},
    {"EnrollmentService.RevokeHost", "hosts", "host_id", "host"},
    {"EnrollmentService.ApproveEnrollment", "enrollments", "id", "id"},
    {"EnrollmentService.RejectEnrollment", "enrollments", "id", "id"},
    {"AuthorityService.BeginRotation", "authorities", "", ""},
    {"AuthorityService.SwitchAuthority", "authorities", "", ""},
    {"AuthorityService.FinishRotation", "authorities", "", ""},
    {"AuthorityService.CancelRotation", "authorities", "", ""},
    {"UserService.CreateUser", "users", "user.id", "name"},
    {"UserService.UpdateUser", "users", "id", "user"},
    {"UserService.ResetPassword", "users", "user.id", "user"},
    {"UserService.DeleteUser", "users", "id", "user"},
    {"SessionService.SignOut", "sessions", "", ""},
    {"SessionService.SignOutEverywhere", "sessions", "", ""},
    {"SessionService.ChangePassword", "users", "", ""},
    {"SessionService.RedeemSignInCode", "sessions", "session.id", ""},
    {"WaiverService.CreateWaiver", "waivers", "id", ""},
    {"WaiverService.ApproveWaiver", "waivers", "id", "waiver"},
    {"WaiverService.RejectWaiver", "waivers", "id", "waiver"},
    {"WaiverService.RenewWaiver", "waivers", "id", "waiver"},
    {"WaiverService.RevokeWaiver", "waivers", "id", "waiver"},
    {"TailoringService.SetTailoring", "tailorings", "name", "tailoring.name"},
    {"TailoringService.DeleteTailoring", "tailorings", "name", "name"},
    {"BaselineService.UploadBaseline", "baselines", "baseline", ""},
    {"BaselineService.ActivateBaseline", "baselines", "id", "baseline"},
    {"BaselineService.RollbackBaseline", "baselines", "id", "baseline"},
    {"WhatIfService.StartWhatIf", "what-ifs", "id", ""},
    {"WhatIfService.CancelWhatIf", "what-ifs", "id", "id"},
    {"NotificationService.CreateNotificationChannel", "notification-channels", "id",
     "channel.name"},
    {"NotificationService.UpdateNotificationChannel", "notification-channels", "id",
     "channel.name"},
    {"NotificationService.DeleteNotificationChannel", "notification-channels", "id", "channel"},
    {"NotificationService.TestNotificationChannel", "notification-deliveries", "id", "channel"},
    {"NotificationService.RetryNotificationDelivery", "notification-deliveries", "id", "delivery"},
    {"TokenService.CreateApiToken", "api-tokens", "token.id", "name"},
    {"TokenService.RevokeApiToken", "api-tokens", "id", "token"},
};
constexpr char kSignIn[] = "SessionService.SignIn";

const Change* FindChange(absl::string_view method) {
  for (const Change& change : kChanges) {
    if (method == change.method) return &change;
  }
  return nullptr;
}

// The text at a path of members; empty: there is none.
std::string TextAt(const Message& message, absl::string_view path) {
  if (path.empty()) return "";
  const std::pair<absl::string_view, absl::string_view> split =
      absl::StrSplit(path, absl::MaxSplits('.', 1));
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(std::string(split.first));
  if (field == nullptr || field->is_repeated()) return "";
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return TextAt(message.GetReflection()->GetMessage(message, field), split.second);
  }
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return "";
  return message.GetReflection()->GetString(message, field).substr(0, 256);
}

// A request that only asks whether it could be answered.
bool OnlyValidates(const Message& request) {
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByName("validate_only");
  return field != nullptr && request.GetReflection()->GetBool(request, field);
}

bool IsSecret(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
         (absl::StrContains(field.name(), "secret") ||
          absl::StrContains(field.name(), "password") || field.name() == "csrf_token");
}

// Whoever knows the whole address of a webhook can often post to it: what names the receiver stays.
void ClearAddress(v1::WebhookTarget& target) {
  const size_t scheme = target.url().find("://");
  const size_t path =
      target.url().find_first_of("/?#", scheme == std::string::npos ? 0 : scheme + 3);
  if (path != std::string::npos) target.mutable_url()->replace(path, std::string::npos, "/...");
}

void ClearSecrets(Message& message) {
  if (message.GetDescriptor() == v1::WebhookTarget::descriptor()) {
    ClearAddress(static_cast<v1::WebhookTarget&>(message));
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (IsSecret(*field)) {
      message.GetReflection()->ClearField(&message, field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map()) {
      if (!field->is_repeated()) {
        ClearSecrets(*message.GetReflection()->MutableMessage(&message, field));
        continue;
      }
      for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
        ClearSecrets(*message.GetReflection()->MutableRepeatedMessage(&message, field, i));
      }
    }
  }
}

// What a request calls the object of `change`: by its id, for the name may be a new one.
std::string ObjectIn(const Message& request, const Change& change) {
  absl::string_view path = change.in_request;
  if (absl::ConsumeSuffix(&path, ".name")) {
    const std::string id = TextAt(request, absl::StrCat(path, ".id"));
    if (!id.empty()) return id;
  }
  return TextAt(request, change.in_request);
}

// Who made the call, who came to be known by it included.
store::Principal CallerOf(const EndedCall& call) {
  store::Principal who = call.who;
  if (who.kind != store::CallerKind::kNobody || call.response == nullptr ||
      call.response->GetDescriptor() != v1::SignInResponse::descriptor()) {
    return who;
  }
  const v1::User& user = static_cast<const v1::SignInResponse&>(*call.response).user();
  who.kind = store::CallerKind::kUser;
  who.user_id = user.id();
  who.name = user.name();
  return who;
}

// What the object of a change became, or what was asked for where the answer does not say that: it
// only names the object, or, of authorities, does not tell what was forced.
std::string AfterOf(const EndedCall& call) {
  const std::string asked = WithoutSecrets(call.request);
  const std::string answered = call.response == nullptr ? "" : WithoutSecrets(*call.response);
  if (asked.empty() || answered.empty()) return asked.empty() ? answered : asked;
  std::vector<const FieldDescriptor*> fields;
  call.response->GetReflection()->ListFields(*call.response, &fields);
  const bool names_only =
      fields.size() == 1 && fields[0]->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE;
  return names_only || absl::StartsWith(call.method, "AuthorityService.") ? asked : answered;
}

std::string ObjectOf(const Change& change, const EndedCall& call) {
  std::string id;
  if (call.response != nullptr) id = TextAt(*call.response, change.in_response);
  if (id.empty()) id = ObjectIn(call.request, change);
  // About oneself.
  if (id.empty() && absl::StartsWith(change.method, "SessionService.")) {
    id = change.kind == absl::string_view("users") ? call.who.user_id : call.who.token_id;
  }
  return id.empty() ? "" : absl::StrCat(change.kind, "/", id);
}

// Whether somebody should know that this was tried.
bool IsRefusal(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
}

// A change that may or may not have been made.
bool OutcomeUnknown(const absl::Status& status) {
  return absl::IsInternal(status) || absl::IsUnknown(status) || absl::IsUnavailable(status) ||
         absl::IsDeadlineExceeded(status);
}

}  // namespace

bool IsKnown(absl::string_view method) {
  if (method == kSignIn || FindChange(method) != nullptr) return true;
  const std::vector<absl::string_view> parts = absl::StrSplit(method, '.');
  for (const absl::string_view read : {"Get", "List", "Watch", "Preview"}) {
    if (parts.size() == 2 && absl::StartsWith(parts[1], read)) return true;
  }
  return false;
}

std::string WithoutSecrets(const Message& message) {
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  ClearSecrets(*copy);
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(*copy, &json).ok()) return "";
  if (json == "{}") return "";
  if (json.size() > kLongestJson) {
    json.resize(kLongestJson);
    json += "... (cut)";
  }
  return json;
}

std::string ActivityRecorder::Before(absl::string_view method, const Message& request) {
  const Change* change = FindChange(method);
  if (change == nullptr) return "";
  const std::string id = ObjectIn(request, *change);
  const absl::string_view kind = change->kind;
  // What comes to be has no before; its name may stand in the request all the same.
  if (id.empty() || absl::StrContains(method, ".Create")) return "";
  if (kind == "users") {
    const auto user = store_.users().Get(id);
    return user.ok() ? WithoutSecrets(user->user) : "";
  }
  if (kind == "api-tokens") {
    const auto token = store_.tokens().Get(id);
    return token.ok() ? WithoutSecrets(*token) : "";
  }
  if (kind == "schedules") {
    const auto schedule = store_.schedules().Get(id);
    return schedule.ok() ? WithoutSecrets(schedule->schedule) : "";
  }
  if (kind == "notification-channels") {
    const auto channel = store_.notifications().Get(id);
    return channel.ok() ? WithoutSecrets(channel->channel) : "";
  }
  if (kind == "waivers") {
    const auto waiver = store_.waivers().Get(id);
    return waiver.ok() ? WithoutSecrets(*waiver) : "";
  }
  if (kind == "tailorings") {
    const auto tailoring = store_.tailorings().Get(id);
    return tailoring.ok() ? WithoutSecrets(*tailoring) : "";
  }
  if (kind == "selectors") {
    const auto selector = store_.selectors().Get(id);
    return selector.ok() ? WithoutSecrets(*selector) : "";
  }
  if (kind == "hosts") {
    const auto host = store_.hosts().Get(id);
    return host.ok() ? WithoutSecrets(*host) : "";
  }
  return "";
}

absl::Status ActivityRecorder::Ended(const EndedCall& call) {
  if (call.method == kSignIn) {
    SignedIn(call);
    return absl::OkStatus();
  }
  const Change* change = OnlyValidates(call.request) ? nullptr : FindChange(call.method);
  v1::Activity entry =
      access::ActivityBy(CallerOf(call), std::string(call.method),
                         change == nullptr ? "" : ObjectOf(*change, call), call.outcome);
  if (!call.outcome.ok()) {
    if (!IsRefusal(call.outcome) && (change == nullptr || !OutcomeUnknown(call.outcome))) {
      return absl::OkStatus();
    }
    if (OutcomeUnknown(call.outcome)) entry.set_message("the outcome is not known; see the log");
    log_.Note(std::move(entry));
    return absl::OkStatus();
  }
  if (change == nullptr) return absl::OkStatus();
  entry.set_before_json(call.before);
  entry.set_after_json(AfterOf(call));
  const absl::Status written = log_.Record(std::move(entry));
  if (written.ok()) return written;
  return support::NotRecorded();
}

void ActivityRecorder::SignedIn(const EndedCall& call) {
  if (call.outcome.ok()) {
    const store::Principal who = CallerOf(call);
    (void)log_.Record(access::ActivityBy(who, kSignIn, absl::StrCat("users/", who.user_id)));
    return;
  }
  const std::string name = TextAt(call.request, "name");
  // People type passwords where names belong: a name that nobody has is not kept.
  const auto user = store_.users().Get(name);
  const bool known = user.ok() && user->user.name() == name;
  log_.Note(access::ActivityBy(call.who, kSignIn,
                               known ? absl::StrCat("users/", user->user.id()) : "", call.outcome));
}

void ActivityRecorder::Refused(const store::Principal& nobody, absl::string_view method,
                               const absl::Status& outcome) {
  if (!absl::IsUnauthenticated(outcome)) return;
  log_.Note(access::ActivityBy(nobody, std::string(method), "", outcome));
}

}  // namespace plimsoll::api
