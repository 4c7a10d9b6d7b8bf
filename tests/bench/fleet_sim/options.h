// What fleet_sim is told on its command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace CLI {
class App;
}

namespace plimsoll::fleet_sim {

struct Options {
  // Controllers' collector ports, "host:port"; hosts are spread over them.
  std::vector<std::string> controllers;
  // PEM: what the controllers' certificates are checked against.
  std::string ca_file;
  // A token with enough uses left; only needed for hosts that the state folder does not know.
  std::string token_file;
  // Keys and certificates of the simulated hosts, kept from run to run (0700).
  std::string state_dir = "fleet_sim.state";
  // Recorded hosts (.binpb of `plimsoll-collector --once`, .json, .textproto); empty: the built-in.
  std::vector<std::string> facts_files;

  int hosts = 100;
  // Containers of each host.
  int containers = 50;
  // Sessions begun a second, on average, until all are live.
  double connect_rate = 200;
  // Connections being made at one time: more would only slow each other down until all time out.
  int connecting = 128;
  // Longest time until all hosts are live; the load begins then, or earlier when all are.
  absl::Duration ramp = absl::Minutes(10);
  // How long the load lasts.
  absl::Duration duration = absl::Minutes(1);

  // Fleet-wide rates, a second.
  double churn = 0;
  double snapshots = 0;
  double disconnects = 0;
  // Share of changes that make a container privileged, or take that back.
  double privileged_share = 0.1;
  // Share of changes that replace a container by another with a new id.
  double replaced_share = 0.1;
  // Zero: what the controller asks for.
  absl::Duration heartbeat_interval;
  // How long a scan takes on a host, on average, and the share of scans that fail there.
  absl::Duration scan_delay = absl::Milliseconds(150);
  double scan_failed_share = 0;
  // Deltas a host keeps while it cannot send; beyond, it drops them and records the gap.
  int spool = 256;
  // Pauses before a new attempt: from 1 s doubling up to this, jittered.
  absl::Duration longest_pause = absl::Minutes(2);
  absl::Duration keepalive = absl::Seconds(30);

  // Version of the collectors' protocol to speak.
  int protocol = 2;
  uint64_t seed = 1;
  int threads = 1;
  bool json = false;
  // Where every acknowledged change is written; empty: nowhere.
  std::string journal_file;
  // A line a second on standard error even where that is no terminal.
  bool progress = false;
};

// Declares the options on `app`. `options` receives the values when the command line is parsed.
void AddOptions(CLI::App& app, Options& options);

}  // namespace plimsoll::fleet_sim
