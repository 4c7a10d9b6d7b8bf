// Namespaces that containers share with the host (rules.md S7).
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/families.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;
using v1::NamespaceInodes;
using v1::SourceOutcome;
using Args = v1::ContainerNamespaceArgs;

constexpr absl::string_view kJoin = "container:";
constexpr int kMaximumJoins = 16;

// One kind of namespace: what it is called and where its mode and its inode are found.
struct Kind {
  const char* name;
  const char* source;
  const std::string& (Container::*mode)() const;
  bool (NamespaceInodes::*has)() const;
  uint64_t (NamespaceInodes::*inode)() const;
};
constexpr Kind kNetwork{"network", "inspect HostConfig.NetworkMode", &Container::network_mode,
                        &NamespaceInodes::has_net, &NamespaceInodes::net};
constexpr Kind kPid{"PID", "inspect HostConfig.PidMode", &Container::pid_mode,
                    &NamespaceInodes::has_pid, &NamespaceInodes::pid};
constexpr Kind kIpc{"IPC", "inspect HostConfig.IpcMode", &Container::ipc_mode,
                    &NamespaceInodes::has_ipc, &NamespaceInodes::ipc};
constexpr Kind kUts{"UTS", "inspect HostConfig.UTSMode", &Container::uts_mode,
                    &NamespaceInodes::has_uts, &NamespaceInodes::uts};

const Kind* KindOf(Args::Namespace kind) {
  switch (kind) {
    case Args::NETWORK:
      return &kNetwork;
    case Args::PID:
      return &kPid;
    case Args::IPC:
      return &kIpc;
    case Args::UTS:
      return &kUts;
    default:
      return nullptr;
  }
}

// Where a chain of joins ends.
struct End {
  enum class Mode { kOwn, kHost, kUnresolved };
  Mode mode = Mode::kOwn;
  // kHost, after a join: the container that is in the host's namespace.
  const Container* joined = nullptr;
  // kUnresolved.
  const char* why = "";
};

End Follow(const FactIndex& index, const Kind& kind, const Container& container) {
  const Container* at = &container;
  for (int joins = 0; joins <= kMaximumJoins; ++joins) {
    const std::string& mode = (at->*kind.mode)();
    if (mode == "host") {
      return {.mode = End::Mode::kHost, .joined = at == &container ? nullptr : at};
    }
    if (!absl::StartsWith(mode, kJoin)) return {};
    at = index.Container(absl::string_view(mode).substr(kJoin.size()));
    if (at == nullptr) {
      return {.mode = End::Mode::kUnresolved, .why = "joins a container that is not listed"};
    }
    if (at->outcome().state() != SourceOutcome::OK) {
      return {.mode = End::Mode::kUnresolved, .why = "joins a container that was not inspected"};
    }
  }
  return {.mode = End::Mode::kUnresolved, .why = "joins in a circle, or too often"};
}

// nullopt: one of the two inodes was not readable.
std::optional<bool> SameInode(const Kind& kind, const NamespaceInodes& a,
                              const NamespaceInodes& b) {
  if (!(a.*kind.has)() || !(b.*kind.has)()) return std::nullopt;
  return (a.*kind.inode)() == (b.*kind.inode)();
}

Outcome JudgeNamespace(const Context& context, const Kind& kind, const Container& c) {
  const auto expected = [&] { return absl::StrCat("a ", kind.name, " namespace of its own"); };
  const End end = Follow(context.index, kind, c);
  if (end.mode == End::Mode::kHost) {
    return Fail(end.joined == nullptr
                    ? absl::StrCat(kind.name, " mode host")
                    : absl::StrCat("joins ", ObjectName(*end.joined), ", which has the host's ",
                                   kind.name, " namespace"),
                expected(), kind.source);
  }
  // The kernel has the last word. Under rootless the engine's namespaces are RootlessKit's.
  const v1::MachineFacts& machine = context.facts.machine();
  const NamespaceInodes& own = c.runtime().namespaces();
  const std::optional<bool> engine = SameInode(kind, own, machine.engine_namespaces());
  const std::optional<bool> init = SameInode(kind, own, machine.init_namespaces());
  if (engine == true || init == true) {
    const char* whose = init == true ? "the machine's" : "the engine's";
    return Fail(absl::StrCat("its process is in ", whose, " ", kind.name, " namespace"), expected(),
                "/proc/<pid>/ns");
  }
  if (end.mode == End::Mode::kOwn || engine == false) return Pass();
  return Unknown(reason::kPartialListing,
                 absl::StrCat(end.why, " (", kind.name, " mode ", (c.*kind.mode)(), ")"),
                 expected(), kind.source);
}

void JudgeNotHost(const Context& context, const v1::Check& check, Judge& judge) {
  const Args& args = check.container_namespace_not_host();
  const Kind* kind = KindOf(args.namespace_());
  if (kind == nullptr) {
    judge.Decide(v1::Verdict::UNKNOWN, reason::kParseError, "the rule names no namespace");
    return;
  }
  ForEachContainer(context, args.scope(), judge,
                   [&](const Container& c) { return JudgeNamespace(context, *kind, c); });
}

// True when some user inside is the same user outside.
bool HasIdentityMap(const Container& c) {
  for (const auto& range : c.runtime().uid_map()) {
    if (range.inside() == range.outside()) return true;
  }
  return false;
}

void JudgeUsernsNotHost(const Context& context, const v1::Check& check, Judge& judge) {
  static constexpr char kExpected[] = "no request for the host's user namespace";
  static constexpr char kSource[] = "inspect HostConfig.UsernsMode";
  const auto& args = check.container_userns_not_host();
  const SourceOutcome& info = OutcomeOf(context.facts, Source::kEngineInfo);
  if (context.index.SecurityOption("rootless") != nullptr) {
    judge.Decide(v1::Verdict::NOT_APPLICABLE, reason::kRootless,
                 "rootless: the host's user namespace is already the user's own");
    return;
  }
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    if (c.userns_mode() == "host") {
      if (info.state() == SourceOutcome::OK)
        return Fail("user namespace mode host", kExpected, kSource);
      return Unknown(ReasonFor(Source::kEngineInfo, info),
                     "user namespace mode host; whether the engine is rootless was not read",
                     kExpected, "/info SecurityOptions");
    }
    if (!args.effective()) return Pass();
    if (HasIdentityMap(c)) {
      return Fail("its users are the host's users (uid_map is the identity)",
                  "users mapped to others on the host", "/proc/<pid>/uid_map");
    }
    if (!c.runtime().uid_map().empty() || !HasProcesses(c)) return Pass();
    const SourceOutcome& runtime = c.runtime().outcome();
    return Unknown(ReasonFor(Source::kDaemon, runtime), "its uid_map could not be read",
                   "users mapped to others on the host", "/proc/<pid>/uid_map");
  });
}

}  // namespace

absl::Span<const CheckEntry> NamespaceChecks() {
  static constexpr CheckEntry kChecks[] = {
      {v1::Check::kContainerNamespaceNotHost,
       {},
       JudgeNotHost,
       PlanScopeOf<&v1::Check::container_namespace_not_host>},
      {v1::Check::kContainerUsernsNotHost,
       {},
       JudgeUsernsNotHost,
       PlanScopeOf<&v1::Check::container_userns_not_host>},
  };
  return kChecks;
}

}  // namespace plimsoll::evaluate
