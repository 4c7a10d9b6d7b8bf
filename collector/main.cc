// plimsoll-collector: parses the command line, builds the ports, runs.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "collector/agent/agent.h"
#include "collector/agent/config.h"
#include "collector/agent/once.h"
#include "collector/agent/sight.h"
#include "collector/host/real_env.h"
#include "proto/support/grpc_logging.h"
#include "proto/support/logging.h"
#include "proto/support/mutexes.h"
#include "proto/support/signals.h"

namespace {

constexpr int kUsage = 2;
constexpr int kFailed = 3;

int Report(const absl::Status& status, int exit_status) {
  std::fprintf(stderr, "plimsoll-collector: %s\n", std::string(status.message()).c_str());
  return exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace plimsoll;
  support::StopLookingForDeadlocks();
  support::BlockEndSignals();
  agent::Config config;
  CLI::App app;
  agent::AddOptions(app, config);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  if (auto status = agent::Validate(config); !status.ok()) return Report(status, kUsage);
  const auto format = config.log_json ? support::LogFormat::kJson : support::LogFormat::kText;
  if (auto status = support::InitLogging("plimsoll-collector", config.log_level, format);
      !status.ok()) {
    return Report(status, kUsage);
  }
  support::RouteGrpcLogs();

  host::RealEnv env(
      {.docker = {.socket_path = config.docker_socket}, .host_root = config.host_root});
  if (config.once) {
    const absl::Status status = agent::CollectOnce(env.env(), config);
    return status.ok() ? 0 : Report(status, kFailed);
  }
  agent::Agent agent(env.env(), config, agent::LookAtHost(env.env(), config));
  support::SignalWatcher signals([&agent](int) { agent.Stop(); });
  const absl::Status status = agent.Run();
  return status.ok() ? 0 : Report(status, kFailed);
}
