// fleet_sim: thousands of collectors in one process. See README.md beside this file.
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/grpc_logging.h"
#include "proto/support/key_files.h"
#include "proto/support/logging.h"
#include "proto/support/mutexes.h"
#include "proto/support/signals.h"
#include "tests/bench/fleet_sim/shard.h"

namespace plimsoll::fleet_sim {
namespace {

constexpr absl::Duration kDrainTime = absl::Seconds(120);
constexpr absl::Duration kPoll = absl::Milliseconds(20);

absl::Duration Monotonic() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

// A descriptor for each connection.
absl::Status RaiseDescriptorLimit(int hosts) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const auto needed = static_cast<rlim_t>(hosts) + 200;
  if (limit.rlim_cur >= needed) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("this process may open ", limit.rlim_cur,
                                                   " files and needs ", needed,
                                                   "; raise it with `ulimit -Hn ", needed, "`"));
}

class Run {
 public:
  Run(const Options& options, World& world, const std::atomic<bool>& interrupted)
      : options_(options), world_(world), interrupted_(interrupted) {}

  absl::Status Prepare() {
    if (auto status = RaiseDescriptorLimit(options_.hosts); !status.ok()) return status;
    auto templates = MakeTemplates(options_.facts_files, options_.containers, options_.seed);
    if (!templates.ok()) return templates.status();
    templates_ = *std::move(templates);
    auto identities = LoadIdentities(options_, world_.ca_pem);
    if (!identities.ok()) return identities.status();
    identities_ = *std::move(identities);

    std::vector<HostState> states;
    std::vector<std::string> hostnames;
    for (int i = 0; i < options_.hosts; ++i) {
      const auto& source = templates_[static_cast<size_t>(i) % templates_.size()];
      states.emplace_back(source, i, options_.containers, options_.seed, options_.protocol);
      hostnames.push_back(states.back().hostname());
      if (static_cast<size_t>(i) < templates_.size()) {
        if (auto status = states.back().Verify(); !status.ok()) return status;
      }
    }
    if (auto status = EnrollMissing(options_, world_.ca_pem, hostnames, interrupted_, identities_);
        !status.ok()) {
      return status;
    }
    for (int i = 0; i < options_.threads; ++i) {
      shards_.push_back(std::make_unique<Shard>(world_, stage_, 1.0 / options_.threads,
                                                Mix(options_.seed, static_cast<uint64_t>(i))));
    }
    for (int i = 0; i < options_.hosts; ++i) {
      shards_[static_cast<size_t>(i) % shards_.size()]->Add(
          identities_[static_cast<size_t>(i)], i, std::move(states[static_cast<size_t>(i)]),
          absl::Seconds(i / std::max(options_.connect_rate, 1e-3)));
    }
    return absl::OkStatus();
  }

  Report Play() {
    std::vector<std::thread> threads;
    for (const auto& shard : shards_) threads.emplace_back([&shard] { shard->Run(); });
    Report report;
    report.hosts = options_.hosts;
    report.containers = options_.containers;

    const absl::Duration begin = Monotonic();
    Wait("coming up", options_.ramp,
         [&] { return world_.settled + world_.refused >= options_.hosts; });
    const absl::Duration loaded = Monotonic();
    report.ramp = {world_.stats.Next(), loaded - begin};
    stage_ = Stage::kLoad;
    Wait("under load", options_.duration, [] { return false; });
    const absl::Duration drained = Monotonic();
    stage_ = Stage::kDrain;
    report.waiting = world_.unacknowledged;
    report.load = {world_.stats.Next(), drained - loaded};
    Wait("draining", kDrainTime, [&] { return world_.settled + world_.refused >= options_.hosts; });
    report.live = world_.live;
    report.drain = {world_.stats.Next(), Monotonic() - drained};
    report.unacknowledged = world_.unacknowledged;
    MeasureProcess(report);
    world_.stopping = true;
    stage_ = Stage::kStop;
    for (std::thread& thread : threads) thread.join();
    world_.journal.Flush();
    for (const auto& shard : shards_) {
      shard->ForEach([this](const Host& host) {
        HostIdentity& identity = identities_[static_cast<size_t>(host.index())];
        identity.acknowledged_sequence = host.acknowledged_sequence();
        identity.acknowledged_digest = host.acknowledged_digest();
      });
    }
    SaveAcknowledged(options_, world_.ca_pem, identities_);
    return report;
  }

