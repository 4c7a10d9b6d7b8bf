#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "controller/evaluate/checks/daemon_checks.h"
#include "controller/evaluate/checks/effective_settings.h"
#include "controller/evaluate/checks/endpoints.h"
#include "controller/evaluate/checks/families.h"
#include "controller/evaluate/checks/sockets.h"
#include "controller/evaluate/checks/version_number.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::SourceOutcome;
using v1::Verdict;
using Warning = v1::EngineFacts::Warning;

constexpr char kVerified[] = "TLS with client certificates";
constexpr char kWarnings[] = "/info Warnings";

// --- Endpoints. ----------------------------------------------------------------------------------

bool WarnsOfApi(const Warning& warning) {
  return warning.code() == Warning::API_UNENCRYPTED || warning.code() == Warning::API_UNVERIFIED;
}

bool OnLoopback(absl::string_view address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]");
}

// Fails every TCP endpoint that answers clients without a certificate, by the engine's warnings and
// by what is configured. Endpoints whose protection is not known are left to the caller.
void FailUnverified(const Context& context, const Endpoints& endpoints, bool exempt_loopback,
                    Judge& judge) {
  absl::flat_hash_set<std::string> seen;
  const bool says_verified =
      endpoints.known() && endpoints.tls.on && endpoints.tls.verifies_clients.value_or(false);
  if (OutcomeOf(context.facts, Source::kEngineInfo).state() == SourceOutcome::OK) {
    for (const Warning& warning : context.facts.engine().warnings()) {
      if (!WarnsOfApi(warning)) continue;
      const std::string url = absl::StrCat("tcp://", warning.endpoint());
      if (!seen.insert(url).second) continue;
      if (exempt_loopback && OnLoopback(warning.endpoint())) {
        judge.Exempt();
        continue;
      }
      judge.Fail({.name = url, .id = url},
                 {.observed = warning.code() == Warning::API_UNENCRYPTED
                                  ? "no TLS"
                                  : "TLS without client verification",
                  .expected = kVerified,
                  .reason = says_verified ? reason::kConfiguredNotInForce : "",
                  .source = kWarnings});
    }
  }
  if (!endpoints.tls.known() || endpoints.tls.verifies_clients.value_or(true)) return;
  for (const Endpoint& endpoint : endpoints.list) {
    const std::string url = endpoint.Url();
    if (endpoint.kind != Endpoint::Kind::kTcp || !seen.insert(url).second) continue;
    if (exempt_loopback && endpoint.loopback) {
      judge.Exempt();
      continue;
    }
    judge.Fail({.name = url, .id = url},
               {.observed = endpoints.tls.on ? "TLS without client verification" : "no TLS",
                .expected = kVerified,
                .reason = endpoints.drifted() ? reason::kPendingRestart : "",
                .source = endpoint.source});
  }
}

// UNKNOWN when --tls alone is set and the engine's version, which decides, is not known.
bool UnknownVerification(const Context& context, const Endpoints& endpoints, Judge& judge) {
  if (!endpoints.HasTcp() || endpoints.tls.verifies_clients.has_value()) return false;
  if (!judge.UnknownFrom(Source::kEngineVersion,
                         OutcomeOf(context.facts, Source::kEngineVersion))) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError,
                 "whether --tls alone verifies clients depends on the engine's version, which "
                 "cannot be read");
  }
  return true;
}

// What is wrong with the owner, mode or ACL of a socket, as 3.15 and 3.16 ask.
struct SocketState {
  Verdict::Status status = Verdict::UNKNOWN;
  std::string observed;
  absl::string_view reason;
};

