// A controller that keeps policy and labels in memory, for what applies files to it.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/selector.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/notification_service.grpc.pb.h"
#include "plimsoll/v1/schedule_service.grpc.pb.h"
#include "plimsoll/v1/selector_service.grpc.pb.h"
#include "plimsoll/v1/tailoring_service.grpc.pb.h"
#include "plimsoll/v1/waiver_service.grpc.pb.h"
#include "tests/controller/cli/fake_controller.h"

namespace plimsoll::cli {

// Serves on a free port until it goes. What it keeps is the test's to look at, and to change,
// between commands. Selectors are checked as a controller does; nothing else is.
class FakePolicy : private v1::SelectorService::Service,
                   private v1::TailoringService::Service,
                   private v1::WaiverService::Service,
                   private v1::ScheduleService::Service,
                   private v1::NotificationService::Service,
                   private v1::HostService::Service {
 public:
  FakePolicy()
      : server_({static_cast<v1::SelectorService::Service*>(this),
                 static_cast<v1::TailoringService::Service*>(this),
                 static_cast<v1::WaiverService::Service*>(this),
                 static_cast<v1::ScheduleService::Service*>(this),
                 static_cast<v1::NotificationService::Service*>(this),
                 static_cast<v1::HostService::Service*>(this)}) {}
  const std::string& address() const { return server_.address(); }
  const std::string& ca_pem() const { return server_.ca_pem(); }

  // By name.
  std::map<std::string, v1::SavedSelector> selectors;
  std::map<std::string, v1::Tailoring> tailorings;
  std::map<std::string, v1::Schedule> schedules;
  std::map<std::string, v1::NotificationChannel> channels;
  // In the order of their proposals, w-1 first.
  std::vector<v1::Waiver> waivers;
  std::vector<v1::Host> hosts;

  // Changes that were made, e.g. "SaveSelector live", in their order.
  std::vector<std::string> made;
  // Changes that are refused instead, by the same words.
  std::map<std::string, grpc::Status> refused;

 private:
  using Context = grpc::ServerContext*;

  static grpc::Status Invalid(const std::string& what) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, what);
  }
  // What hosts have to fit; INVALID_ARGUMENT as the API says it.
  absl::StatusOr<evaluate::Selector> Parse(const std::map<std::string, std::string>& labels,
                                           const std::string& expression) const {
    evaluate::SavedSelectors saved;
    for (const auto& [name, selector] : selectors) {
      saved[name] = *evaluate::ParseSelector(selector.expression());
    }
    return evaluate::SelectorOf(labels, expression, saved);
  }
  grpc::Status CheckHosts(const v1::HostSelector& hosts) const {
    const auto selector = Parse({hosts.labels().begin(), hosts.labels().end()}, hosts.expression());
    if (selector.ok()) return grpc::Status::OK;
    return Invalid(absl::StrCat("selector: ", selector.status().message()));
  }
  // Notes a change, unless it is refused or only to be checked.
  grpc::Status Make(const std::string& what, bool validate_only,
                    const std::function<void()>& change) {
    if (validate_only) return grpc::Status::OK;
    if (const auto found = refused.find(what); found != refused.end()) return found->second;
    change();
    made.push_back(what);
    return grpc::Status::OK;
  }
  template <class Object>
  grpc::Status Put(const std::string& method, const Object& object, bool validate_only,
                   std::map<std::string, Object>& all, Object* response) {
    *response = object;
    return Make(absl::StrCat(method, " ", object.name()), validate_only,
                [&] { all[object.name()] = object; });
  }
  template <class Object, class Field>
  static grpc::Status List(const std::map<std::string, Object>& all, Field* field) {
    for (const auto& [name, object] : all) *field->Add() = object;
    return grpc::Status::OK;
  }

  grpc::Status SaveSelector(Context, const v1::SaveSelectorRequest* request,
                            v1::SavedSelector* response) override {
    const auto parsed = evaluate::ParseSelector(request->selector().expression());
    if (!parsed.ok()) return Invalid(absl::StrCat("expression: ", parsed.status().message()));
    return Put("SaveSelector", request->selector(), request->validate_only(), selectors, response);
  }
  grpc::Status ListSelectors(Context, const v1::ListSelectorsRequest*,
                             v1::ListSelectorsResponse* response) override {
    return List(selectors, response->mutable_selectors());
  }
  grpc::Status DeleteSelector(Context, const v1::DeleteSelectorRequest* request,
                              v1::DeleteSelectorResponse*) override {
    return Make("DeleteSelector " + request->name(), false,
                [&] { selectors.erase(request->name()); });
  }

  grpc::Status SetTailoring(Context, const v1::SetTailoringRequest* request,
                            v1::Tailoring* response) override {
    if (auto status = CheckHosts(request->tailoring().selector()); !status.ok()) return status;
    return Put("SetTailoring", request->tailoring(), request->validate_only(), tailorings,
               response);
  }
  grpc::Status ListTailorings(Context, const v1::ListTailoringsRequest*,
                              v1::ListTailoringsResponse* response) override {
    return List(tailorings, response->mutable_tailorings());
  }
  grpc::Status DeleteTailoring(Context, const v1::DeleteTailoringRequest* request,
                               v1::DeleteTailoringResponse*) override {
    return Make("DeleteTailoring " + request->name(), false,
                [&] { tailorings.erase(request->name()); });
  }

  // Ids of schedules and channels are their names.
  grpc::Status CreateSchedule(Context, const v1::CreateScheduleRequest* request,
                              v1::Schedule* response) override {
    if (auto status = CheckHosts(request->schedule().selector()); !status.ok()) return status;
    v1::Schedule schedule = request->schedule();
    schedule.set_id(schedule.name());
    return Put("CreateSchedule", schedule, request->validate_only(), schedules, response);
  }
  grpc::Status UpdateSchedule(Context, const v1::UpdateScheduleRequest* request,
                              v1::Schedule* response) override {
    if (auto status = CheckHosts(request->schedule().selector()); !status.ok()) return status;
    return Put("UpdateSchedule", request->schedule(), request->validate_only(), schedules,
               response);
  }
  grpc::Status ListSchedules(Context, const v1::ListSchedulesRequest*,
                             v1::ListSchedulesResponse* response) override {
    return List(schedules, response->mutable_schedules());
  }
  grpc::Status DeleteSchedule(Context, const v1::DeleteScheduleRequest* request,
                              v1::DeleteScheduleResponse*) override {
    return Make("DeleteSchedule " + request->schedule(), false,
                [&] { schedules.erase(request->schedule()); });
  }

  grpc::Status CreateNotificationChannel(Context,
                                         const v1::CreateNotificationChannelRequest* request,
                                         v1::NotificationChannel* response) override {
    v1::NotificationChannel channel = request->channel();
    channel.set_id(channel.name());
    return Put("CreateNotificationChannel", channel, request->validate_only(), channels, response);
  }
  grpc::Status UpdateNotificationChannel(Context,
                                         const v1::UpdateNotificationChannelRequest* request,
                                         v1::NotificationChannel* response) override {
    return Put("UpdateNotificationChannel", request->channel(), request->validate_only(), channels,
               response);
  }
  grpc::Status GetNotificationChannel(Context, const v1::GetNotificationChannelRequest* request,
                                      v1::NotificationChannel* response) override {
    const auto found = channels.find(request->channel());
    if (found == channels.end()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no channel");
    *response = found->second;
    return grpc::Status::OK;
  }
  grpc::Status ListNotificationChannels(Context, const v1::ListNotificationChannelsRequest*,
                                        v1::ListNotificationChannelsResponse* response) override {
    return List(channels, response->mutable_channels());
  }
  grpc::Status DeleteNotificationChannel(Context,
                                         const v1::DeleteNotificationChannelRequest* request,
                                         v1::DeleteNotificationChannelResponse*) override {
    return Make("DeleteNotificationChannel " + request->channel(), false,
                [&] { channels.erase(request->channel()); });
  }

  grpc::Status CreateWaiver(Context, const v1::CreateWaiverRequest* request,
                            v1::Waiver* response) override {
    if (auto status = CheckHosts(request->waiver().selector()); !status.ok()) return status;
    *response = request->waiver();
    return Make("CreateWaiver " + request->waiver().name(), request->validate_only(), [&] {
      response->set_id(absl::StrCat("w-", waivers.size() + 1));
      response->set_state(v1::Waiver::PROPOSED);
      response->mutable_propose_time()->set_seconds(1800000000 + waivers.size());
      waivers.push_back(*response);
    });
  }
  grpc::Status RenewWaiver(Context, const v1::RenewWaiverRequest* request,
                           v1::Waiver* response) override {
    return Make("RenewWaiver " + request->waiver(), false, [&] {
      for (v1::Waiver& waiver : waivers) {
        if (waiver.id() == request->waiver())
          *waiver.mutable_expire_time() = request->expire_time();
      }
    });
  }
  grpc::Status RevokeWaiver(Context, const v1::DecideWaiverRequest* request,
                            v1::Waiver* response) override {
    return Make("RevokeWaiver " + request->waiver(), false, [&] {
      for (v1::Waiver& waiver : waivers) {
        if (waiver.id() == request->waiver()) waiver.set_state(v1::Waiver::REVOKED);
      }
    });
  }
  grpc::Status ListWaivers(Context, const v1::ListWaiversRequest* request,
                           v1::ListWaiversResponse* response) override {
    for (const v1::Waiver& waiver : waivers) {
      if (waiver.managed_by() == request->managed_by()) *response->add_waivers() = waiver;
    }
    return grpc::Status::OK;
  }

  // Labels of these hosts are all central.
  std::vector<v1::Host*> Meant(const std::map<std::string, std::string>& labels,
                               const std::string& expression) {
    std::vector<v1::Host*> meant;
    const auto selector = Parse(labels, expression);
    for (v1::Host& host : hosts) {
      const std::map<std::string, std::string> has(host.central_labels().begin(),
                                                   host.central_labels().end());
      if (selector.ok() && evaluate::Matches(*selector, has)) meant.push_back(&host);
    }
    return meant;
  }
  grpc::Status ListHosts(Context, const v1::ListHostsRequest* request,
                         v1::ListHostsResponse* response) override {
    for (const v1::Host* host :
         Meant({request->labels().begin(), request->labels().end()}, request->selector())) {
      *response->add_hosts() = *host;
    }
    return grpc::Status::OK;
  }
  grpc::Status SetHostLabels(Context, const v1::SetHostLabelsRequest* request,
                             v1::SetHostLabelsResponse* response) override {
    const v1::HostSelector& selector = request->selector();
    if (auto status = CheckHosts(selector); !status.ok()) return status;
    return Make("SetHostLabels", request->validate_only(), [&] {
      for (v1::Host* host :
           Meant({selector.labels().begin(), selector.labels().end()}, selector.expression())) {
        for (const auto& [key, value] : request->set()) {
          (*host->mutable_central_labels())[key] = value;
          (*host->mutable_label_managers())[key] = request->managed_by();
        }
        for (const std::string& key : request->remove()) {
          host->mutable_central_labels()->erase(key);
          host->mutable_label_managers()->erase(key);
        }
      }
    });
  }

  FakeServer server_;
};

}  // namespace plimsoll::cli
