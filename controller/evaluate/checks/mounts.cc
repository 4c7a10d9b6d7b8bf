// Host directories, sockets and devices inside containers (rules.md S8).
#include <algorithm>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/containers.h"
#include "controller/evaluate/checks/endpoints.h"
#include "controller/evaluate/checks/families.h"
#include "controller/evaluate/checks/paths.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::Container;
using v1::SourceOutcome;
using Mount = v1::Container::Mount;
using SensitiveArgs = v1::ContainerSensitiveMountsArgs;

constexpr char kSource[] = "inspect Mounts";
constexpr char kUnresolvedNote[] = "unresolved";

void AppendTo(std::string& list, const std::string& item) {
  absl::StrAppend(&list, list.empty() ? "" : "; ", item);
}

// What a walk over one container's mounts found.
struct Findings {
  std::string bad;
  // Mounts whose origin is not known well enough.
  std::string open;
  // Worth a note when nothing is wrong.
  std::string noted;
  bool unresolved = false;
};

Outcome Sum(Findings&& found, const char* expected, absl::string_view note_code) {
  if (!found.bad.empty()) {
    Outcome outcome = Fail(std::move(found.bad), expected, kSource);
    if (!found.unresolved) return outcome;
    return std::move(outcome).WithNote(kUnresolvedNote,
                                       "a source could not be resolved; judged by its text");
  }
  if (!found.open.empty()) {
    return Unknown(reason::kNotCollected,
                   absl::StrCat("not known where it comes from: ", found.open), expected, kSource);
  }
  if (found.noted.empty()) return Pass();
  return Pass().WithNote(note_code, std::move(found.noted));
}

// --- 5.05 ---

// A listed directory, as written and as it is.
struct Directory {
  absl::string_view written;
  absl::string_view canonical;
};
using Directories = absl::InlinedVector<Directory, 16>;

void AddDirectories(const Context& context,
                    const google::protobuf::RepeatedPtrField<std::string>& list,
                    Directories& directories) {
  for (const std::string& path : list) {
    absl::string_view written = path;
    while (written.size() > 1 && written.back() == '/') written.remove_suffix(1);
    directories.push_back({written, CanonicalPath(context.index, written)});
  }
}

// The mount shows the whole directory.
Exposes Shows(const Context& context, const Mount& mount, const MountOrigin& origin,
              const Directory& directory) {
  if (mount.type() == "bind" && mount.source() == directory.written) return Exposes::kYes;
  const Exposes canonical = MountExposes(context.index, mount, origin.path, directory.canonical);
  if (canonical != Exposes::kNo || origin.state == MountOrigin::State::kResolved) return canonical;
  return MountExposes(context.index, mount, origin.path, directory.written);
}

bool LiesBelow(const MountOrigin& origin, const Directory& directory) {
  if (directory.written == "/") return false;
  return IsBelow(origin.path, directory.canonical) ||
         (origin.state == MountOrigin::State::kUnresolved &&
          IsBelow(origin.path, directory.written));
}

void JudgeSensitiveMount(const Context& context, const SensitiveArgs& args,
                         const Directories& directories, const GlobList& exceptions,
                         const Mount& mount, Findings& found) {
  MountOrigin origin;
  FindOrigin(mount, origin);
  if (origin.state == MountOrigin::State::kUnknown) {
    AppendTo(found.open, DescribeMount(mount, origin));
    return;
  }
  if (!origin.HasPath()) return;
  bool below = false;
  bool undecided = false;
  bool shown = false;
  for (const Directory& directory : directories) {
    const Exposes exposes = Shows(context, mount, origin, directory);
    shown = shown || exposes == Exposes::kYes;
    undecided = undecided || exposes == Exposes::kUnknown;
    below = below || LiesBelow(origin, directory);
  }
  if (!shown && !below && !undecided) return;
  const bool read_only = !mount.read_write();
  const bool bad_directory = shown && !(read_only && args.accept_read_only());
  const bool excepted = !shown && below &&
                        (exceptions.Matches(std::string(origin.path)) ||
                         (mount.type() == "bind" && exceptions.Matches(mount.source())));
  const bool bad_child =
      !shown && below && !excepted && (!read_only || args.judge_read_only_children());
  if (bad_directory || bad_child) {
    AppendTo(found.bad, DescribeMount(mount, origin));
    found.unresolved |= origin.state == MountOrigin::State::kUnresolved;
  } else if (undecided && !shown && !(read_only && args.accept_read_only())) {
    AppendTo(found.open, DescribeMount(mount, origin));
  } else if (!excepted) {
    AppendTo(found.noted, DescribeMount(mount, origin));
  }
}