SocketState StateOfSocket(const Context& context, const std::string& path) {
  constexpr uint32_t kMode = 0660;
  const v1::FileFact* file = context.index.File(path);
  if (file == nullptr || file->outcome().state() != SourceOutcome::OK) {
    return {Verdict::UNKNOWN, "owner and mode not read",
            file == nullptr ? reason::kNotCollected : ReasonFor(Source::kFiles, file->outcome())};
  }
  std::optional<uint32_t> docker;
  for (const v1::Group& group : context.facts.users().groups()) {
    const bool found = group.outcome().state() == SourceOutcome::OK;
    if (found && group.name() == "docker") docker = group.gid();
  }
  const std::string observed =
      absl::StrFormat("uid %d, gid %d, mode %04o", file->uid(), file->gid(), file->mode());
  if (file->uid() != 0 || (file->mode() & 07777 & ~kMode) != 0)
    return {Verdict::FAIL, observed, {}};
  const bool groups_read = context.facts.users().outcome().state() == SourceOutcome::OK;
  if (file->gid() != 0 && file->gid() != docker.value_or(0)) {
    if (!groups_read) {
      return {Verdict::UNKNOWN, observed,
              ReasonFor(Source::kUsers, context.facts.users().outcome())};
    }
    return {Verdict::FAIL, observed, {}};
  }
  const std::vector<uint32_t> groups = {0, docker.value_or(0)};
  if (WriterBeside(*file, groups) != nullptr) return {Verdict::FAIL, observed, kAclGrantsWrite};
  return {Verdict::PASS, observed, {}};
}

// Judges a socket beside the default one. Returns true when it is well guarded, and says nothing.
bool ExtraSocketGuarded(const Context& context, const Endpoint& endpoint, Judge& judge) {
  const std::string url = endpoint.Url();
  const SocketState state = StateOfSocket(context, endpoint.address);
  const Evidence evidence{.observed = state.observed,
                          .expected = "root, the docker group, 0660 or stricter",
                          .reason = state.reason,
                          .source = endpoint.address};
  if (state.status == Verdict::FAIL) judge.Fail({.name = url, .id = url}, evidence);
  if (state.status == Verdict::UNKNOWN) judge.Unknown({.name = url, .id = url}, evidence);
  return state.status == Verdict::PASS;
}

void NoteListeners(const Context& context, const Endpoints& endpoints, Judge& judge) {
  for (const std::string& address : UnexplainedListeners(context, endpoints)) {
    judge.Note("unexplained_listener",
               absl::StrCat("the daemon listens on ", address,
                            ", which no endpoint, swarm port or published port explains"));
  }
}

void DriftedEndpoints(const Endpoints& endpoints, Judge& judge) {
  judge.Unknown(DaemonObject(), {.observed = "daemon.json is newer than the daemon",
                                 .expected = kVerified,
                                 .reason = reason::kConfigNewerThanProcess,
                                 .source = endpoints.hosts.file_path});
}

void CheckTlsClientAuthentication(const Context& context, const Check& check, Judge& judge) {
  const v1::TlsClientAuthenticationArgs& args = check.tls_client_authentication();
  const Endpoints endpoints = FindEndpoints(context);
  FailUnverified(context, endpoints, args.exempt_loopback(), judge);
  for (const Endpoint& endpoint : endpoints.list) {
    if (endpoint.kind == Endpoint::Kind::kUnix && !endpoint.is_default_socket) {
      ExtraSocketGuarded(context, endpoint, judge);
    }
  }
  NoteListeners(context, endpoints, judge);
  NoteSetting(endpoints.hosts, judge);
  if (judge.Failed()) return;
  if (judge.UnknownFrom(Source::kEngineInfo, OutcomeOf(context.facts, Source::kEngineInfo)) ||
      UnknownUnlessKnown(endpoints, judge) || UnknownVerification(context, endpoints, judge)) {
    return;
  }
  // Since 18.09 the engine itself warns of what is in force.
  const bool mirrored = VersionAtLeast(context.facts.engine().version(), 18, 9).value_or(false);
  if (endpoints.drifted() && !mirrored) {
    DriftedEndpoints(endpoints, judge);
    return;
  }
  if (!endpoints.HasTcp()) {
    if (args.no_tcp() == "not_applicable") {
      judge.Decide(Verdict::NOT_APPLICABLE, reason::kNoObjects, "the daemon has no TCP endpoint");
    }
    const std::string source = SourceText(endpoints.hosts);
    judge.Pass(DaemonObject(),
               {.observed = "no TCP endpoint", .expected = kVerified, .source = source});
    return;
  }
  for (const Endpoint& endpoint : endpoints.list) {
    if (endpoint.kind != Endpoint::Kind::kTcp) continue;
    const std::string url = endpoint.Url();
    const bool verified = endpoints.tls.verifies_clients.value_or(false);
    judge.Pass({.name = url, .id = url}, {.observed = verified ? kVerified : "exempt: loopback",
                                          .expected = kVerified,
                                          .source = endpoint.source});
  }
}

