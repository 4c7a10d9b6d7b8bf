#include "controller/config.h"

#include <CLI/CLI.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/version.h"
#include "proto/support/yaml_config.h"

namespace plimsoll::controller {
namespace {

// "90s", "5m", "12h", as Abseil reads them, and "30d".
bool ParseDuration(const std::string& text, absl::Duration& value) {
  int64_t days = 0;
  if (absl::EndsWith(text, "d") && absl::SimpleAtoi(text.substr(0, text.size() - 1), &days)) {
    value = absl::Hours(24) * days;
    return true;
  }
  return absl::ParseDuration(text, &value);
}

std::string ForPeople(absl::Duration value) {
  const absl::Duration day = absl::Hours(24);
  if (value >= 2 * day && value % day == absl::ZeroDuration())
    return absl::StrCat(value / day, "d");
  return absl::FormatDuration(value);
}

// `zero`: what 0 means; null: nothing, it is refused.
void AddDuration(CLI::App& app, const std::string& name, absl::Duration& value,
                 absl::Duration least, const std::string& help, const char* zero = nullptr) {
  const std::string text_of_default =
      value == absl::ZeroDuration() && zero != nullptr ? zero : ForPeople(value);
  app.add_option_function<std::string>(
         name,
         [name, &value, least, zero](const std::string& text) {
           absl::Duration given;
           const bool is_zero = zero != nullptr && (text == "0" || text == zero);
           if (is_zero) {
             value = absl::ZeroDuration();
           } else if (!ParseDuration(text, given) || given < least) {
             throw CLI::ValidationError(
                 name, absl::StrCat("expected a duration of at least ", ForPeople(least),
                                    ", e.g. 90s, 5m, 30d"));
           } else {
             value = given;
           }
         },
         absl::StrCat(help, " [", text_of_default, "]"))
      ->type_name("DURATION");
}

// A number of MiB for a number of bytes.
void AddMib(CLI::App& app, const std::string& name, int64_t& bytes, int least, int most,
            const std::string& help) {
  app.add_option_function<int>(
         name, [&bytes](int mib) { bytes = int64_t{mib} << 20; },
         absl::StrCat(help, " [", bytes >> 20, "]"))
      ->check(CLI::Range(least, most))
      ->type_name("MIB");
}

// Who may do how much. Group of its own in --help.
void AddLimits(CLI::App& app, gateway::GatewayOptions& options) {
  const auto number = [&app](const std::string& name, int32_t& value, int least, int most,
                             const std::string& help) {
    app.add_option(name, value, help)
        ->check(CLI::Range(least, most))
        ->capture_default_str()
        ->group("Limits");
  };
  app.add_option_function<int>(
         "--max-message-mib",
         [&options](int mib) { options.max_message_bytes = int64_t{mib} << 20; },
         absl::StrCat("Largest message taken from a collector [", options.max_message_bytes >> 20,
                      "]"))
      ->check(CLI::Range(1, 512))
      ->type_name("MIB")
      ->group("Limits");
  number("--max-objects", options.max_objects_per_section, 100, 1'000'000,
         "Containers, images, files, volumes or networks of one host");
  number("--max-deltas-per-minute", options.max_deltas_per_minute, 1, 1'000'000,
         "Changes of one host, averaged; it is told to slow down above");
  number("--max-heartbeats-per-minute", options.max_heartbeats_per_minute, 1, 1'000'000,
         "Signs of life of one host");
  number("--committers", options.committer_threads, 1, 32,
         "Threads that commit changes of many hosts at once");
  AddMib(app, "--ingest-memory-mib", options.budget_bytes, 16, 1 << 20,
         "Memory for messages being judged; collectors wait when it is full");
  AddMib(app, "--facts-cache-mib", options.cache_bytes, 1, 1 << 20,
         "Memory for facts of connected hosts, so that a change need not read them");
}

// Signing in elsewhere. Group of its own in --help.
void AddOidc(CLI::App& app, Config& config) {
  const auto add = [&app](const std::string& name, auto& value, const std::string& help) {
    return app.add_option(name, value, help)->group("Sign-in at an identity provider");
  };
  access::OidcOptions& oidc = config.oidc;
  add("--oidc-issuer", oidc.issuer,
      "OpenID Connect provider where people sign in, exactly as it calls itself [none]")
      ->type_name("URL");
  add("--oidc-client-id", oidc.client_id, "What the provider knows Plimsoll by")->type_name("ID");
  add("--oidc-client-secret-file", config.oidc_client_secret_file,
      "File (0600) with the secret of that client; without it PKCE alone must do")
      ->type_name("FILE");
  add("--oidc-public-url", oidc.public_url,
      "Where browsers reach --rest-address; the provider must know it, /v1/oidc/callback behind "
      "it, as redirect URI")
      ->type_name("URL");
  add("--oidc-scope", oidc.scopes, "Asked for beside openid; may be repeated")
      ->type_name("SCOPE")
      ->capture_default_str();
  add("--oidc-groups-claim", oidc.groups_claim, "Claim that lists a person's groups")
      ->type_name("CLAIM")
      ->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--oidc-role",
         [&oidc](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             auto role = access::ParseGroupRole(text);
             if (!role.ok()) {
               throw CLI::ValidationError("--oidc-role", std::string(role.status().message()));
             }
             oidc.roles.push_back(*std::move(role));
           }
         },
         "What members of a group may do, and for which hosts, e.g. shop-ops=operator:team=shop; "
         "may be repeated,\nthe first that fits decides; nobody gets in without one")
      ->type_name("GROUP=ROLE[:SELECTOR]")
      ->group("Sign-in at an identity provider");
  add("--oidc-ca-file", config.oidc_ca_file,
      "Certificate authorities to trust for the provider, PEM [those of this machine]")
      ->type_name("FILE");
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
  app.add_flag("--replace-authority", config.replace_authority,
               "Take pki/ for the database's certificate authority in place of the one it knows; "
               "hosts must\nenrol again");
  app.add_option("--controller-name", config.controller_name,
                 "Name for people, where several controllers share a database [this host's name]")
      ->type_name("NAME");
  app.add_option("--listen-collectors", config.collector_address,
                 "Where collectors connect (mutual TLS)")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  app.add_option("--listen-api", config.api_address,
                 "Where people and programs connect (TLS, bearer token)")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  app.add_option(
         "--rest-address", config.rest_address,
         "Where HTTPS is served: REST and events below /v1, /docs, /openapi.json, /metrics, "
         "/healthz, /readyz\n(TLS, bearer token); \"\": nowhere")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  app.add_option("--name", config.names,
                 "DNS name or address in the server certificate; may be repeated [this host's "
                 "name, localhost]")
      ->type_name("NAME");
  app.add_option("--api-certificate", config.api_certificate_file,
                 "Certificate of your own (PEM, with those up to its root) for --listen-api and "
                 "--rest-address\n[made by the controller's authority]")
      ->type_name("FILE");
  app.add_option("--api-key", config.api_key_file, "Its key (PEM, 0600, without a password)")
      ->type_name("FILE");
  app.add_option("--baseline", config.baselines,
                 "Baseline to judge by: a shipped id or a YAML file; may be repeated [all shipped]")
      ->type_name("ID|FILE");
  AddDuration(app, "--interval", config.interval, absl::Seconds(10),
              "Time between full collections of a host");
  AddDuration(app, "--heartbeat-interval", config.gateway.heartbeat_interval, absl::Seconds(1),
              "Time between signs of life of an unchanged host");
  AddDuration(app, "--stale-after", config.stale_after, absl::Seconds(2),
              "Silence after which a host's verdicts leave the percentages");
  AddDuration(app, "--remove-after", config.remove_after, absl::Hours(1),
              "Silence after which a host is removed; its history stays", "never");
  AddDuration(app, "--keep-history", config.keep_history, absl::Hours(24 * 31),
              "Age at which history is dropped, by whole months", "for ever");
  AddDuration(app, "--keep-activity", config.keep_activity, absl::Hours(24),
              "Age at which entries of the activity log are dropped; the chain stays verifiable",
              "for ever");
  AddDuration(app, "--controller-timeout", config.controller_timeout, absl::Seconds(2),
              "Silence after which other controllers take a controller for dead");
  AddDuration(app, "--certificate-lifetime", config.certificate_lifetime, absl::Minutes(1),
              "Life of a collector's certificate; renewed when a third is left");
  AddDuration(app, "--session-idle", config.sessions.idle, absl::Minutes(5),
              "Disuse after which a person must sign in again");
  AddDuration(app, "--session-lifetime", config.sessions.lifetime, absl::Minutes(5),
              "Age at which a person must sign in again, used or not");
  app.add_option_function<std::string>(
         "--waiver-approval",
         [&config](const std::string& who) { config.waiver_two_persons = who != "single"; },
         "Who approves a waiver: two-person (another than who proposed it) or single [two-person]")
      ->check(CLI::IsMember({"two-person", "single"}))
      ->type_name("WHO");
  AddDuration(app, "--waiver-maximum", config.waiver_maximum, absl::Minutes(1),
              "The longest that a waiver lasts before it must be renewed");
  app.add_option("--worker-threads", config.worker_threads,
                 "Threads that judge facts and write them")
      ->check(CLI::Range(10, 256))
      ->capture_default_str();
  app.add_option("--api-threads", config.api_threads, "Threads that answer people and programs")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  AddOidc(app, config);
  AddLimits(app, config.gateway);
  app.add_option("--log-level", config.log_level, "trace, debug, info, warn or error")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_flag("--log-json", config.log_json, "Log JSON lines instead of text");
  support::AddYamlConfig(app, "/etc/plimsoll/controller.yaml");
  app.footer(
      "The first start writes an administrator's token to DATA-DIR/admin.token and the one-time "
      "password of the user\nadmin to DATA-DIR/admin.password; `plimsoll login` takes either.\n\n"
      "Exit status: 0 stopped by a signal, 2 usage, 3 could not start.");
}

}  // namespace plimsoll::controller
