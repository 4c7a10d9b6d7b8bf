// What a controller is told on its command line and in its configuration file.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace CLI {
class App;
}

namespace plimsoll::controller {

struct Config {
  // Keys, the embedded database, the first administrator's token.
  std::string data_dir = "/var/lib/plimsoll-controller";
  // libpq connection string; empty: a private PostgreSQL below data_dir.
  std::string database_url;
  // Read instead of database_url, so that a password stays out of process lists.
  std::string database_url_file;
  std::string collector_address = "0.0.0.0:7443";
  std::string api_address = "127.0.0.1:7444";
  // DNS names and addresses of the server certificate; empty: this host's name and the loopback
  // ones.
  std::vector<std::string> names;
  // Shipped baseline ids or YAML files.
  std::vector<std::string> baselines;
  absl::Duration interval = absl::Minutes(5);
  absl::Duration heartbeat_interval = absl::Seconds(30);
  absl::Duration certificate_lifetime = absl::Hours(24 * 7);
  int worker_threads = 8;
  int max_message_mib = 32;
  std::string log_level = "info";
  bool log_json = false;
};

// Declares the options on `app`. `config` receives the values when the command line is parsed.
void AddOptions(CLI::App& app, Config& config);

}  // namespace plimsoll::controller