void JudgeSensitiveMounts(const Context& context, const Check& check, Judge& judge) {
  const SensitiveArgs& args = check.container_sensitive_mounts();
  Directories directories;
  AddDirectories(context, args.directories(), directories);
  AddDirectories(context, args.extra(), directories);
  const GlobList exceptions(args.file_exceptions(), context.as_of);
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    if (c.mounts().empty()) return Pass();
    Findings found;
    for (const Mount& mount : c.mounts()) {
      JudgeSensitiveMount(context, args, directories, exceptions, mount, found);
    }
    return Sum(std::move(found), "no sensitive host directory", "read_only_mount");
  });
}

void PlanSensitiveMounts(const Check& check, v1::CollectionPlan& plan) {
  const SensitiveArgs& args = check.container_sensitive_mounts();
  PlanScope(args.scope(), plan);
  plan.mutable_paths()->MergeFrom(args.directories());
  plan.mutable_paths()->MergeFrom(args.extra());
}

// --- 5.19 ---

bool ReachesHost(const std::string& propagation) {
  return propagation == "shared" || propagation == "rshared";
}

void JudgePropagation(const Context& context, const Check& check, Judge& judge) {
  const auto& args = check.container_mount_propagation();
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    Findings found;
    for (const Mount& mount : c.mounts()) {
      const bool by_volume = std::any_of(mount.volume_propagation().begin(),
                                         mount.volume_propagation().end(), ReachesHost);
      if (!ReachesHost(mount.propagation()) && !by_volume &&
          mount.resolution() != Mount::OPTIONS_UNREADABLE) {
        continue;
      }
      MountOrigin origin;
      FindOrigin(mount, origin);
      if (ReachesHost(mount.propagation())) {
        AppendTo(found.bad, absl::StrCat(DescribeMount(mount, origin), " ", mount.propagation()));
      } else if (by_volume) {
        AppendTo(found.bad, absl::StrCat(DescribeMount(mount, origin), " shared by its volume"));
      } else {
        AppendTo(found.open, DescribeMount(mount, origin));
      }
    }
    return Sum(std::move(found), "no propagation shared or rshared", {});
  });
}

// --- 5.31 ---

// Sockets that give control of the engine, as canonical paths.
struct Sockets {
  absl::InlinedVector<std::string, 4> paths;
  // Null: these are all. Else why further endpoints may exist.
  const SourceOutcome* unread = nullptr;
  Source unread_source = Source::kDaemon;
};

void AddSocket(const Context& context, absl::string_view path, Sockets& sockets) {
  if (path.empty() || path.front() != '/') return;
  const absl::string_view canonical = CanonicalPath(context.index, path);
  std::string clean = CleanPath(canonical);
  if (IsWithin(clean, "/var/run")) clean.erase(0, 4);
  if (std::find(sockets.paths.begin(), sockets.paths.end(), clean) == sockets.paths.end()) {
    sockets.paths.push_back(std::move(clean));
  }
}

constexpr absl::string_view kContainerdSockets[] = {"/run/containerd/containerd.sock",
                                                    "/run/docker/containerd/containerd.sock",
                                                    "/run/cri-dockerd.sock"};

