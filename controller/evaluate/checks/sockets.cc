#include "controller/evaluate/checks/sockets.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/evaluate/checks/effective_settings.h"
#include "controller/evaluate/checks/endpoints.h"
#include "controller/evaluate/checks/file_targets.h"
#include "controller/evaluate/checks/permissions.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::FileFact;
using v1::SourceOutcome;
using v1::Verdict;

constexpr char kDefaultGroup[] = "docker";
constexpr char kUsualSocket[] = "/run/docker.sock";
constexpr uint32_t kWrite = 2;

// A group the engine, or systemd for it, is told to give a socket to.
struct AllowedGroup {
  // As configured; empty: none, the socket keeps the group of its maker.
  std::string name;
  // Absent: no such group, or not looked up; `looked_up` tells the two apart.
  std::optional<uint32_t> gid = std::nullopt;
  bool looked_up = true;
};

// The sockets of one engine, and what each group setting means.
struct Sockets {
  std::vector<FileTarget> targets;
  AllowedGroup group;
  AllowedGroup unit_group;
  // daemon.json, which names the sockets or their group, changed after the process started.
  bool hosts_drifted = false;
  bool group_drifted = false;
};

AllowedGroup LookUp(const Context& context, absl::string_view name) {
  AllowedGroup group{.name = std::string(name)};
  uint32_t number = 0;
  if (name == "root") {
    group.gid = 0;
  } else if (absl::SimpleAtoi(name, &number)) {
    group.gid = number;
  }
  const v1::UsersFacts& users = context.facts.users();
  const bool read = users.outcome().state() == SourceOutcome::OK;
  bool answered = false;
  for (const v1::Group& fact : users.groups()) {
    const bool same = group.gid.has_value()
                          ? fact.outcome().state() == SourceOutcome::OK && fact.gid() == *group.gid
                          : fact.name() == name;
    if (!read || !same) continue;
    if (fact.outcome().state() == SourceOutcome::OK) {
      group.gid = fact.gid();
      group.name = fact.name().empty() ? group.name : fact.name();
      answered = true;
    } else if (fact.outcome().state() == SourceOutcome::NOT_PRESENT) {
      answered = true;
    }
  }
  group.looked_up = name.empty() || group.gid.has_value() || answered;
  return group;
}

void AddSocket(const Context& context, const Endpoint& endpoint, std::vector<FileTarget>& targets) {
  FileTarget target = PathTarget(context, endpoint.address);
  target.required = true;
  for (const FileTarget& other : targets) {
    const bool same_file = other.file != nullptr && target.file != nullptr &&
                           !other.file->canonical_path().empty() &&
                           other.file->canonical_path() == target.file->canonical_path();
    if (other.path == target.path || same_file) return;
  }
  targets.push_back(std::move(target));
}

// Endpoints as targets. Says what keeps the rule from being judged; then nothing is left to judge.
Sockets FindSockets(const Context& context, Judge& judge) {
  Sockets sockets;
  if (RunsWithoutRoot(context)) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kRootless,
                 "the socket of a rootless engine belongs to its user");
    return sockets;
  }
  const Endpoints endpoints = FindEndpoints(context);
  if (UnknownUnlessKnown(endpoints.hosts, judge)) return sockets;
  if (endpoints.fd_unread != nullptr) {
    judge.UnknownFrom(Source::kUnits, *endpoints.fd_unread);
  }
  for (const Endpoint& endpoint : endpoints.list) {
    if (endpoint.kind == Endpoint::Kind::kUnix) AddSocket(context, endpoint, sockets.targets);
  }
  const auto group = Configured(context, setting::kGroup, kDefaultGroup);
  sockets.group = LookUp(context, group.value);
  if (!group.known()) sockets.group.looked_up = false;
  const v1::Unit* unit = context.index.Unit("docker.socket");
  sockets.unit_group = LookUp(context, unit == nullptr ? "" : unit->socket_group());
  sockets.hosts_drifted = endpoints.hosts.drifted;
  sockets.group_drifted = group.drifted && group.origin == Origin::kConfigFile;
  if (sockets.targets.empty() && endpoints.fd_unread == nullptr) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kNoObjects,
                 "the engine listens on no unix socket");
  }
  return sockets;
}

void NoteStaleSocket(const Context& context, const Sockets& sockets, Judge& judge) {
  const FileFact* file = context.index.File(kUsualSocket);
  if (file == nullptr) file = context.index.File("/var/run/docker.sock");
  if (file == nullptr || file->type() != FileFact::SOCKET || sockets.targets.empty()) return;
  for (const FileTarget& target : sockets.targets) {
    if (target.file == file || target.file == nullptr ||
        target.file->canonical_path() == file->canonical_path()) {
      return;
    }
  }
  judge.Note(kStaleSocket, absl::StrCat(file->path(), " exists, but the engine does not use it"));
}

// Records one comparison; `reason` belongs to a violation.
void Record(const FileTarget& target, bool drifted, bool holds, Evidence evidence, Judge& judge) {
  const ObjectRef object{.name = target.path, .id = target.path};
  evidence.source = target.file->canonical_path();
  v1::Finding* finding;
  if (!holds) {
    if (drifted && evidence.reason.empty()) evidence.reason = reason::kPendingRestart;
    finding = judge.Fail(object, evidence);
  } else if (drifted) {
    evidence.reason = reason::kConfigNewerThanProcess;
    finding = judge.Unknown(object, evidence);
  } else {
    evidence.reason = {};
    finding = judge.Pass(object, evidence);
  }
  AddNotes(target, finding);
}

