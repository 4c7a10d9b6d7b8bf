// Facts equal to what the recorded engines of tests/fixtures/docker-20.10/daemon said, for cases of
// rules on the daemon. Lay them over any base after clearing kSections.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace plimsoll::evaluate {

// What a recorded host replaces.
inline const std::vector<std::string> kSections = {"engine", "daemon", "containers", "networks",
                                                   "swarm",  "units",  "listeners"};

// An engine 20.10.24 by what sets it apart; the defaults are those of a stock one. Texts are
// textproto of the message named.
struct Recorded {
  std::string version = "20.10.24+dfsg1";
  std::string flags = "";  // Settings on the command line.
  std::string file = "";   // Settings in daemon.json; empty: no such file.
  std::string info = "";   // EngineFacts beyond those below.
  std::string debug = "false";
  std::string log_driver = "json-file";
  std::string storage_driver = "overlay2";
  std::string live_restore = "false";
  std::string experimental = "false";
  std::string icc = "true";  // Of the default bridge.
  std::string swarm = "INACTIVE";
  std::string containers = "";               // ContainersFacts beyond the outcome.
  std::string units = "";                    // UnitsFacts beyond the outcome.
  std::string listeners = "";                // ListenersFacts beyond the outcomes.
  std::string environment = "";              // DaemonFacts.Environment beyond the outcome.
  std::string file_outcome = "NOT_PRESENT";  // Where `file` is empty.
  int file_time = 1000;  // daemon.json was written then; the process started at 2000.

  std::string Facts() const {
    const std::string config = file.empty()
                                   ? absl::StrCat("outcome { state: ", file_outcome, " }")
                                   : absl::StrCat("outcome { state: OK } settings { ", file,
                                                  " } modify_time { seconds: ", file_time, " }");
    return absl::StrCat(
        "engine { outcome { state: OK } info_outcome { state: OK } is_docker_engine: true ",
        "socket_path: '/run/docker.sock' version: '", version,
        "' api_version: '1.41' debug: ", debug, " logging_driver: '", log_driver,
        "' storage_driver: '", storage_driver, "' live_restore: ", live_restore,
        " experimental: ", experimental,
        " security_options { name: 'seccomp' values { key: 'profile' value: 'default' } } ",
        info.find("registry") == std::string::npos ? "registry { insecure_cidrs: '127.0.0.0/8' "
                                                     "indexes { name: 'docker.io' secure: true } } "
                                                   : "",
        info, " } daemon { outcome { state: OK } pid: 7 start_time { seconds: 2000 } ",
        "user_namespace_is_initial: true command_line { outcome { state: OK } settings { ", flags,
        " } } config_file { path: '/etc/docker/daemon.json' ", config,
        " } environment { outcome { state: OK } ", environment,
        " } } containers { outcome { state: OK } ", containers,
        " } networks { outcome { state: OK } networks { id: 'b' name: 'bridge' ",
        "driver: 'bridge' default_bridge: true enable_icc: ", icc,
        " } } swarm { outcome { state: OK } local_node_state: ", swarm,
        " } units { outcome { state: OK } ", units,
        " } listeners { outcome { state: OK } proxy_outcome { state: OK } ", listeners, " }");
  }
};

inline Recorded Stock() { return {}; }
inline Recorded HardenedFlags() {
  Recorded host;
  host.flags =
      "icc: false log_level: 'info' live_restore: true userland_proxy: false "
      "no_new_privileges: true log_driver: 'journald' default_ulimits { "
      "ulimits { name: 'nofile' soft: 1024 hard: 2048 } "
      "ulimits { name: 'nproc' soft: 512 hard: 512 } }";
  host.log_driver = "journald";
  host.live_restore = "true";
  host.icc = "false";
  return host;
}
inline Recorded HardenedJson() {
  Recorded host;
  host.file =
      "icc: false log_level: 'info' live_restore: true userland_proxy: false "
      "no_new_privileges: true log_driver: 'syslog' log_opts { options { name: 'syslog-address' "
      "address_scheme: 'udp' address_is_loopback: true } } default_ulimits { "
      "ulimits { name: 'nofile' soft: 1024 hard: 2048 } }";
  host.log_driver = "syslog";
  host.live_restore = "true";
  host.icc = "false";
  return host;
}
inline Recorded BadFlags() {
  Recorded host;
  host.flags =
      "hosts { values: 'unix:///var/run/docker.sock' values: 'tcp://127.0.0.1:2375' } "
      "insecure_registries { values: '10.0.0.0/8' values: 'reg.example:5000' } iptables: false "
      "debug: true experimental: true storage_driver: 'vfs' cgroup_parent: '/odd'";
  host.info =
      "registry { insecure_cidrs: '10.0.0.0/8' insecure_cidrs: '127.0.0.0/8' "
      "indexes { name: 'docker.io' secure: true } indexes { name: 'reg.example:5000' } } "
      "warnings { code: API_UNENCRYPTED endpoint: '127.0.0.1:2375' count: 1 }";
  host.debug = "true";
  host.experimental = "true";
  host.storage_driver = "vfs";
  host.listeners = "listeners { family: IPV4 address: '127.0.0.1' port: 2375 }";
  return host;
}
inline Recorded BadJson() {
  Recorded host = BadFlags();
  host.flags = "";
  host.file =
      "hosts { values: 'unix:///var/run/docker.sock' values: 'tcp://127.0.0.1:2375' } "
      "insecure_registries { values: 'reg.example:5000' } iptables: false debug: true "
      "experimental: true userland_proxy: true";
  host.info =
      "registry { insecure_cidrs: '127.0.0.0/8' indexes { name: 'docker.io' secure: true } "
      "indexes { name: 'reg.example:5000' } } "
      "warnings { code: API_UNENCRYPTED endpoint: '127.0.0.1:2375' count: 1 }";
  host.storage_driver = "overlay2";
  return host;
}
// `tls` is what differs between tls-verify, tls-noverify and tls-json.
inline std::string TlsSettings(const std::string& tls) {
  return absl::StrCat(
      "hosts { values: 'unix:///var/run/docker.sock' values: 'tcp://127.0.0.1:2376' } ", tls,
      " tlscacert: '/etc/docker/tls/ca.pem' tlscert: '/etc/docker/tls/cert.pem' "
      "tlskey: '/etc/docker/tls/key.pem'");
}
inline Recorded TlsFlags(const std::string& tls) {
  Recorded host;
  host.flags = TlsSettings(tls);
  host.listeners = "listeners { family: IPV4 address: '127.0.0.1' port: 2376 }";
  return host;
}
inline Recorded TlsJson() {
  Recorded host;
  host.file = TlsSettings("tlsverify: true");
  return host;
}
inline Recorded UsernsRemap() {
  Recorded host;
  host.flags = "userns_remap: 'default'";
  host.info = "security_options { name: 'userns' }";
  return host;
}
inline Recorded Authz() {
  Recorded host;
  host.flags = "authorization_plugins { values: 'allowall' }";
  host.info = "authorization_plugins: 'allowall'";
  return host;
}

// A host changed by `edit`, as facts.
template <typename Edit>
std::string With(Recorded host, Edit edit) {
  edit(host);
  return host.Facts();
}

}  // namespace plimsoll::evaluate