Sockets FindSockets(const Context& context, bool include_containerd) {
  Sockets sockets;
  AddSocket(context, context.facts.engine().socket_path(), sockets);
  const Endpoints endpoints = FindEndpoints(context);
  for (const Endpoint& endpoint : endpoints.list) {
    if (endpoint.kind == Endpoint::Kind::kUnix) AddSocket(context, endpoint.address, sockets);
  }
  if (!endpoints.hosts.known()) {
    sockets.unread = endpoints.hosts.unread;
    sockets.unread_source = endpoints.hosts.unread_source;
  } else if (endpoints.fd_unread != nullptr) {
    sockets.unread = endpoints.fd_unread;
    sockets.unread_source = endpoints.fd_source;
  }
  // Where the engine listens unless told otherwise; rootless engines listen elsewhere.
  if (context.index.SecurityOption("rootless") == nullptr)
    AddSocket(context, "/run/docker.sock", sockets);
  if (include_containerd) {
    for (const absl::string_view path : kContainerdSockets) AddSocket(context, path, sockets);
  }
  return sockets;
}

void JudgeSocketMount(const Context& context, const Sockets& sockets, const Mount& mount,
                      Findings& found, bool& unread) {
  MountOrigin origin;
  FindOrigin(mount, origin);
  if (origin.state == MountOrigin::State::kNone) return;
  Exposes worst = origin.HasPath() ? Exposes::kNo : Exposes::kUnknown;
  for (const std::string& socket : sockets.paths) {
    if (!origin.HasPath()) break;
    const Exposes exposes = MountExposes(context.index, mount, origin.path, socket);
    if (exposes == Exposes::kYes || worst == Exposes::kNo) worst = exposes;
    if (worst == Exposes::kYes) break;
  }
  if (worst == Exposes::kYes) {
    AppendTo(found.bad, DescribeMount(mount, origin));
    found.unresolved |= origin.state == MountOrigin::State::kUnresolved;
  } else if (worst == Exposes::kUnknown) {
    AppendTo(found.open, DescribeMount(mount, origin));
  } else if (sockets.unread != nullptr && mount.source_type() != Mount::REGULAR &&
             (mount.type() == "bind" || mount.resolution() == Mount::VOLUME_BIND)) {
    unread = true;
  }
}

void JudgeEngineSocket(const Context& context, const Check& check, Judge& judge) {
  static constexpr char kExpected[] = "no socket of the engine, nor a directory that holds one";
  const auto& args = check.container_engine_socket_not_mounted();
  const Sockets sockets = FindSockets(context, args.include_containerd());
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    if (c.mounts().empty()) return Pass();
    Findings found;
    bool unread = false;
    for (const Mount& mount : c.mounts()) {
      JudgeSocketMount(context, sockets, mount, found, unread);
    }
    if (unread && found.bad.empty() && found.open.empty()) {
      return Unknown(ReasonFor(sockets.unread_source, *sockets.unread),
                     "mounts host paths, and not all sockets of the engine are known", kExpected,
                     kSource);
    }
    return Sum(std::move(found), kExpected, {});
  });
}

}  // namespace

absl::Span<const CheckEntry> MountChecks() {
  static constexpr CheckEntry kChecks[] = {
      {Check::kContainerSensitiveMounts, {}, JudgeSensitiveMounts, PlanSensitiveMounts},
      {Check::kContainerMountPropagation,
       {},
       JudgePropagation,
       PlanScopeOf<&Check::container_mount_propagation>},
      {Check::kContainerEngineSocketNotMounted,
       {},
       JudgeEngineSocket,
       PlanScopeOf<&Check::container_engine_socket_not_mounted>},
      {Check::kContainerDevices, {}, JudgeDevices, PlanScopeOf<&Check::container_devices>},
  };
  return kChecks;
}

}  // namespace plimsoll::evaluate