// What both rules ask first. Returns whether the rule's own question is still open.
bool IsReadableSocket(const FileTarget& target, absl::string_view expected, Judge& judge) {
  if (PresenceOf(target) != Presence::kPresent) {
    RecordUnknown(target, expected, judge);
    return false;
  }
  if (target.file->type() != FileFact::SOCKET) {
    Record(target, false, false,
           {.observed = "not a socket", .expected = "a socket", .reason = kNotASocket}, judge);
    return false;
  }
  return true;
}

// FAIL or UNKNOWN because of the access list; returns whether it said something.
bool AclViolates(const FileTarget& target, const Sockets& sockets, bool accept_root_group,
                 absl::string_view expected, Judge& judge) {
  if (target.file->acl_size() == 0) return false;
  absl::InlinedVector<uint32_t, 3> groups;
  if (accept_root_group) groups.push_back(0);
  for (const AllowedGroup* group : {&sockets.group, &sockets.unit_group}) {
    if (group->gid.has_value()) groups.push_back(*group->gid);
  }
  const FileFact::AclEntry* writer = WriterBeside(*target.file, groups);
  if (writer == nullptr) return false;
  const bool group = writer->tag() == FileFact::AclEntry::GROUP;
  const std::string observed =
      absl::StrCat("an access list lets ", group ? "gid " : "uid ", writer->qualifier(), " write");
  Evidence evidence{.observed = observed, .expected = expected, .reason = kAclGrantsWrite};
  if (group && !(sockets.group.looked_up && sockets.unit_group.looked_up)) {
    evidence.reason = reason::kNotCollected;
    AddNotes(target, judge.Unknown({.name = target.path, .id = target.path}, evidence));
  } else {
    Record(target, sockets.hosts_drifted, false, evidence, judge);
  }
  return true;
}

bool IsAllowed(const AllowedGroup& group, const v1::SocketOwnerArgs& args) {
  const auto& allowed = args.allowed_groups();
  return std::find(allowed.begin(), allowed.end(), group.name) != allowed.end();
}

void JudgeOwner(const FileTarget& target, const Sockets& sockets, const v1::SocketOwnerArgs& args,
                Judge& judge) {
  const FileFact& file = *target.file;
  const std::string expected = absl::StrCat("root:", absl::StrJoin(args.allowed_groups(), " or "));
  const std::string observed = OwnerText(file);
  Evidence evidence{.observed = observed, .expected = expected};
  const bool drifted = sockets.hosts_drifted || sockets.group_drifted;
  const bool root_group = file.gid() == 0 && args.accept_root_group();
  if (file.uid() != 0) {
    Record(target, drifted, false, evidence, judge);
    return;
  }
  if (AclViolates(target, sockets, args.accept_root_group(), expected, judge)) return;
  if (root_group) {
    Record(target, sockets.hosts_drifted, true, evidence, judge);
    return;
  }
  for (const AllowedGroup* group : {&sockets.group, &sockets.unit_group}) {
    if (group->gid != file.gid()) continue;
    const bool allowed = IsAllowed(*group, args);
    if (!allowed) evidence.reason = kGroupNotAllowed;
    Record(target, drifted, allowed, evidence, judge);
    return;
  }
  if (!sockets.group.looked_up || !sockets.unit_group.looked_up) {
    evidence.reason = reason::kNotCollected;
    AddNotes(target, judge.Unknown({.name = target.path, .id = target.path}, evidence));
    return;
  }
  Record(target, drifted, false, evidence, judge);
}

}  // namespace

const FileFact::AclEntry* WriterBeside(const FileFact& file, absl::Span<const uint32_t> groups) {
  uint32_t mask = 7;
  for (const FileFact::AclEntry& entry : file.acl()) {
    if (entry.tag() == FileFact::AclEntry::MASK) mask = entry.permissions();
  }
  for (const FileFact::AclEntry& entry : file.acl()) {
    if ((entry.permissions() & mask & kWrite) == 0) continue;
    const uint32_t id = entry.qualifier();
    const bool user = entry.tag() == FileFact::AclEntry::USER && id != 0;
    const bool group = entry.tag() == FileFact::AclEntry::GROUP &&
                       std::find(groups.begin(), groups.end(), id) == groups.end();
    if (user || group) return &entry;
  }
  return nullptr;
}

void RunSocketOwner(const Context& context, const Check& check, Judge& judge) {
  const v1::SocketOwnerArgs& args = check.socket_owner();
  const Sockets sockets = FindSockets(context, judge);
  for (const FileTarget& target : sockets.targets) {
    if (IsReadableSocket(target, "root:docker", judge)) JudgeOwner(target, sockets, args, judge);
  }
  NoteStaleSocket(context, sockets, judge);
}

void RunSocketMode(const Context& context, const Check& check, Judge& judge) {
  const v1::SocketModeArgs& args = check.socket_mode();
  const auto mode = ParseMode(args.max_mode());
  if (!mode.has_value()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError, "the rule's mode is not an octal number");
    return;
  }
  const std::string expected =
      absl::StrCat(absl::StripPrefix(ModeText(*mode), "mode "), " or stricter");
  const Sockets sockets = FindSockets(context, judge);
  for (const FileTarget& target : sockets.targets) {
    if (!IsReadableSocket(target, expected, judge)) continue;
    const std::string observed = ModeText(target.file->mode());
    const bool holds = ExtraBits(*target.file, *mode) == 0;
    if (holds && AclViolates(target, sockets, args.accept_root_group(), expected, judge)) continue;
    Record(target, sockets.hosts_drifted, holds, {.observed = observed, .expected = expected},
           judge);
  }
  NoteStaleSocket(context, sockets, judge);
}

void PlanSockets(const Check&, v1::CollectionPlan& plan) {
  PlanPaths({kUsualSocket, "/var/run/docker.sock"}, plan);
  plan.add_units("docker.socket");
}

}  // namespace plimsoll::evaluate
