// What a collector is told on its command line and in its configuration file, and what it may cost.
//
// Cost: idle with 50 containers below 0.1 % of a core and 24 MiB. At worst: facts are held three
// times while they change (about 10 KiB a container each time), 5 MiB of index for 20,000 queued
// changes, 8 MiB of changes while the spool's disk refuses, and one message to the controller;
// 128 MiB for 2,000 containers. A full collection reads every container once; a change reads what
// changed, at most as often as the controller's limit on deltas. Beyond kBoundOfCpu and
// kBoundOfMemory (self_watch.h) the collector says so in its log.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace CLI {
class App;
}

namespace plimsoll::agent {

struct Config {
  // Collect once and leave.
  bool once = false;
  // File for the facts; "-" is standard output.
  std::string out;
  // Facts as JSON instead of binary.
  bool json = false;
  std::string docker_socket = "/run/docker.sock";
  // Where the host's root file system is mounted; "/" on the host itself.
  std::string host_root = "/";
  // "host:port" of the controller's collector port.
  std::string controller;
  std::string ca_file;
  std::string state_dir = "/var/lib/plimsoll-collector";
  std::string enroll_token_file;
  // Enrol with the token although the host has an identity, if it is not the token it enrolled
  // with.
  bool enroll_again = false;
  std::map<std::string, std::string> labels;
  // Time between full collections; the controller's plan may say otherwise, and then the shorter
  // holds.
  absl::Duration interval = absl::Minutes(5);
  // Changes are noticed by the interval alone: no events, no inotify.
  bool no_watch = false;
  // Bound of the spool below `state_dir`, in MiB.
  int spool_max_mib = 64;
  // setpriority(2) of the whole program, 0 to 19. Not nice by default: what comes after everything
  // else learns of a privileged container after it has begun to run, and its work is bounded.
  int nice = 0;
  // Pauses between attempts to connect: random between these, in a window that doubles. Only the
  // longer has an option, as the rest below has none.
  absl::Duration reconnect_min = absl::Seconds(1);
  absl::Duration reconnect_max = absl::Minutes(2);
  // A session this long makes the window small again; shorter ones that end by a renewal, one after
  // the other, are paced like lost connections.
  absl::Duration worthwhile_session = absl::Minutes(1);
  // What waits for somebody to act (a quarantine, a certificate that is not accepted or has
  // expired): tried again after between this and twice this.
  absl::Duration refused_pause = absl::Minutes(5);
  // A certificate that was asked for in a session and did not come, or could not be saved, is asked
  // for again after this.
  absl::Duration renewal_pause = absl::Hours(1);
  // A host that never had a plan waits this long for its controller's before it uses its own.
  absl::Duration first_plan_wait = absl::Seconds(5);
  // How long the end of the service may be put off to deliver what is queued.
  absl::Duration drain_time = absl::Seconds(2);
  std::string log_level = "info";
  bool log_json = false;
};

// Declares the options on `app`. `config` receives the values when the command line is parsed.
void AddOptions(CLI::App& app, Config& config);

// INVALID_ARGUMENT: which options contradict each other or are missing, and what to write.
absl::Status Validate(const Config& config);

}  // namespace plimsoll::agent
