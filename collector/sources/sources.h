// Table of contents: every fact source of the collector, one file each.
//
// Each function reads its source, fills its section and records the outcome in it; it never fails
// as a whole and never stops another. All are blocking, thread-compatible, and borrow `env` for the
// call only.
#pragma once

#include "absl/time/time.h"
#include "collector/host/host_env.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::sources {

// engine.cc: GET /version (unversioned, which settles the API version for all others) and GET
// /info, once a collection. `api_prefix` receives "/v1.41" or so; empty when no engine answered.
// `info` also feeds swarm (its /info part).
struct EngineReply {
  v1::EngineFacts engine;
  v1::SwarmFacts swarm_from_info;
  std::string api_prefix;
};
EngineReply CollectEngine(host::HostEnv& env, const std::string& socket_path);

// daemon.cc: the process behind the socket (rules.md S1), its command line, daemon.json,
// environment. `units` gives MainPID where the socket's peer is PID 1.
v1::DaemonFacts CollectDaemon(host::HostEnv& env, const v1::EngineFacts& engine,
                              const v1::UnitsFacts& units);

// machine.cc: uname, os-release, LSMs, bridge filtering, namespaces of the engine's process.
v1::MachineFacts CollectMachine(host::HostEnv& env, const v1::DaemonFacts& daemon);

// units.cc: the plan's units over D-Bus, else by systemd's search path (S5).
v1::UnitsFacts CollectUnits(host::HostEnv& env, const v1::CollectionPlan& plan);

// files.cc: owner, mode, type, ACL of the plan's paths and of those the configuration names (units,
// TLS files, sockets, executables, daemon.json), in the daemon's mount namespace; registry
// certificates.
v1::FilesFacts CollectFiles(host::HostEnv& env, const v1::CollectionPlan& plan,
                            const v1::EngineFacts& engine, const v1::DaemonFacts& daemon,
                            const v1::UnitsFacts& units);

// audit.cc: kernel status and rules over netlink, persisted rules, auditd.conf (S3).
v1::AuditFacts CollectAudit(host::HostEnv& env);

// mounts.cc: mounts that hold the data root and the audit log, from /proc/<dockerd>/mountinfo.
v1::MountsFacts CollectMounts(host::HostEnv& env, const v1::EngineFacts& engine,
                              const v1::DaemonFacts& daemon, const v1::AuditFacts& audit);

// users.cc: members of the groups that own the engine's sockets.
v1::UsersFacts CollectUsers(host::HostEnv& env, const v1::DaemonFacts& daemon,
                            const v1::FilesFacts& files, const v1::UnitsFacts& units);

// volumes.cc: GET /volumes.
v1::VolumesFacts CollectVolumes(host::HostEnv& env, const std::string& api_prefix);

// containers.cc: GET /containers/json?all=1 and one inspect each, concurrently; mounts resolved on
// the host; /proc of their first processes; config.v2.json's one boolean.
v1::ContainersFacts CollectContainers(host::HostEnv& env, const std::string& api_prefix,
                                      const v1::CollectionPlan& plan, const v1::EngineFacts& engine,
                                      const v1::DaemonFacts& daemon,
                                      const v1::VolumesFacts& volumes);

// images.cc: GET /images/json and one inspect each, concurrently.
v1::ImagesFacts CollectImages(host::HostEnv& env, const std::string& api_prefix);

// networks.cc: GET /networks, and an inspect of the default bridge.
v1::NetworksFacts CollectNetworks(host::HostEnv& env, const std::string& api_prefix);

// swarm.cc: completes `from_info` with /services on managers and docker-state.json.
v1::SwarmFacts CollectSwarm(host::HostEnv& env, const std::string& api_prefix,
                            v1::SwarmFacts from_info, const v1::EngineFacts& engine,
                            const v1::DaemonFacts& daemon);

// listeners.cc: TCP sockets this dockerd holds, and its docker-proxy children.
v1::ListenersFacts CollectListeners(host::HostEnv& env, const v1::DaemonFacts& daemon);

// collect_all.cc: everything above, in the order their inputs need, into one HostFacts with
// observed_time set. `labels` are the collector's own.
v1::HostFacts CollectAll(host::HostEnv& env, const v1::CollectionPlan& plan,
                         const std::string& socket_path,
                         const std::map<std::string, std::string>& labels);

}  // namespace plimsoll::sources