void CheckDaemonEndpoints(const Context& context, const Check& check, Judge& judge) {
  static constexpr char kExpected[] = "the default socket only";
  const StringField& accepted = check.daemon_endpoints().accepted_endpoints();
  const Endpoints endpoints = FindEndpoints(context);
  FailUnverified(context, endpoints, false, judge);
  const bool unknown =
      UnknownUnlessKnown(endpoints, judge) || UnknownVerification(context, endpoints, judge) ||
      judge.UnknownFrom(Source::kEngineInfo, OutcomeOf(context.facts, Source::kEngineInfo));
  const bool verified = endpoints.tls.known() && endpoints.tls.verifies_clients.value_or(false);
  bool others = false;
  for (const Endpoint& endpoint : endpoints.list) {
    if (endpoint.is_default_socket) continue;
    others = true;
    if (endpoint.kind == Endpoint::Kind::kTcp && !verified) continue;
    if (endpoint.kind == Endpoint::Kind::kUnix && !ExtraSocketGuarded(context, endpoint, judge)) {
      continue;
    }
    const std::string url = endpoint.Url();
    const Evidence evidence{
        .observed = "guarded", .expected = kExpected, .source = endpoint.source};
    if (Contains(accepted, url)) {
      judge.Pass({.name = url, .id = url}, evidence);
    } else {
      judge.Manual({.name = url, .id = url}, evidence);
    }
  }
  NoteListeners(context, endpoints, judge);
  NoteSetting(endpoints.hosts, judge);
  if (judge.Failed() || unknown) return;
  if (endpoints.drifted()) {
    DriftedEndpoints(endpoints, judge);
  } else if (!others) {
    const std::string source = SourceText(endpoints.hosts);
    judge.Pass(DaemonObject(), {.observed = kExpected, .expected = kExpected, .source = source});
  }
}

// --- Authorization.
// --------------------------------------------------------------------------------

void JudgePlugins(const v1::AuthorizationPluginArgs& args, const std::vector<std::string>& plugins,
                  absl::string_view source, absl::string_view fail_reason, Judge& judge) {
  bool all_allowed = true;
  for (const std::string& plugin : plugins) {
    all_allowed &= args.allowed().empty() || Contains(args.allowed(), plugin);
  }
  const std::string expected =
      args.allowed().empty()
          ? "an authorization plugin"
          : absl::StrCat("no plugin but ",
                         ShortList({args.allowed().begin(), args.allowed().end()}));
  const std::string observed = plugins.empty() ? "no authorization plugin" : ShortList(plugins);
  Evidence evidence{.observed = observed, .expected = expected, .source = source};
  if (plugins.empty() || !all_allowed) {
    if (plugins.empty()) evidence.reason = fail_reason;
    judge.Fail(DaemonObject(), evidence);
    return;
  }
  judge.Pass(DaemonObject(), evidence);
  judge.Note("policy_not_judged", "a plugin is there; what its policy allows is not seen");
}

void CheckAuthorizationPlugin(const Context& context, const Check& check, Judge& judge) {
  const v1::AuthorizationPluginArgs& args = check.authorization_plugin();
  if (args.only_with_tcp()) {
    const Endpoints endpoints = FindEndpoints(context);
    if (UnknownUnlessKnown(endpoints, judge)) return;
    if (!endpoints.HasTcp()) {
      if (endpoints.drifted()) {
        DriftedEndpoints(endpoints, judge);
      } else {
        judge.Decide(Verdict::NOT_APPLICABLE, reason::kNoObjects, "the daemon has no TCP endpoint");
      }
      return;
    }
  }
  const auto configured = Configured(context, setting::kAuthorizationPlugins, nullptr);
  const bool written = configured.value != nullptr && !configured.value->values().empty();
  const SourceOutcome& info = OutcomeOf(context.facts, Source::kEngineInfo);
  if (info.state() == SourceOutcome::OK) {
    const StringField& plugins = context.facts.engine().authorization_plugins();
    JudgePlugins(args, {plugins.begin(), plugins.end()}, "/info Plugins.Authorization",
                 ReasonNotInForce(configured, written), judge);
    NoteSetting(configured, judge);
    return;
  }
  // A plugin may refuse the collector's own calls; then the command line alone shows it.
  const bool by_flag = configured.known() && configured.origin == Origin::kCommandLine && written;
  if (info.state() == SourceOutcome::PERMISSION_DENIED && by_flag) {
    const StringField& plugins = configured.value->values();
    JudgePlugins(args, {plugins.begin(), plugins.end()}, SourceText(configured), {}, judge);
    judge.Note(reason::kEngineDenied,
               "the engine refused /info, perhaps by this plugin; judged by the command line");
    return;
  }
  judge.UnknownFrom(Source::kEngineInfo, info);
}

