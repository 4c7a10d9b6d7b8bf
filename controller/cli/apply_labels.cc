// Planning labels: which hosts carry which, now and by the files.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/cli/apply_plan.h"
#include "controller/cli/host_filter.h"
#include "controller/evaluate/selector.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/selector_service.pb.h"

namespace plimsoll::cli {
namespace {

using Service = v1::HostService::Stub;

// Hosts that lose the same labels, in one call.
constexpr size_t kHostsAtOnce = 1000;

std::unique_ptr<Service> Stub(Client& client) { return v1::HostService::NewStub(client.channel()); }

// Hosts that such labels can be given to.
absl::StatusOr<std::vector<v1::Host>> HostsOf(Client& client, v1::ListHostsRequest request) {
  std::vector<v1::Host> hosts;
  const auto more = ReadPages(
      0,
      [&](int size, const std::string& token) {
        request.set_page_size(size);
        request.set_page_token(token);
        return client.Call(&Service::ListHosts, Stub(client), request);
      },
      [&hosts](const v1::ListHostsResponse& page) {
        for (const v1::Host& host : page.hosts()) {
          if (host.connection() != v1::Host::REVOKED) hosts.push_back(host);
        }
      },
      [&hosts] { return static_cast<int>(hosts.size()); });
  if (!more.ok()) return more.status();
  return hosts;
}

bool IsNamed(const v1::HostSelector& selector, const v1::Host& host) {
  return selector.hosts().empty() || std::any_of(selector.hosts().begin(), selector.hosts().end(),
                                                 [&host](const std::string& name) {
                                                   return name == host.id() ||
                                                          name == host.hostname();
                                                 });
}

// The files' labels, by host and key: the object that gives it.
using Given = std::map<std::pair<std::string, std::string>, const PolicyObject*>;

const v1::SetHostLabelsRequest& SpecOf(const PolicyObject& object) {
  return static_cast<const v1::SetHostLabelsRequest&>(*object.spec);
}

std::string ManagerOf(const v1::Host& host, const std::string& key) {
  const auto found = host.label_managers().find(key);
  return found == host.label_managers().end() ? "" : found->second;
}

// What becomes of one label of one host. Empty: all is well.
std::string PlanLabel(const PlanParts& parts, const PolicyObject& object, const v1::Host& host,
                      const std::string& key, const std::string& value, Given& given,
                      PlanStep& step) {
  const auto [other, is_new] = given.try_emplace({host.id(), key}, &object);
  if (!is_new && SpecOf(*other->second).set().at(key) != value) {
    return absl::StrCat("set.", key, ": ", other->second->name, " gives ", host.hostname(),
                        " another value");
  }
  const std::string manager = ManagerOf(host, key);
  if (!manager.empty() && manager != parts.set) {
    return absl::StrCat("set.", key, ": of ", host.hostname(), " belongs to the set \"", manager,
                        "\"; take it out of one of the two");
  }
  const auto central = host.central_labels().find(key);
  const std::string field = absl::StrCat(host.hostname(), ".", key);
  if (central == host.central_labels().end()) {
    step.fields.push_back({field, "", absl::StrCat("\"", value, "\"")});
  } else if (central->second != value) {
    step.fields.push_back(
        {field, absl::StrCat("\"", central->second, "\""), absl::StrCat("\"", value, "\"")});
  } else if (manager.empty()) {
    step.fields.push_back({absl::StrCat(field, ".managedBy"), "", parts.set});
  }
  return "";
}

// A key that `request` sets so that its own selector means the hosts no more. Empty: none.
std::string UndoneKey(const PlanParts& parts, const v1::SetHostLabelsRequest& request) {
  evaluate::SavedSelectors saved;
  for (const PolicyObject* object : ObjectsOf(parts, "Selector")) {
    auto selector =
        evaluate::ParseSelector(static_cast<const v1::SavedSelector&>(*object->spec).expression());
    if (selector.ok()) saved[object->name] = *std::move(selector);
  }
  const v1::HostSelector& hosts = request.selector();
  auto selector =
      evaluate::SelectorOf({hosts.labels().begin(), hosts.labels().end()}, hosts.expression());
  // What is wrong with it, or is no file's, is the controller's to say.
  if (!selector.ok()) return "";
  evaluate::Expand(saved, *selector).IgnoreError();
  const std::map<std::string, std::string> set(request.set().begin(), request.set().end());
  for (const evaluate::Requirement& requirement : *selector) {
    const bool sets =
        set.count(requirement.key) > 0 && requirement.kind != evaluate::Requirement::Kind::kSaved;
    if (sets && !evaluate::Matches({requirement}, set)) return requirement.key;
  }
  return "";
}

absl::Status PlanOne(const PlanParts& parts, const PolicyObject& object, Given& given, Plan& plan) {
  v1::SetHostLabelsRequest request = SpecOf(object);
  request.set_managed_by(parts.set);
  const auto expression = WrittenOut(parts, object);
  if (!expression.ok()) return TakeProblem(expression.status(), object, plan);
  if (const std::string key = UndoneKey(parts, request); !key.empty()) {
    plan.problems.push_back(object.Problem(absl::StrCat(
        "selector: names \"", key, "\", which it sets; applying it again would undo it")));
    return absl::OkStatus();
  }
  v1::SetHostLabelsRequest check = request;
  check.set_validate_only(true);
  check.mutable_selector()->set_expression(*expression);
  if (auto status = parts.client.Call(&Service::SetHostLabels, Stub(parts.client), check).status();
      !status.ok()) {
    return TakeProblem(status, object, plan);
  }
  v1::ListHostsRequest list;
  *list.mutable_labels() = request.selector().labels();
  list.set_selector(*expression);
  const auto hosts = HostsOf(parts.client, list);
  if (!hosts.ok()) return hosts.status();
  PlanStep step{PlanAction::kNone, object.kind->name, object.name, &object};
  const std::map<std::string, std::string> labels(request.set().begin(), request.set().end());
  for (const v1::Host& host : *hosts) {
    if (!IsNamed(request.selector(), host)) continue;
    for (const auto& [key, value] : labels) {
      const std::string problem = PlanLabel(parts, object, host, key, value, given, step);
      if (problem.empty()) continue;
      plan.problems.push_back(object.Problem(problem));
      return absl::OkStatus();
    }
  }
  if (!step.fields.empty()) {
    step.action = PlanAction::kChange;
    step.run = [&client = parts.client, request] {
      return client.Call(&Service::SetHostLabels, Stub(client), request).status();
    };
  }
  plan.steps.push_back(std::move(step));
  return absl::OkStatus();
}

// Labels of the set that no object gives, those of the same keys in one step.
absl::Status PlanPruned(const PlanParts& parts, const Given& given, Plan& plan) {
  const auto hosts = HostsOf(parts.client, {});
  if (!hosts.ok()) return hosts.status();
  std::map<std::vector<std::string>, std::vector<const v1::Host*>> by_keys;
  for (const v1::Host& host : *hosts) {
    std::vector<std::string> keys;
    for (const auto& [key, manager] : host.label_managers()) {
      if (manager == parts.set && given.count({host.id(), key}) == 0) keys.push_back(key);
    }
    std::sort(keys.begin(), keys.end());
    if (!keys.empty()) by_keys[keys].push_back(&host);
  }
  for (const auto& [keys, losers] : by_keys) {
    for (size_t begin = 0; begin < losers.size(); begin += kHostsAtOnce) {
      PlanStep step{PlanAction::kPrune, "Labels", absl::StrJoin(keys, ",")};
      v1::SetHostLabelsRequest request;
      request.mutable_remove()->Assign(keys.begin(), keys.end());
      for (size_t i = begin; i < std::min(losers.size(), begin + kHostsAtOnce); ++i) {
        request.mutable_selector()->add_hosts(losers[i]->id());
        for (const std::string& key : keys) {
          step.fields.push_back({absl::StrCat(losers[i]->hostname(), ".", key),
                                 absl::StrCat("\"", losers[i]->central_labels().at(key), "\""),
                                 ""});
        }
      }
      step.run = [&client = parts.client, request] {
        return client.Call(&Service::SetHostLabels, Stub(client), request).status();
      };
      plan.steps.push_back(std::move(step));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PlanLabels(const PlanParts& parts, Plan& plan) {
  Given given;
  for (const PolicyObject* object : ObjectsOf(parts, "Labels")) {
    if (auto status = PlanOne(parts, *object, given, plan); !status.ok()) return status;
  }
  return parts.prune ? PlanPruned(parts, given, plan) : absl::OkStatus();
}

}  // namespace plimsoll::cli
