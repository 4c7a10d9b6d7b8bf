#include <string>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/containers.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;
using v1::Service;
using v1::SourceOutcome;
using Args = v1::ContainerRestartLimitedArgs;

constexpr char kServiceId[] = "com.docker.swarm.service.id";
constexpr char kSource[] = "inspect HostConfig.RestartPolicy";
constexpr char kServiceSource[] = "/services TaskTemplate.RestartPolicy";

// What the rule asks for, worded once.
struct Demand {
  explicit Demand(const Args& rule)
      : args(rule),
        text(absl::StrCat("no restart, or on-failure with 1 to ", rule.maximum(), " attempts")) {}

  const Args& args;
  std::string text;
};

absl::string_view Expected(const Demand& demand) { return demand.text; }

// `attempts` of 0 is no limit.
Outcome JudgeOnFailure(const Demand& demand, uint64_t attempts, const char* source) {
  if (attempts == 0) return Fail("on-failure without a limit", Expected(demand), source);
  if (attempts > static_cast<uint64_t>(demand.args.maximum())) {
    return Fail(absl::StrCat("on-failure with ", attempts, " attempts"), Expected(demand), source);
  }
  return Pass();
}

Outcome JudgePolicy(const Demand& demand, const Container& c) {
  const std::string& policy = c.restart_policy();
  if (policy.empty() || policy == "no") return Pass();
  if (policy == "on-failure") {
    const int32_t attempts = c.restart_maximum_retry_count();
    return JudgeOnFailure(demand, attempts > 0 ? static_cast<uint64_t>(attempts) : 0, kSource);
  }
  if (policy == "always" || policy == "unless-stopped") {
    return demand.args.accept_always() ? Pass()
                                       : Fail(absl::string_view(policy), Expected(demand), kSource);
  }
  return Unknown(reason::kParseError, absl::StrCat("a policy that is not known: ", policy),
                 Expected(demand), kSource);
}

Outcome JudgeServicePolicy(const Demand& demand, const Service& service) {
  switch (service.restart_condition()) {
    case Service::NONE:
      return Pass();
    case Service::ON_FAILURE:
      return JudgeOnFailure(demand, service.has_max_attempts() ? service.max_attempts() : 0,
                            kServiceSource);
    default:
      return demand.args.accept_always() ? Pass()
                                         : Fail("the service restarts its tasks on any exit",
                                                Expected(demand), kServiceSource);
  }
}

// The engine leaves a task's own policy empty: the orchestrator restarts it, by the service's.
Outcome JudgeTask(const Context& context, const Demand& demand, const std::string& service_id) {
  const v1::SwarmFacts& swarm = context.facts.swarm();
  if (const Service* service = context.index.Service(service_id); service != nullptr) {
    return JudgeServicePolicy(demand, *service);
  }
  if (swarm.outcome().state() != SourceOutcome::OK) {
    return Unknown(ReasonFor(Source::kSwarm, swarm.outcome()),
                   "a swarm task; the swarm's state could not be read", Expected(demand),
                   "/info Swarm");
  }
  const SourceOutcome& services = swarm.services_outcome();
  const bool worker = !swarm.control_available() ||
                      services.state() == SourceOutcome::NOT_COLLECTED ||
                      services.state() == SourceOutcome::OK;
  return Unknown(worker ? reason::kNeedsManager : ReasonFor(Source::kSwarm, services),
                 "a swarm task, whose service only a manager shows", Expected(demand),
                 kServiceSource);
}

}  // namespace

void JudgeRestartLimited(const Context& context, const v1::Check& check, Judge& judge) {
  const Demand demand(check.container_restart_limited());
  ForEachContainer(context, demand.args.scope(), judge, [&](const Container& c) {
    if (!c.labels().empty()) {
      const auto label = c.labels().find(kServiceId);
      if (label != c.labels().end()) return JudgeTask(context, demand, label->second);
    }
    return JudgePolicy(demand, c);
  });
}

}  // namespace plimsoll::evaluate
