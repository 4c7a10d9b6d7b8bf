// What a collector is told on its command line and in its configuration file.
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
  std::map<std::string, std::string> labels;
  // Time between full collections; the controller's plan may say otherwise, and then the shorter
  // holds.
  absl::Duration interval = absl::Minutes(5);
  std::string log_level = "info";
  bool log_json = false;
};

// Declares the options on `app`. `config` receives the values when the command line is parsed.
void AddOptions(CLI::App& app, Config& config);

// INVALID_ARGUMENT: which options contradict each other or are missing, and what to write.
absl::Status Validate(const Config& config);

}  // namespace plimsoll::agent
