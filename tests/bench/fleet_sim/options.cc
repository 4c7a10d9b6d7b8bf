#include "tests/bench/fleet_sim/options.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"

namespace plimsoll::fleet_sim {
namespace {

CLI::Option* AddDuration(CLI::App& app, const std::string& name, absl::Duration& value,
                         const std::string& help) {
  const std::string shown =
      value == absl::ZeroDuration() ? "the controller's" : absl::FormatDuration(value);
  return app
      .add_option_function<std::string>(
          name,
          [name, &value](const std::string& text) {
            if (!absl::ParseDuration(text, &value) || value < absl::ZeroDuration()) {
              throw CLI::ValidationError(name, "expected a duration such as 500ms, 30s or 10m");
            }
          },
          absl::StrCat(help, " [", shown, "]"))
      ->type_name("DURATION");
}

void AddRate(CLI::App& app, const std::string& name, double& value, const std::string& help) {
  app.add_option(name, value, help)
      ->type_name("PER_SECOND")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
}

void AddShare(CLI::App& app, const std::string& name, double& value, const std::string& help) {
  app.add_option(name, value, help)
      ->type_name("0..1")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

void AddFleet(CLI::App& app, Options& options) {
  app.add_option("--controller", options.controllers,
                 "Collectors' port of a controller; hosts are spread over several")
      ->type_name("HOST:PORT[,HOST:PORT]")
      ->delimiter(',')
      ->required();
  app.add_option("--ca", options.ca_file, "The controllers' certificate authority")
      ->type_name("FILE")
      ->required();
  app.add_option("--token-file", options.token_file,
                 "Enrolment token (`plimsoll token create --uses N --out FILE`); not needed for "
                 "hosts that --state knows")
      ->type_name("FILE");
  app.add_option("--state", options.state_dir,
                 "Where identities are kept, so that a later run need not enrol")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option(
         "--facts", options.facts_files,
         "Recorded hosts to derive from (`plimsoll-collector --once --out FILE`) [built in]")
      ->type_name("FILE...");
  app.add_option("--hosts", options.hosts, "Simulated hosts, each with a connection of its own")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--containers", options.containers, "Containers of each host")
      ->check(CLI::Range(1, 5000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Equal seeds give equal fleets and choices")
      ->capture_default_str();
}

void AddLoad(CLI::App& app, Options& options) {
  AddRate(app, "--connect-rate", options.connect_rate, "Sessions begun while the fleet comes up");
  app.add_option("--connecting", options.connecting, "Connections being made at one time")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  AddDuration(app, "--ramp", options.ramp,
              "Longest wait for all hosts to be live; the load begins then");
  AddDuration(app, "--duration", options.duration, "How long the load lasts");
  AddRate(app, "--churn", options.churn, "Changes of one container each");
  AddShare(app, "--privileged-share", options.privileged_share,
           "Share of changes that make a container privileged, or take that back");
  AddShare(app, "--replaced-share", options.replaced_share,
           "Share of changes that replace a container");
  AddRate(app, "--snapshots", options.snapshots, "Full snapshots of a host");
  AddRate(app, "--disconnects", options.disconnects,
          "Connections broken; the host keeps its changes and comes back");
  AddDuration(app, "--heartbeat-interval", options.heartbeat_interval,
              "Time between signs of life of a host");
  AddDuration(app, "--scan-delay", options.scan_delay,
              "Time a host takes to answer a scan, on average");
  AddShare(app, "--scan-failed-share", options.scan_failed_share, "Share of scans that fail");
  app.add_option("--spool", options.spool, "Changes a host keeps while it cannot send")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  AddDuration(app, "--longest-pause", options.longest_pause,
              "Bound of the pauses before a new attempt");
  AddDuration(app, "--keepalive", options.keepalive, "Time between probes of a silent connection");
  app.add_option("--protocol", options.protocol, "Version of the collectors' protocol")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
}

void AddOutput(CLI::App& app, Options& options) {
  app.add_option("--threads", options.threads, "Threads that drive the hosts")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--report", [&options](const std::string& text) { options.json = text == "json"; },
         "Form of the report on standard output [text]")
      ->type_name("text|json")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--journal", options.journal_file,
                 "Write every acknowledged change: host, sequence, digest, observed time")
      ->type_name("FILE");
  app.add_flag("--progress", options.progress,
               "A line a second even where standard error is no terminal");
}

}  // namespace

void AddOptions(CLI::App& app, Options& options) {
  app.description(
      "Plays a fleet of Plimsoll collectors against real controllers, over the real protocol with "
      "TLS, "
      "and reports\nwhat they bear: for sizing a deployment. Talks to the controllers given and to "
      "nobody else.");
  AddFleet(app, options);
  AddLoad(app, options);
  AddOutput(app, options);
  app.footer(
      "Simulated hosts stay in the controller's fleet like real ones; use a database of its "
      "own.\n\n"
      "Exit status: 0 done, 1 not every host was live at the end or a change stayed "
      "unacknowledged, 2 usage,\n3 could not start.");
}

}  // namespace plimsoll::fleet_sim
