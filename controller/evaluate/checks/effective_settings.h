// What a daemon setting is worth: the configured value, where it comes from and how far it can be
// trusted (rules.md S2). Checks on settings that the engine's API mirrors read the mirror and use
// this only to explain it; all other checks on settings are a few lines over Configured() and
// JudgeSetting().
//
//   const auto iptables = Configured(context, setting::kIptables, true);
//   JudgeSetting(iptables, iptables.value, {.observed = ..., .expected = ...}, judge);
//
// Everything here is pure; views borrow from the facts in the context.
#pragma once

#include <optional>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"
#include "controller/evaluate/check.h"
#include "plimsoll/v1/daemon_facts.pb.h"

namespace plimsoll::evaluate {

// Note codes about settings.
inline constexpr char kEditedAfterStart[] = "edited_after_start";
inline constexpr char kStrayArgument[] = "stray_argument";

// Where a value was found; a later one is stronger than an earlier one.
enum class Origin { kDefault, kConfigFile, kCommandLine };

// How a value was found and what speaks against it. Borrows from the facts.
struct Provenance {
  Origin origin = Origin::kDefault;
  // Name on the command line without dashes ("insecure-registry"), and key in daemon.json.
  absl::string_view flag;
  absl::string_view json_key;
  // daemon.json in use; empty when none was looked at.
  absl::string_view file_path;
  // Null: the value is known. Else the outcome that keeps it from being known, of `unread_source`.
  const v1::SourceOutcome* unread = nullptr;
  Source unread_source = Source::kDaemon;
  // The file changed after the process started (or its start is not known), and the value is not
  // from the command line: what runs may differ from `value`.
  bool drifted = false;
  // The engine would refuse to start with what is written now (the directive in both places, or a
  // value of a wrong type), so the file was edited while it ran.
  bool edited_after_start = false;
  // The command line holds a word that is neither flag nor value.
  bool stray_argument = false;

