#include "tests/controller/evaluate/knock_out_uses.h"

namespace plimsoll::evaluate {

const Uses& AlsoUses() {
  using enum Source;
  static const auto* const table = new Uses{
      {"audit_log_rotation", {kAudit}},
      {"audit_watch",
       {kEngineVersion, kEngineInfo, kDaemon, kCommandLine, kConfigFile, kUnits, kAudit, kMounts}},
      {"authorization_plugin", {kEngineVersion, kEngineInfo}},
      {"certificates_guarded", {kDaemon, kCommandLine, kConfigFile}},
      {"container_apparmor_not_disabled", {kEngineVersion, kEngineInfo, kMachine, kContainers}},
      {"container_capabilities", {kContainers}},
      {"container_cgroup_parent", {kEngineVersion, kEngineInfo, kContainers}},
      {"container_devices", {kContainers}},
      {"container_engine_socket_not_mounted", {kDaemon, kCommandLine, kContainers}},
      {"container_healthcheck", {kContainers}},
      {"container_memory_limited", {kContainers}},
      {"container_mount_propagation", {kContainers}},
      {"container_namespace_not_host", {kContainers}},
      {"container_no_new_privileges", {kDaemon, kCommandLine, kConfigFile, kContainers}},
      {"container_not_privileged", {kContainers}},
      {"container_pids_limited", {kContainers}},
      {"container_ports_bound", {kContainers, kSwarm}},
      {"container_read_only_root", {kContainers}},
      {"container_restart_limited", {kContainers}},
      {"container_sensitive_mounts", {kContainers}},
      {"container_user_not_root", {kImages, kContainers}},
      {"container_userns_not_host", {kEngineVersion, kEngineInfo, kContainers}},
      {"daemon_endpoints", {kEngineVersion, kEngineInfo, kDaemon, kCommandLine, kConfigFile}},
      {"daemon_no_new_privileges", {kEngineInfo, kDaemon, kCommandLine, kConfigFile}},
      {"default_bridge_icc", {kDaemon, kCommandLine, kConfigFile, kMachine}},
      {"default_bridge_unused", {kContainers, kNetworks}},
      {"default_ulimits", {kDaemon, kCommandLine, kConfigFile, kContainers}},
      {"engine_inventory", {kContainers, kSwarm}},
      {"file_mode", {kDaemon, kCommandLine, kConfigFile, kUnits}},
      {"file_owner", {kDaemon, kCommandLine, kConfigFile, kUnits}},
      {"image_healthcheck", {kImages}},
      {"iptables", {kDaemon, kCommandLine, kConfigFile}},
      {"legacy_registry", {kDaemon, kCommandLine}},
      {"log_level", {kEngineVersion, kEngineInfo, kDaemon, kCommandLine, kConfigFile}},
      {"mac_confinement", {kEngineVersion, kEngineInfo, kMachine, kContainers}},
      {"overlay_networks_encrypted", {kNetworks, kSwarm}},
      {"remote_logging", {kDaemon, kCommandLine, kConfigFile}},
      {"socket_mode", {kDaemon, kCommandLine}},
      {"socket_owner", {kDaemon, kCommandLine, kUsers}},
      {"storage_base_size", {kEngineVersion, kEngineInfo, kDaemon, kCommandLine, kConfigFile}},
      {"tls_client_authentication",
       {kEngineVersion, kEngineInfo, kDaemon, kCommandLine, kConfigFile}},
      {"userland_proxy", {kDaemon, kCommandLine, kConfigFile, kListeners}},
  };
  return *table;
}

// They pass by other evidence: every container has limits of its own, the client is audited as
// well, the inventory says what it has.
const Uses& PassesWithout() {
  using enum Source;
  static const auto* const table = new Uses{
      {"audit_watch", {kDaemon}},
      {"default_ulimits", {kDaemon, kCommandLine, kConfigFile}},
      {"engine_inventory", {kContainers, kSwarm}},
  };
  return *table;
}

}  // namespace plimsoll::evaluate
