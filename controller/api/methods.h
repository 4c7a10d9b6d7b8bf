// All methods of the API in one table, through which every transport goes.
//
// A method stands in the file of its noun (host_methods.cc, ...): its name in the protos, the
// permission it needs, its place in HTTP, and the handler that answers. gRPC, REST, the OpenAPI
// document, the metrics and the activity log are made from that.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/api/activity.h"
#include "controller/api/api.h"
#include "controller/api/authorities.h"
#include "controller/api/baseline_versions.h"
#include "controller/api/identity.h"
#include "controller/api/method.h"
#include "controller/api/notifications.h"
#include "controller/api/oidc_sign_ins.h"
#include "controller/api/schedules.h"
#include "controller/api/tailorings.h"
#include "controller/api/waivers.h"
#include "controller/api/what_ifs.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// A caller who is not known, with what the transport says of it.
Principal Nobody(const std::string& peer, const std::string& user_agent);

// Filled before anything serves; thread-safe and immutable from then on. What is added wrongly (a
// name the protos do not have, other messages, a path twice) is a bug, and fatal.
class MethodTable {
 public:
  // `recorder` writes down what is worth it; null: nothing is. Borrows both.
  explicit MethodTable(const support::Clock& clock, ActivityRecorder* recorder = nullptr)
      : clock_(clock), recorder_(recorder) {}
  MethodTable(const MethodTable&) = delete;

  // A method that `handler` answers. Borrows `handler`.
  template <class Handler, class Request, class Response>
  void Add(MethodSpec spec, Handler& handler,
           absl::StatusOr<Response> (Handler::*answer)(const Principal&, const Request&)) {
    Method method;
    method.make_request = [] { return std::make_unique<Request>(); };
    method.call = [&handler, answer](
                      const Principal& who,
                      const google::protobuf::Message& request) -> absl::StatusOr<AnyMessage> {
      absl::StatusOr<Response> response =
          (handler.*answer)(who, static_cast<const Request&>(request));
      if (!response.ok()) return response.status();
      return std::make_unique<Response>(*std::move(response));
    };
    Add(std::move(spec), std::move(method), *Request::descriptor(), *Response::descriptor());
  }

  // A method whose answer is a stream of `Response`.
  template <class Request, class Response>
  void AddStream(MethodSpec spec, std::function<absl::StatusOr<std::unique_ptr<Stream>>(
                                      const Request& request, std::function<void()> changed)>
                                      open) {
    Method method;
    method.make_request = [] { return std::make_unique<Request>(); };
    method.open = [open = std::move(open)](const google::protobuf::Message& request,
                                           std::function<void()> changed) {
      return open(static_cast<const Request&>(request), std::move(changed));
    };
    Add(std::move(spec), std::move(method), *Request::descriptor(), *Response::descriptor());
  }

  // Tells `observer` of every call. Several may be added.
  void Observe(Observer observer) { observers_.push_back(std::move(observer)); }

  // By name with package; null: there is none.
  const Method* Find(absl::string_view full_name) const;
  // By name.
  const std::map<std::string, Method>& all() const { return methods_; }

  // Answers a call of a method that does not stream. The one place that checks permissions, and
  // that writes down what is worth it. PERMISSION_DENIED says what would be needed; UNAVAILABLE
  // also when a change was made and could not be written down; other errors are the method's.
  // Blocks.
  absl::StatusOr<AnyMessage> Call(const Principal& who, const Method& method,
                                  const google::protobuf::Message& request) const;

  // A call that never came to be, because its caller is not known (`who` null) or its request
  // cannot be read: observers hear of it.
  void Refuse(const Method& method, const Principal* who, const std::string& peer,
              const absl::Status& why) const;

  // For those who make calls in several steps (follow.h).
  void Tell(const CallRecord& record) const;
  const support::Clock& clock() const { return clock_; }

 private:
  void Add(MethodSpec spec, Method method, const google::protobuf::Descriptor& request,
           const google::protobuf::Descriptor& response);

  const support::Clock& clock_;
  ActivityRecorder* const recorder_;
  std::map<std::string, Method> methods_;
  // By verb and path without the names of variables.
  std::map<std::string, std::string> routes_;
  std::vector<Observer> observers_;
};

// Each adds the methods of one service. They borrow the handlers.
void AddHostMethods(MethodTable& table, Hosts& hosts);
void AddBaselineMethods(MethodTable& table, Baselines& baselines);
void AddFindingMethods(MethodTable& table, Findings& findings);
void AddSummaryMethods(MethodTable& table, Summaries& summaries);
void AddScanMethods(MethodTable& table, Scans& scans);
void AddScheduleMethods(MethodTable& table, Schedules& schedules);
void AddUserMethods(MethodTable& table, Users& users);
void AddSessionMethods(MethodTable& table, SignIns& sign_ins);
void AddOidcMethods(MethodTable& table, OidcSignIns& sign_ins);
void AddTokenMethods(MethodTable& table, ApiTokens& tokens);
void AddActivityMethods(MethodTable& table, Activities& activities);
void AddWaiverMethods(MethodTable& table, Waivers& waivers);
void AddTailoringMethods(MethodTable& table, Tailorings& tailorings);
void AddBaselineVersionMethods(MethodTable& table, BaselineVersions& versions);
void AddWhatIfMethods(MethodTable& table, WhatIfs& what_ifs);
void AddNotificationMethods(MethodTable& table, Notifications& notifications);
void AddEnrollmentMethods(MethodTable& table, EnrollmentTokens& tokens, Hosts& hosts);
void AddAuthorityMethods(MethodTable& table, Authorities& authorities);

}  // namespace plimsoll::api