  bool known() const { return unread == nullptr; }
};

// A configured value. `value` is meaningless unless known().
template <typename T>
struct Setting : Provenance {
  T value{};
};

// Names one setting of v1::Settings. T is bool, int64_t, absl::string_view or a pointer to a list
// message (never null when present).
template <typename T>
struct Key {
  absl::string_view flag;
  absl::string_view json_key;
  std::optional<T> (*read)(const v1::Settings& settings);
};

// Weighs what was read of one setting; the part of Configured() that is not a template.
Provenance Weigh(const v1::DaemonFacts& daemon, absl::string_view flag, absl::string_view json_key,
                 bool on_command_line, bool in_file);

// The value by command line, else daemon.json, else `default_value`. Not known when the process was
// not identified, its command line was not read, or (unless the command line decides) the file was
// not read. An absent file counts as empty, unless --config-file names it.
template <typename T>
Setting<T> Configured(const Context& context, const Key<T>& key,
                      std::type_identity_t<T> default_value) {
  const v1::DaemonFacts& daemon = context.facts.daemon();
  std::optional<T> flag;
  std::optional<T> file;
  if (daemon.command_line().outcome().state() == v1::SourceOutcome::OK) {
    flag = key.read(daemon.command_line().settings());
  }
  if (daemon.config_file().outcome().state() == v1::SourceOutcome::OK) {
    file = key.read(daemon.config_file().settings());
  }
  Setting<T> setting;
  static_cast<Provenance&>(setting) =
      Weigh(daemon, key.flag, key.json_key, flag.has_value(), file.has_value());
  setting.value = flag.value_or(file.value_or(default_value));
  return setting;
}

// Where the value was found, for Evidence.source: "command line --icc",
// "/etc/docker/daemon.json icc" or "default".
std::string SourceText(const Provenance& provenance);

// The rule is UNKNOWN when the value is not known: says so and returns true. Else does nothing.
bool UnknownUnlessKnown(const Provenance& provenance, Judge& judge);

// Judges a setting that no API field mirrors, with the drift rule: a violation FAILs
// (pending_restart when drifted), a drifted value that holds is UNKNOWN(config_newer_than_process).
// Adds the notes of the setting. `evidence.source` is filled in when empty, and the object is the
// daemon.
void JudgeSetting(const Provenance& provenance, bool holds, const Evidence& evidence, Judge& judge);

// For mirrored settings: configured_not_in_force when somebody wrote down a value that would hold
// while the engine shows one that does not; else empty.
absl::string_view ReasonNotInForce(const Provenance& provenance, bool configured_holds);

// Notes edited_after_start and stray_argument where they apply. JudgeSetting does so itself.
void NoteSetting(const Provenance& provenance, Judge& judge);

// The object of findings about the daemon as a whole.
inline constexpr ObjectRef DaemonObject() { return {.name = "daemon", .id = ""}; }

namespace setting {

template <auto Has, auto Get>
auto Read(const v1::Settings& settings) {
  using Field = std::invoke_result_t<decltype(Get), const v1::Settings&>;
  using Bare = std::remove_cvref_t<Field>;
  if constexpr (std::is_same_v<Bare, std::string>) {
    return (settings.*Has)() ? std::optional<absl::string_view>((settings.*Get)()) : std::nullopt;
  } else if constexpr (std::is_arithmetic_v<Bare>) {
    return (settings.*Has)() ? std::optional<Bare>((settings.*Get)()) : std::nullopt;
  } else {
    return (settings.*Has)() ? std::optional<const Bare*>(&(settings.*Get)()) : std::nullopt;
  }
}

using Bool = Key<bool>;
using Text = Key<absl::string_view>;
using List = Key<const v1::StringList*>;
using S = v1::Settings;

// --- The closed list, by flag name. Engine defaults belong to the caller. ---
// Containers on the default bridge may talk to each other.
inline constexpr Bool kIcc{"icc", "icc", Read<&S::has_icc, &S::icc>};
// Debug mode; beats any log level.
inline constexpr Bool kDebug{"debug", "debug", Read<&S::has_debug, &S::debug>};
// Level of the daemon's own log.
inline constexpr Text kLogLevel{"log-level", "log-level", Read<&S::has_log_level, &S::log_level>};
// The daemon programs the firewall; the second for IPv6.
inline constexpr Bool kIptables{"iptables", "iptables", Read<&S::has_iptables, &S::iptables>};
inline constexpr Bool kIp6tables{"ip6tables", "ip6tables", Read<&S::has_ip6tables, &S::ip6tables>};
// Registries used without verified TLS.
inline constexpr List kInsecureRegistries{
    "insecure-registry", "insecure-registries",
    Read<&S::has_insecure_registries, &S::insecure_registries>};
// Names of storage options, and the value of dm.basesize.
inline constexpr List kStorageOpts{"storage-opt", "storage-opts",
                                   Read<&S::has_storage_opts, &S::storage_opts>};
// Endpoints as written.
inline constexpr List kHosts{"host", "hosts", Read<&S::has_hosts, &S::hosts>};
// TLS on TCP endpoints; `tlsverify` with any value switches it on too.
inline constexpr Bool kTls{"tls", "tls", Read<&S::has_tls, &S::tls>};
inline constexpr Bool kTlsVerify{"tlsverify", "tlsverify", Read<&S::has_tlsverify, &S::tlsverify>};
// Paths; a relative one is below the daemon's working directory.
inline constexpr Text kTlsCaCert{"tlscacert", "tlscacert", Read<&S::has_tlscacert, &S::tlscacert>};
inline constexpr Text kTlsCert{"tlscert", "tlscert", Read<&S::has_tlscert, &S::tlscert>};
inline constexpr Text kTlsKey{"tlskey", "tlskey", Read<&S::has_tlskey, &S::tlskey>};
// Limits for containers that name none.
inline constexpr Key<const v1::Settings::Ulimits*> kDefaultUlimits{
    "default-ulimit", "default-ulimits", Read<&S::has_default_ulimits, &S::default_ulimits>};
// User whose subordinate ids containers get; empty is off.
inline constexpr Text kUsernsRemap{"userns-remap", "userns-remap",
                                   Read<&S::has_userns_remap, &S::userns_remap>};
// Default of new containers.
inline constexpr Bool kNoNewPrivileges{"no-new-privileges", "no-new-privileges",
                                       Read<&S::has_no_new_privileges, &S::no_new_privileges>};
// Plugins asked before each call.
inline constexpr List kAuthorizationPlugins{
    "authorization-plugin", "authorization-plugins",
    Read<&S::has_authorization_plugins, &S::authorization_plugins>};
// Default of new containers, and its options without values.
inline constexpr Text kLogDriver{"log-driver", "log-driver",
                                 Read<&S::has_log_driver, &S::log_driver>};
inline constexpr Key<const v1::Settings::LogOptions*> kLogOpts{
    "log-opt", "log-opts", Read<&S::has_log_opts, &S::log_opts>};
// Containers outlive the daemon.
inline constexpr Bool kLiveRestore{"live-restore", "live-restore",
                                   Read<&S::has_live_restore, &S::live_restore>};
// A process for each published port.
inline constexpr Bool kUserlandProxy{"userland-proxy", "userland-proxy",
                                     Read<&S::has_userland_proxy, &S::userland_proxy>};
// Features without guarantees.
inline constexpr Bool kExperimental{"experimental", "experimental",
                                    Read<&S::has_experimental, &S::experimental>};
// Group that owns the default socket.
inline constexpr Text kGroup{"group", "group", Read<&S::has_group, &S::group>};
// Name of the bridge to use; "none" for no default bridge.
inline constexpr Text kBridge{"bridge", "bridge", Read<&S::has_bridge, &S::bridge>};
// Host address that published ports bind to by default.
inline constexpr Text kIp{"ip", "ip", Read<&S::has_ip, &S::ip>};
// Parent of containers' control groups.
inline constexpr Text kCgroupParent{"cgroup-parent", "cgroup-parent",
                                    Read<&S::has_cgroup_parent, &S::cgroup_parent>};
// "iptables" or "nftables".
inline constexpr Text kFirewallBackend{"firewall-backend", "firewall-backend",
                                       Read<&S::has_firewall_backend, &S::firewall_backend>};
// host:port of metrics and of network diagnostics.
inline constexpr Text kMetricsAddr{"metrics-addr", "metrics-addr",
                                   Read<&S::has_metrics_addr, &S::metrics_addr>};
inline constexpr Key<int64_t> kNetworkDiagnosticPort{
    "network-diagnostic-port", "network-diagnostic-port",
    Read<&S::has_network_diagnostic_port, &S::network_diagnostic_port>};
// SELinux labels for containers.
inline constexpr Bool kSelinuxEnabled{"selinux-enabled", "selinux-enabled",
                                      Read<&S::has_selinux_enabled, &S::selinux_enabled>};
// Gone since 17.12, which refuses to start with it.
inline constexpr Bool kDisableLegacyRegistry{
    "disable-legacy-registry", "disable-legacy-registry",
    Read<&S::has_disable_legacy_registry, &S::disable_legacy_registry>};

}  // namespace setting
}  // namespace plimsoll::evaluate
