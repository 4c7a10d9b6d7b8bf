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

std::string Expected(const Args& args) {
  return absl::StrCat("no restart, or on-failure with 1 to ", args.maximum(), " attempts");
}

// `attempts` of 0 is no limit.
Outcome JudgeOnFailure(const Args& args, uint64_t attempts, const char* source) {
  if (attempts == 0) return Fail("on-failure without a limit", Expected(args), source);
  if (attempts > static_cast<uint64_t>(args.maximum())) {
    return Fail(absl::StrCat("on-failure with ", attempts, " attempts"), Expected(args), source);
  }
  return Pass();
}

Outcome JudgePolicy(const Args& args, const Container& c) {
  const std::string& policy = c.restart_policy();
  if (policy.empty() || policy == "no") return Pass();
  if (policy == "on-failure") {
    const int32_t attempts = c.restart_maximum_retry_count();
    return JudgeOnFailure(args, attempts > 0 ? static_cast<uint64_t>(attempts) : 0, kSource);
  }
  if (policy == "always" || policy == "unless-stopped") {
    return args.accept_always() ? Pass() : Fail(policy, Expected(args), kSource);
  }
  return Unknown(reason::kParseError, absl::StrCat("a policy that is not known: ", policy),
                 Expected(args), kSource);
}

Outcome JudgeServicePolicy(const Args& args, const Service& service) {
  switch (service.restart_condition()) {
    case Service::NONE:
      return Pass();
    case Service::ON_FAILURE:
      return JudgeOnFailure(args, service.has_max_attempts() ? service.max_attempts() : 0,
                            kServiceSource);
    default:
      return args.accept_always() ? Pass()
                                  : Fail("the service restarts its tasks on any exit",
                                         Expected(args), kServiceSource);
  }
}

// The engine leaves a task's own policy empty: the orchestrator restarts it, by the service's.
Outcome JudgeTask(const Context& context, const Args& args, const std::string& service_id) {
  const v1::SwarmFacts& swarm = context.facts.swarm();
  if (const Service* service = context.index.Service(service_id); service != nullptr) {
    return JudgeServicePolicy(args, *service);
  }
  if (swarm.outcome().state() != SourceOutcome::OK) {
    return Unknown(ReasonFor(Source::kSwarm, swarm.outcome()),
                   "a swarm task; the swarm's state could not be read", Expected(args),
                   "/info Swarm");
  }
  const SourceOutcome& services = swarm.services_outcome();
  const bool worker = !swarm.control_available() ||
                      services.state() == SourceOutcome::NOT_COLLECTED ||
                      services.state() == SourceOutcome::OK;
  return Unknown(worker ? reason::kNeedsManager : ReasonFor(Source::kSwarm, services),
                 "a swarm task, whose service only a manager shows", Expected(args),
                 kServiceSource);
}

}  // namespace

void JudgeRestartLimited(const Context& context, const v1::Check& check, Judge& judge) {
  const Args& args = check.container_restart_limited();
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    if (!c.labels().empty()) {
      const auto label = c.labels().find(kServiceId);
      if (label != c.labels().end()) return JudgeTask(context, args, label->second);
    }
    return JudgePolicy(args, c);
  });
}

}  // namespace plimsoll::evaluate