// --- The docker group.
// -----------------------------------------------------------------------------

// Absent: neither the engine nor its process could be asked.
std::optional<bool> RunsRootless(const Context& context) {
  if (OutcomeOf(context.facts, Source::kEngineInfo).state() == SourceOutcome::OK) {
    return context.index.SecurityOption("rootless") != nullptr;
  }
  const v1::DaemonFacts& daemon = context.facts.daemon();
  if (daemon.outcome().state() != SourceOutcome::OK) return std::nullopt;
  return daemon.uid() != 0 || !daemon.user_namespace_is_initial();
}

void JudgeMember(const v1::GroupMembersArgs& args, const std::string& group,
                 const std::string& user, bool primary, Judge& judge) {
  if (user == "root") return;
  const std::string object = absl::StrCat(user, " in ", group);
  const std::string observed = absl::StrCat("member of ", group, primary ? " as own group" : "");
  const Evidence evidence{
      .observed = observed, .expected = "trusted users only", .source = "name service"};
  if (Contains(args.trusted_users(), user)) {
    judge.Pass();
  } else if (args.trusted_users().empty()) {
    judge.Manual({.name = object, .id = object}, evidence);
  } else {
    judge.Fail({.name = object, .id = object}, evidence);
  }
}

void CheckGroupMembers(const Context& context, const Check& check, Judge& judge) {
  const std::optional<bool> rootless = RunsRootless(context);
  if (!rootless.has_value()) {
    judge.UnknownFrom(Source::kEngineInfo, OutcomeOf(context.facts, Source::kEngineInfo));
    return;
  }
  if (*rootless) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kRootless,
                 "a rootless engine's socket belongs to its user, not to a group");
    return;
  }
  std::vector<std::string> judged;
  for (const v1::Group& group : context.facts.users().groups()) {
    if (!group.owns_socket() && group.name() != "docker") continue;
    const SourceOutcome::State state = group.outcome().state();
    const std::string name =
        group.name().empty() ? absl::StrCat("gid ", group.gid()) : group.name();
    if (state == SourceOutcome::NOT_PRESENT) continue;
    if (state != SourceOutcome::OK) {
      judge.Unknown({.name = name, .id = name},
                    {.observed = "members not read",
                     .expected = "trusted users only",
                     .reason = ReasonFor(Source::kUsers, group.outcome())});
      continue;
    }
    judged.push_back(name);
    std::string last;
    for (const auto& member : group.members()) {
      if (member.user() == last) continue;
      last = member.user();
      JudgeMember(check.group_members(), name, last, member.via() == v1::Group::Member::PRIMARY,
                  judge);
    }
  }
  const std::string observed =
      judged.empty() ? "no group shares the socket" : absl::StrCat("judged: ", ShortList(judged));
  judge.Pass({.name = "docker group", .id = ""},
             {.observed = observed, .expected = "trusted users only", .source = "name service"});
}

void PlanEndpoints(const Check&, v1::CollectionPlan& plan) {
  plan.add_units("docker.service");
  plan.add_units("docker.socket");
}

constexpr CheckEntry kChecks[] = {
    {Check::kTlsClientAuthentication, {}, CheckTlsClientAuthentication, PlanEndpoints},
    {Check::kDaemonEndpoints, {}, CheckDaemonEndpoints, PlanEndpoints},
    {Check::kAuthorizationPlugin, {}, CheckAuthorizationPlugin, PlanEndpoints},
    {Check::kGroupMembers, {Source::kUsers}, CheckGroupMembers},
};

}  // namespace

absl::Span<const CheckEntry> AccessChecks() { return kChecks; }

}  // namespace plimsoll::evaluate
