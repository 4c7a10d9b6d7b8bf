#include "controller/api/methods.h"

#include <spdlog/spdlog.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "proto/support/field_errors.h"

namespace plimsoll::api {
namespace {

[[noreturn]] void Bug(absl::string_view rpc, absl::string_view what) {
  spdlog::critical("method table: {}: {}", std::string(rpc), std::string(what));
  std::abort();
}

bool IsVariable(absl::string_view part) {
  return absl::StartsWith(part, "{") && absl::EndsWith(part, "}");
}

// The field that "schedule.id" names below `type`; null: none.
const google::protobuf::FieldDescriptor* FieldAt(const google::protobuf::Descriptor& type,
                                                 absl::string_view path) {
  const google::protobuf::Descriptor* at = &type;
  const google::protobuf::FieldDescriptor* field = nullptr;
  for (const absl::string_view name : absl::StrSplit(path, '.')) {
    field = at == nullptr ? nullptr : at->FindFieldByName(std::string(name));
    if (field == nullptr) return nullptr;
    at = field->message_type();
  }
  return field;
}

// The field that a message of INVALID_ARGUMENT begins with, below `request` or its body field:
// "page_size 7: expected ...", "selector.hosts: more than ...", "selector, column 3: ...",
// "rules[0].severity: ...". An error without one comes back as
// it is.
absl::Status WithField(const Method& method, const google::protobuf::Descriptor& request,
                       const absl::Status& status) {
  if (!absl::IsInvalidArgument(status) || !support::FieldErrorsOf(status).empty()) return status;
  const absl::string_view message = status.message();
  const size_t end = message.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.");
  const absl::string_view path = message.substr(0, end);
  if (end == absl::string_view::npos || path.empty() ||
      !absl::StrContains(":, [", message.substr(end, 1))) {
    return status;
  }
  const google::protobuf::Descriptor* at = &request;
  if (FieldAt(*at, path) == nullptr && !method.spec.body.empty()) {
    at = request.FindFieldByName(method.spec.body)->message_type();
  }
  if (FieldAt(*at, path) == nullptr) return status;
  std::string name;
  for (const absl::string_view part : absl::StrSplit(path, '.')) {
    const auto* field = at->FindFieldByName(std::string(part));
    absl::StrAppend(&name, name.empty() ? "" : ".", field->json_name());
    at = field->message_type();
  }
  const size_t begin = message.find_first_not_of(":, ", end);
  return support::BlameField(status, name,
                             begin == absl::string_view::npos ? "" : message.substr(begin));
}

// The path with every variable as "{}". Dies when one names no field.
std::string ShapeOf(const Method& method, const google::protobuf::Descriptor& request) {
  if (!absl::StartsWith(method.path, "/v1/")) Bug(method.full_name, "the path is not under /v1/");
  return absl::StrJoin(
      absl::StrSplit(method.path, '/'), "/", [&](std::string* out, absl::string_view part) {
        const bool variable = IsVariable(part);
        if (variable && FieldAt(request, part.substr(1, part.size() - 2)) == nullptr) {
          Bug(method.full_name, absl::StrCat("the request has no field ", part));
        }
        out->append(variable ? "{}" : std::string(part));
      });
}

}  // namespace

Principal Nobody(const std::string& peer, const std::string& user_agent) {
  Principal nobody;
  nobody.kind = store::CallerKind::kNobody;
  nobody.peer = peer;
  nobody.user_agent = user_agent;
  return nobody;
}

void MethodTable::Add(MethodSpec spec, Method method, const google::protobuf::Descriptor& request,
                      const google::protobuf::Descriptor& response) {
  method.full_name = absl::StrCat("plimsoll.v1.", spec.rpc);
  const google::protobuf::MethodDescriptor* described =
      request.file()->pool()->FindMethodByName(method.full_name);
  if (described == nullptr) Bug(spec.rpc, "the protos have no such method");
  if (described->input_type() != &request || described->output_type() != &response ||
      described->server_streaming() != (method.open != nullptr)) {
    Bug(spec.rpc, "the handler has not the messages that the protos say");
  }
  const std::pair<std::string, std::string> http =
      absl::StrSplit(spec.http, absl::MaxSplits(' ', 1));
  method.verb = http.first;
  method.path = http.second;
  if (!spec.body.empty()) {
    const auto* field = request.FindFieldByName(spec.body);
    if (field == nullptr || field->message_type() == nullptr) Bug(spec.rpc, "no such body field");
  }
  if (spec.session == SessionEffect::kBegins && (&request != v1::SignInRequest::descriptor() ||
                                                 &response != v1::SignInResponse::descriptor())) {
    Bug(spec.rpc, "a session begins with a SignInRequest and a SignInResponse");
  }
  const std::string route = absl::StrCat(method.verb, " ", ShapeOf(method, request));
  if (!routes_.emplace(route, method.full_name).second) Bug(spec.rpc, route + " is there already");
  method.spec = std::move(spec);
  const std::string name = method.full_name;
  if (!methods_.emplace(name, std::move(method)).second) Bug(name, "is there already");
}

const Method* MethodTable::Find(absl::string_view full_name) const {
  const auto it = methods_.find(std::string(full_name));
  return it == methods_.end() ? nullptr : &it->second;
}

absl::StatusOr<AnyMessage> MethodTable::Call(const Principal& who, const Method& method,
                                             const google::protobuf::Message& request) const {
  CallRecord record{.method = method, .who = &who, .request = &request, .peer = who.peer};
  record.begin = clock_.Now();
  if (!method.spec.open) {
    record.outcome = access::RequirePermission(who, method.spec.permission);
  }
  absl::StatusOr<AnyMessage> answer = AnyMessage();
  std::string before;
  if (record.outcome.ok()) {
    if (recorder_ != nullptr) before = recorder_->Before(method.spec.rpc, request);
    answer = method.call(who, request);
    if (!answer.ok()) answer = WithField(method, *request.GetDescriptor(), answer.status());
    record.outcome = answer.status();
    if (answer.ok()) record.response = answer->get();
  } else {
    answer = record.outcome;
  }
  if (recorder_ != nullptr) {
    const absl::Status written = recorder_->Ended(
        {who, method.spec.rpc, request, record.response, record.outcome, std::move(before)});
    if (answer.ok() && !written.ok()) {
      record.outcome = written;
      record.response = nullptr;
      answer = written;
    }
  }
  record.duration = clock_.Now() - record.begin;
  Tell(record);
  return answer;
}

void MethodTable::Refuse(const Method& method, const Principal* who, const std::string& peer,
                         const absl::Status& why) const {
  CallRecord record{.method = method, .who = who, .outcome = why, .peer = peer};
  record.begin = clock_.Now();
  Tell(record);
}

void MethodTable::Tell(const CallRecord& record) const {
  if (recorder_ != nullptr && record.who == nullptr && absl::IsUnauthenticated(record.outcome)) {
    recorder_->Refused(Nobody(record.peer, ""), record.method.spec.rpc, record.outcome);
  }
  // A stream that never began; what answers once was written down by Call.
  if (recorder_ != nullptr && record.who != nullptr && record.method.open != nullptr &&
      record.request != nullptr && !record.outcome.ok()) {
    (void)recorder_->Ended(
        {*record.who, record.method.spec.rpc, *record.request, nullptr, record.outcome, ""});
  }
  for (const Observer& observer : observers_) observer(record);
}

}  // namespace plimsoll::api
