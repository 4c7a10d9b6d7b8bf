// What a controller is told on its command line and in its configuration file.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controller/access/authenticator.h"
#include "controller/access/oidc_options.h"
#include "controller/gateway/gateway_options.h"

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
  // Make this controller's authority the database's; hosts enrolled before must enrol again.
  bool replace_authority = false;
  std::string collector_address = "0.0.0.0:7443";
  std::string api_address = "127.0.0.1:7444";
  // HTTPS: REST, events, metrics, the API's description. Empty: not served.
  std::string rest_address = "127.0.0.1:7445";
  // DNS names and addresses of the server certificate; empty: this host's name and the loopback
  // ones.
  std::vector<std::string> names;
  // PEM; of people's and programs' ports. Empty: the controller's authority makes one.
  std::string api_certificate_file;
  std::string api_key_file;
  // For people, where several controllers share a database; empty: this host's name.
  std::string controller_name;
  // Shipped baseline ids or YAML files.
  std::vector<std::string> baselines;
  absl::Duration interval = absl::Minutes(5);
  absl::Duration certificate_lifetime = absl::Hours(24 * 7);
  // A waiver is approved by another person than the one who proposed it.
  bool waiver_two_persons = true;
  // The longest that a waiver lasts.
  absl::Duration waiver_maximum = absl::Hours(24 * 366);
  // Silence after which a host is stale, and after which it is removed (zero: never).
  absl::Duration stale_after = absl::Minutes(15);
  absl::Duration remove_after = absl::ZeroDuration();
  // History older than this is dropped, by whole months, and scans that ended before; zero: never.
  absl::Duration keep_history = absl::Hours(24 * 400);
  // Activity older than this is dropped; zero: never.
  absl::Duration keep_activity = absl::ZeroDuration();
  // A controller not heard of for this long is dead; its sessions are ended by the others.
  absl::Duration controller_timeout = absl::Seconds(15);
  // How long people stay signed in.
  access::SessionLimits sessions;
  // The identity provider, if there is one; its secret and its authorities are read from files.
  access::OidcOptions oidc;
  std::string oidc_client_secret_file;
  std::string oidc_ca_file;
  // Threads that judge facts and ask the database for collectors, and those that answer the API.
  int worker_threads = 12;
  int api_threads = 8;
  // Bounds of collectors and paces of commits.
  gateway::GatewayOptions gateway;
  std::string log_level = "info";
  bool log_json = false;
};

// Declares the options on `app`. `config` receives the values when the command line is parsed.
void AddOptions(CLI::App& app, Config& config);

}  // namespace plimsoll::controller
