// Networks (rules.md 5.29, 7.04).
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/families.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;
using v1::Network;
using v1::SourceOutcome;
using v1::Verdict;

constexpr char kInspect[] = "/networks/{id} Containers";
constexpr char kSettings[] = "inspect NetworkSettings.Networks";
constexpr char kNotOnBridge[] = "no attachment to the default bridge network";

Outcome OnBridge(const Network& bridge, const char* source) {
  return Fail(absl::StrCat("attached to the default bridge network ", bridge.name()), kNotOnBridge,
              source);
}

// By the container's own settings, which also tell of those that do not run.
bool NamesNetwork(const Container& container, const Network& bridge) {
  for (const auto& attachment : container.networks()) {
    if (attachment.id().empty() ? attachment.name() == bridge.name()
                                : attachment.id() == bridge.id()) {
      return true;
    }
  }
  return false;
}

// True when the loop over containers speaks for this one.
bool JudgedAlone(const v1::ContainersFacts& facts, const ScopeFilter& filter,
                 const Container& container) {
  const bool listed = facts.outcome().state() == SourceOutcome::OK ||
                      facts.outcome().state() == SourceOutcome::TRUNCATED;
  return listed && filter.InStates(container) && container.outcome().state() == SourceOutcome::OK;
}

// What the bridge's inspect shows as attached, and the loop over containers did not judge.
void JudgeOthers(const Context& context, const Network& bridge, const ScopeFilter& filter,
                 Judge& judge) {
  for (const std::string& id : bridge.container_ids()) {
    const Container* container = context.index.Container(id);
    if (container == nullptr) {
      const std::string name(ShortId(id));
      Report(ObjectRef{.name = name, .id = id}, OnBridge(bridge, kInspect), judge);
    } else if (!JudgedAlone(context.facts.containers(), filter, *container) &&
               !filter.Exempt(*container)) {
      Report(*container, OnBridge(bridge, kInspect), judge);
    }
  }
}

void JudgeDefaultBridgeUnused(const Context& context, const v1::Check& check, Judge& judge) {
  const auto& args = check.default_bridge_unused();
  const v1::NetworksFacts& facts = context.facts.networks();
  if (!ListingUsable(Source::kNetworks, facts.outcome(), judge)) return;
  const Network* bridge = context.index.DefaultBridge();
  if (bridge == nullptr) {
    judge.Decide(Verdict::PASS, "", "this engine has no default bridge network");
    return;
  }
  const bool inspected = !judge.UnknownFrom(Source::kNetworks, bridge->inspect_outcome());
  const auto& ids = bridge->container_ids();
  bool judged = false;
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    judged = true;
    if (inspected && std::find(ids.begin(), ids.end(), c.id()) != ids.end()) {
      return OnBridge(*bridge, kInspect);
    }
    return NamesNetwork(c, *bridge) ? OnBridge(*bridge, kSettings) : Pass();
  });
  if (inspected) JudgeOthers(context, *bridge, ScopeFilter(args.scope(), context), judge);
  if (judged) return;
  judge.Decide(Verdict::PASS, "", "nothing is attached to the default bridge network");
}

void JudgeOverlaysEncrypted(const Context& context, const v1::Check& check, Judge& judge) {
  const auto& args = check.overlay_networks_encrypted();
  const v1::NetworksFacts& facts = context.facts.networks();
  if (!ListingUsable(Source::kNetworks, facts.outcome(), judge)) return;
  const GlobList exempt(args.exempt(), context.as_of);
  bool any = false;
  for (const Network& network : facts.networks()) {
    if (network.driver() != "overlay") continue;
    any = true;
    if (network.ingress() && !args.include_ingress()) {
      judge.OutOfScope();
    } else if (!exempt.empty() &&
               (exempt.Matches(network.name()) || exempt.Matches(network.id()))) {
      judge.Exempt();
      judge.Note("exempt", network.name());
    } else if (network.encrypted()) {
      judge.Pass();
    } else {
      Report(ObjectRef{.name = network.name(), .id = network.id()},
             Fail(network.ingress() ? "the ingress network is not encrypted" : "not encrypted",
                  "network option encrypted", "/networks Options"),
             judge);
    }
  }
  if (any || facts.outcome().state() != SourceOutcome::OK) return;
  const v1::SwarmFacts& swarm = context.facts.swarm();
  const bool inactive = swarm.outcome().state() == SourceOutcome::OK &&
                        swarm.local_node_state() == v1::SwarmFacts::INACTIVE;
  judge.Decide(Verdict::NOT_APPLICABLE, inactive ? reason::kSwarmInactive : reason::kNoObjects,
               inactive ? "no swarm and no overlay network" : "no overlay network");
}

}  // namespace

absl::Span<const CheckEntry> NetworkChecks() {
  static constexpr CheckEntry kChecks[] = {
      {v1::Check::kDefaultBridgeUnused,
       {},
       JudgeDefaultBridgeUnused,
       PlanScopeOf<&v1::Check::default_bridge_unused>},
      {v1::Check::kOverlayNetworksEncrypted, {}, JudgeOverlaysEncrypted},
  };
  return kChecks;
}

}  // namespace plimsoll::evaluate