 private:
  // Until `done`, `longest` has passed, or a signal came; a line a second for people.
  template <class Done>
  void Wait(const char* what, absl::Duration longest, Done done) {
    const bool draining = stage_ == Stage::kDrain;
    const absl::Duration begin = Monotonic();
    Counts before = world_.stats.Read();
    absl::Duration told = begin;
    while (!done() && (draining || !interrupted_)) {
      const absl::Duration now = Monotonic();
      if (now - begin >= longest) break;
      if (now - told >= absl::Seconds(1)) {
        const Counts counts = world_.stats.Read();
        Tell(what, now - begin, counts, before, now - told);
        before = counts;
        told = now;
        world_.journal.Flush();
      }
      std::this_thread::sleep_for(
          absl::ToChronoMicroseconds(std::min(kPoll, begin + longest - now)));
    }
  }

  void Tell(const char* what, absl::Duration since, const Counts& now, const Counts& before,
            absl::Duration took) {
    const bool terminal = isatty(STDERR_FILENO) != 0;
    if (!terminal && !options_.progress) return;
    const auto rate = [&](int64_t Counts::*count) {
      return static_cast<double>(now.*count - before.*count) / absl::ToDoubleSeconds(took);
    };
    std::cerr << absl::StrFormat(
        "%s %4.0f s: %d live, %d settled, %.0f connects/s, %.0f deltas/s, %.0f snapshots/s, %.0f "
        "heartbeats/s, %d unacknowledged, p99 %.0f ms\n",
        what, absl::ToDoubleSeconds(since), world_.live.load(), world_.settled.load(),
        rate(&Counts::connects), rate(&Counts::deltas_acknowledged),
        rate(&Counts::snapshots_acknowledged), rate(&Counts::heartbeats),
        world_.unacknowledged.load(), absl::ToDoubleMilliseconds(now.acknowledge.Quantile(0.99)));
  }

  const Options& options_;
  World& world_;
  const std::atomic<bool>& interrupted_;
  std::atomic<Stage> stage_ = Stage::kRamp;
  std::vector<Template> templates_;
  std::vector<HostIdentity> identities_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

int Main(const Options& options) {
  const auto fail = [](const absl::Status& status) {
    std::cerr << "fleet_sim: " << status.message() << "\n";
    return 3;
  };
  auto ca = support::ReadKeyFile(options.ca_file, false);
  if (!ca.ok()) return fail(ca.status());
  std::atomic<bool> interrupted = false;
  const support::SignalWatcher signals([&interrupted](int) { interrupted = true; });
  Stats stats;
  Journal journal(options.journal_file);
  if (auto status = journal.status(); !status.ok()) return fail(status);
  World world{options, *ca, stats, journal};
  Run run(options, world, interrupted);
  if (auto status = run.Prepare(); !status.ok()) return fail(status);
  const Report report = run.Play();
  std::cout << (options.json ? ReportJson(report) : ReportText(report)) << std::flush;
  return report.live == report.hosts && report.unacknowledged == 0 ? 0 : 1;
}

}  // namespace
}  // namespace plimsoll::fleet_sim

int main(int argc, char** argv) {
  plimsoll::support::StopLookingForDeadlocks();
  plimsoll::support::BlockEndSignals();
  plimsoll::fleet_sim::Options options;
  CLI::App app;
  plimsoll::fleet_sim::AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (auto status =
          plimsoll::support::InitLogging("fleet_sim", "error", plimsoll::support::LogFormat::kText);
      !status.ok()) {
    return 3;
  }
  plimsoll::support::RouteGrpcLogs();
  return plimsoll::fleet_sim::Main(options);
}
