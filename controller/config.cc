#include "controller/config.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "proto/support/version.h"
#include "proto/support/yaml_config.h"

namespace plimsoll::controller {
namespace {

void AddDuration(CLI::App& app, const std::string& name, absl::Duration& value,
                 absl::Duration least, const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [name, &value, least](const std::string& text) {
           if (!absl::ParseDuration(text, &value) || value < least) {
             throw CLI::ValidationError(name, absl::StrCat("expected a duration of at least ",
                                                           absl::FormatDuration(least)));
           }
         },
         absl::StrCat(help, " [", absl::FormatDuration(value), "]"))
      ->type_name("DURATION");
}

}  // namespace

void AddOptions(CLI::App& app, Config& config) {
  app.description(
      "Takes facts from collectors, judges them by the baselines, keeps the results in PostgreSQL "
      "and serves them.\n"
      "TLS and authentication are always on.");
  app.set_version_flag("--version", std::string("plimsoll-controller ") + support::kVersion);
  app.add_option("--data-dir", config.data_dir,
                 "Keys, the embedded database and the first administrator's token (0700)")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--database-url", config.database_url,
                 "PostgreSQL to use, e.g. postgresql://plimsoll@db/plimsoll; without it the "
                 "controller runs a\n"
                 "private one below --data-dir")
      ->type_name("URL");
  app.add_option("--database-url-file", config.database_url_file,
                 "File that holds the URL: keeps a password out of process lists")
      ->type_name("FILE");
  app.add_option("--listen-collectors", config.collector_address,
                 "Where collectors connect (mutual TLS)")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  app.add_option("--listen-api", config.api_address,
                 "Where people and programs connect (TLS, bearer token)")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  app.add_option("--name", config.names,
                 "DNS name or address in the server certificate; may be repeated [this host's "
                 "name, localhost]")
      ->type_name("NAME");
  app.add_option("--baseline", config.baselines,
                 "Baseline to judge by: a shipped id or a YAML file; may be repeated [all shipped]")
      ->type_name("ID|FILE");
  AddDuration(app, "--interval", config.interval, absl::Seconds(10),
              "Time between full collections of a host");
  AddDuration(app, "--heartbeat-interval", config.heartbeat_interval, absl::Seconds(1),
              "Time between signs of life of an unchanged host");
  AddDuration(app, "--certificate-lifetime", config.certificate_lifetime, absl::Minutes(1),
              "Life of a collector's certificate; renewed when a third is left");
  app.add_option("--worker-threads", config.worker_threads,
                 "Threads for evaluation and the database")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--max-message-mib", config.max_message_mib,
                 "Largest message taken from a collector, in MiB")
      ->check(CLI::Range(1, 512))
      ->capture_default_str();
  app.add_option("--log-level", config.log_level, "trace, debug, info, warn or error")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_flag("--log-json", config.log_json, "Log JSON lines instead of text");
  support::AddYamlConfig(app, "/etc/plimsoll/controller.yaml");
  app.footer(
      "The first start writes an administrator's token to DATA-DIR/admin.token; `plimsoll login` "
      "takes it.\n\n"
      "Exit status: 0 stopped by a signal, 2 usage, 3 could not start.");
}

}  // namespace plimsoll::controller
