// plimsoll-controller: parses the command line, starts the server, stops it on a signal.
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "controller/config.h"
#include "controller/server.h"
#include "proto/support/grpc_logging.h"
#include "proto/support/logging.h"
#include "proto/support/mutexes.h"
#include "proto/support/signals.h"

namespace {

constexpr int kUsage = 2;
constexpr int kFailed = 3;

int Report(const absl::Status& status, int exit_status) {
  std::fprintf(stderr, "plimsoll-controller: %s\n", std::string(status.message()).c_str());
  return exit_status;
}

// A connection each: the usual soft limit of 1024 files would end at a thousand collectors.
void RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace plimsoll;
  support::StopLookingForDeadlocks();
  support::BlockEndSignals();
  RaiseFileLimit();
  controller::Config config;
  CLI::App app;
  controller::AddOptions(app, config);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  const auto format = config.log_json ? support::LogFormat::kJson : support::LogFormat::kText;
  if (auto status = support::InitLogging("plimsoll-controller", config.log_level, format);
      !status.ok()) {
    return Report(status, kUsage);
  }
  support::RouteGrpcLogs();
  auto server = controller::Server::Start(config);
  if (!server.ok()) return Report(server.status(), kFailed);
  support::SignalWatcher signals([&server](int) { (*server)->Stop(); });
  (*server)->Run();
  return 0;
}
