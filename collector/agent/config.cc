#include "collector/agent/config.h"

#include <CLI/CLI.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/labels.h"
#include "proto/support/version.h"
#include "proto/support/yaml_config.h"

namespace plimsoll::agent {
namespace {

constexpr size_t kShownBytes = 255;

// "key=value" into `labels`; an explanation otherwise.
std::string AddLabel(const std::string& text, std::map<std::string, std::string>& labels) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return absl::StrCat("label \"", absl::CHexEscape(text.substr(0, kShownBytes)),
                        "\": expected key=value");
  }
  const absl::Status status = support::CheckLabel(text.substr(0, equals), text.substr(equals + 1));
  if (status.ok()) labels[text.substr(0, equals)] = text.substr(equals + 1);
  return std::string(status.message());
}

}  // namespace

void AddOptions(CLI::App& app, Config& config) {
  app.description(
      "Gathers facts about this Docker host and streams them to a Plimsoll controller.\n"
      "It reads only: no command is run, nothing but GET is sent to Docker, and no secret leaves "
      "the host.");
  app.set_version_flag("--version", std::string("plimsoll-collector ") + support::kVersion);
  app.add_flag("--once", config.once,
               "Collect once, write the facts to --out, and leave; needs no controller");
  app.add_option("--out", config.out, "File for the facts of --once; - for standard output")
      ->type_name("FILE");
  app.add_flag("--json", config.json, "Write the facts of --once as JSON instead of binary");
  app.add_option("--docker-socket", config.docker_socket, "Unix socket of the Docker engine")
      ->type_name("PATH")
      ->capture_default_str();
  app.add_option("--host-root", config.host_root,
                 "Where the host's root is mounted, for a collector inside a container")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--controller", config.controller, "Controller to report to")
      ->type_name("HOST:PORT");
  app.add_option("--ca", config.ca_file,
                 "Certificate (PEM) the controller is checked against at enrolment")
      ->type_name("FILE");
  app.add_option("--state-dir", config.state_dir,
                 "Where this host's key and certificate are kept (0700)")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--enroll-token-file", config.enroll_token_file,
                 "File with the enrolment token, needed once; made by `plimsoll token create`")
      ->type_name("FILE");
  app.add_flag(
      "--enroll-again", config.enroll_again,
      "Replace the identity in --state-dir by one of the token, once for each token: for a "
      "host that\nwas revoked, cloned, or whose certificate has expired");
  app.add_option_function<std::vector<std::string>>(
         "--label",
         [&config](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             if (const std::string why = AddLabel(text, config.labels); !why.empty()) {
               throw CLI::ValidationError("--label", why);
             }
           }
         },
         "Label of this host, e.g. env=prod; may be repeated")
      ->type_name("KEY=VALUE");
  app.add_option_function<std::string>(
         "--interval",
         [&config](const std::string& text) {
           if (!absl::ParseDuration(text, &config.interval) ||
               config.interval < absl::Seconds(10)) {
             throw CLI::ValidationError("--interval",
                                        "expected a duration of at least 10s, e.g. 5m");
           }
         },
         "Time between full collections [5m]")
      ->type_name("DURATION");
  app.add_flag("--no-watch", config.no_watch,
               "Collect at the interval and when a scan asks only; no Docker events, no inotify");
  app.add_option("--spool-max-mib", config.spool_max_mib,
                 "Bound of the file below --state-dir that keeps changes until the controller has "
                 "them, in MiB; when it is full the newest state is kept and the gap recorded")
      ->type_name("MIB")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--nice", config.nice, "Scheduling priority, 0 to 19; 19 yields to everybody")
      ->type_name("N")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--reconnect-max",
         [&config](const std::string& text) {
           if (!absl::ParseDuration(text, &config.reconnect_max) ||
               config.reconnect_max < config.reconnect_min ||
               config.reconnect_max > absl::Hours(24)) {
             throw CLI::ValidationError("--reconnect-max",
                                        "expected a duration between 1s and 24h, e.g. 2m");
           }
         },
         "Longest pause between attempts to reach the controller [2m]")
      ->type_name("DURATION");
  app.add_option("--log-level", config.log_level, "trace, debug, info, warn or error")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_flag("--log-json", config.log_json, "Log JSON lines instead of text");
  support::AddYamlConfig(app, "/etc/plimsoll/collector.yaml");
  app.footer(
      "Cost: below 0.1 % of a core and 24 MiB when idle with 50 containers; at worst about 128 MiB "
      "with 2,000 containers\n"
      "that all change, and --spool-max-mib of disk (twice that for a moment). Bound it with "
      "MemoryMax=, CPUQuota= and\n"
      "LimitNOFILE=1024 of systemd or the limits of its container.\n\n"
      "Examples:\n"
      "  plimsoll-collector --once --out facts.binpb\n"
      "  plimsoll-collector --controller plimsoll.example:7443 --ca ca.pem --enroll-token-file "
      "token\n\n"
      "Exit status: 0 done, 2 usage, 3 could not reach the controller or was not allowed.");
}

absl::Status Validate(const Config& config) {
  if (config.once) {
    if (config.out.empty())
      return absl::InvalidArgumentError("--once needs --out FILE (or --out -)");
    return absl::OkStatus();
  }
  if (config.controller.empty()) {
    return absl::InvalidArgumentError("give --controller HOST:PORT, or --once --out FILE");
  }
  if (!absl::StrContains(config.controller, ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("--controller \"", config.controller, "\" has no port; expected HOST:PORT"));
  }
  if (config.enroll_again && config.enroll_token_file.empty()) {
    return absl::InvalidArgumentError("--enroll-again needs --enroll-token-file FILE");
  }
  if (!config.out.empty() || config.json) {
    return absl::InvalidArgumentError("--out and --json go with --once only");
  }
  return absl::OkStatus();
}

}  // namespace plimsoll::agent
