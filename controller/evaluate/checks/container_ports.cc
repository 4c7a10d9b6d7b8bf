#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/containers.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;
using v1::SourceOutcome;
using v1::SwarmFacts;
using Port = v1::Container::Port;

constexpr char kExpected[] = "a specific host address for each published port";
constexpr char kLive[] = "inspect NetworkSettings.Ports";
constexpr char kConfigured[] = "inspect HostConfig.PortBindings";

bool IsWildcard(absl::string_view address) {
  return address.empty() || address == "0.0.0.0" || address == "::" || address == "[::]";
}

// "80", "80/tcp": host side. A port that the engine chooses is known by its container side.
bool IsAllowed(const GlobList& allowed, uint32_t host_port, uint32_t container_port,
               absl::string_view protocol) {
  if (allowed.empty()) return false;
  const uint32_t number = host_port != 0 ? host_port : container_port;
  return allowed.Matches(absl::StrCat(number)) ||
         allowed.Matches(absl::StrCat(number, "/", protocol));
}

// What an empty host address means before a container starts.
struct DefaultBinding {
  // Set when the network could not be read.
  const SourceOutcome* unread = nullptr;
  bool wildcard = true;
};

DefaultBinding DefaultBindingOf(const Context& context, const Container& c) {
  const SourceOutcome& outcome = context.facts.networks().outcome();
  const std::string& mode = c.network_mode();
  const bool default_network = mode.empty() || mode == "default" || mode == "bridge";
  const v1::Network* network =
      default_network ? context.index.DefaultBridge() : context.index.Network(mode);
  if (network == nullptr && outcome.state() != SourceOutcome::OK) return {.unread = &outcome};
  const bool bound = network != nullptr && network->has_host_binding_ipv4();
  return {.wildcard = !bound || IsWildcard(network->host_binding_ipv4())};
}

void Append(const std::string& host_ip, uint32_t host_port, uint32_t container_port,
            absl::string_view protocol, std::string& text) {
  absl::StrAppend(&text, text.empty() ? "" : ", ",
                  host_ip.empty()   ? "any address"
                  : host_ip == "::" ? "[::]"
                                    : host_ip,
                  ":", host_port == 0 ? "random" : absl::StrCat(host_port), "->", container_port,
                  "/", protocol);
}

bool HasLivePort(const Container& c) {
  for (const Port& port : c.ports()) {
    if (port.origin() == Port::LIVE) return true;
  }
  return false;
}

// What is in force now.
Outcome JudgeLive(const GlobList& allowed, const Container& c) {
  std::string open;
  for (const Port& port : c.ports()) {
    if (port.origin() != Port::LIVE || !IsWildcard(port.host_ip())) continue;
    if (IsAllowed(allowed, port.host_port(), port.container_port(), port.protocol())) continue;
    Append(port.host_ip(), port.host_port(), port.container_port(), port.protocol(), open);
  }
  return open.empty() ? Pass() : Fail(std::move(open), kExpected, kLive);
}

// What the next start would do.
Outcome JudgeConfigured(const Context& context, const GlobList& allowed, const Container& c) {
  std::optional<DefaultBinding> fallback;
  const auto default_binding = [&]() -> const DefaultBinding& {
    if (!fallback.has_value()) fallback = DefaultBindingOf(context, c);
    return *fallback;
  };
  std::string open;
  bool undecided = false;
  const auto judge_port = [&](const std::string& host_ip, uint32_t host_port,
                              uint32_t container_port, absl::string_view protocol) {
    if (host_ip.empty() && default_binding().unread != nullptr) {
      undecided = true;
    } else if (host_ip.empty() ? default_binding().wildcard : IsWildcard(host_ip)) {
      Append(host_ip, host_port, container_port, protocol, open);
    }
  };
  for (const Port& port : c.ports()) {
    if (port.origin() == Port::LIVE) continue;
    if (IsAllowed(allowed, port.host_port(), port.container_port(), port.protocol())) continue;
    judge_port(port.host_ip(), port.host_port(), port.container_port(), port.protocol());
  }
  if (c.publish_all_ports() && c.exposed_only_count() > 0) {
    if (default_binding().unread != nullptr) {
      undecided = true;
    } else if (default_binding().wildcard) {
      absl::StrAppend(&open, open.empty() ? "" : ", ", "all ", c.exposed_only_count(),
                      " exposed ports");
    }
  }
  if (!open.empty()) return Fail(std::move(open), kExpected, kConfigured);
  if (!undecided) return Pass();
  return Unknown(ReasonFor(Source::kNetworks, *fallback->unread),
                 "a port names no address, and its network could not be read", kExpected,
                 "/networks");
}

// An ingress port belongs to no container and cannot be bound to an address.
void JudgeIngress(const Context& context, const v1::ContainerPortsBoundArgs& args,
                  const GlobList& allowed, Judge& judge) {
  const SwarmFacts& swarm = context.facts.swarm();
  if (judge.UnknownFrom(Source::kSwarm, swarm.outcome())) return;
  // Workers and locked managers are not told the services: nothing to judge here.
  if (!swarm.control_available()) return;
  if (!ListingUsable(Source::kSwarm, swarm.services_outcome(), judge)) return;
  const ScopeFilter filter(args.scope(), context);
  for (const v1::Service& service : swarm.services()) {
    std::string open;
    bool published = false;
    for (const auto& port : service.ports()) {
      if (port.publish_mode() == "host") continue;
      published = true;
      if (IsAllowed(allowed, port.published_port(), port.target_port(), port.protocol())) continue;
      Append("", port.published_port(), port.target_port(), port.protocol(), open);
    }
    if (!published) continue;
    if (filter.ExemptName(service.name()) || filter.ExemptName(service.id())) {
      judge.Exempt();
      judge.Note("exempt", service.name());
    } else if (open.empty()) {
      judge.Pass();
    } else {
      Report(ObjectRef{.name = absl::StrCat("service ", service.name()), .id = service.id()},
             Fail(absl::StrCat(open, " through the ingress network"),
                  "ports published in host mode on a specific address", "/services Endpoint.Ports"),
             judge);
    }
  }
}

}  // namespace

void JudgePortsBound(const Context& context, const v1::Check& check, Judge& judge) {
  const auto& args = check.container_ports_bound();
  const GlobList allowed(args.allowed_wildcard_ports(), context.as_of);
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    const std::string& mode = c.network_mode();
    // Bindings are kept in the configuration there, and discarded at the start.
    if (mode == "host" || mode == "none" || absl::StartsWith(mode, "container:")) {
      return OutOfScope();
    }
    return HasProcesses(c) || HasLivePort(c) ? JudgeLive(allowed, c)
                                             : JudgeConfigured(context, allowed, c);
  });
  if (args.judge_ingress()) JudgeIngress(context, args, allowed, judge);
}

}  // namespace plimsoll::evaluate
