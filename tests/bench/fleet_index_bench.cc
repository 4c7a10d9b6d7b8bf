// The fleet index at 100,000 hosts and both shipped baselines: what each question costs, and a
// host's update. No database: hosts come as store::HostState.
#include <benchmark/benchmark.h>
#include <google/protobuf/util/time_util.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/fleet/fleet.h"
#include "controller/fleet/host_pages.h"
#include "controller/fleet/summaries.h"

namespace plimsoll::fleet {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kHosts = 100'000;
constexpr int kContainers = 10;

absl::Time Now() { return absl::FromUnixSeconds(1'800'000'000); }

const std::vector<v1::Baseline>& Baselines() {
  static const auto& baselines = *new std::vector<v1::Baseline>{
      *evaluate::ShippedBaseline("azure-docker"), *evaluate::ShippedBaseline("edge-docker")};
  return baselines;
}

// The host of this number; `change` tells its states apart.
store::HostState State(int number, int change) {
  std::minstd_rand random(number * 7 + 1);
  store::HostState state;
  state.ordinal = number + 1;
  v1::Host& host = state.host;
  host.set_id(absl::StrCat("h-", 1'000'000'007ull * number % 999'999'937));
  host.set_hostname(absl::StrCat("node-", number, ".example.com"));
  host.set_boot_id("0f8b1d3e-55b5-4d5f-9df5-1d2c7f8e9a00");
  host.set_engine_version("26.1.0");
  host.set_operating_system("Debian GNU/Linux 12 (bookworm)");
  host.set_connection(v1::Host::CONNECTED);
  host.set_container_count(kContainers);
  (*host.mutable_labels())["env"] = number % 3 == 0 ? "prod" : "test";
  (*host.mutable_labels())["team"] = absl::StrCat("team-", number % 200);
  (*host.mutable_labels())["serial"] = absl::StrCat("s-", number);
  *host.mutable_last_seen_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(Now()));
  for (const v1::Baseline& baseline : Baselines()) {
    store::HostVerdicts& verdicts = state.verdicts.emplace_back();
    verdicts.baseline_id = baseline.id();
    verdicts.baseline_digest = baseline.digest();
    for (int i = 0; i < baseline.rules_size(); ++i) {
      verdicts.statuses.push_back(static_cast<char>(random() % 5));
      verdicts.since.push_back(1'800'000'000'000'000 + static_cast<int64_t>(random() % 4));
    }
    // One container came, and a rule fails that did not.
    verdicts.statuses[change % baseline.rules_size()] = static_cast<char>(1 + change % 2);
    for (int i = 0; i < kContainers; ++i) {
      auto& configuration = *verdicts.failing.add_configurations();
      configuration.set_fingerprint(1000 * i + random() % 300);
      configuration.set_count(1);
      for (int rule = 0; rule < 8; ++rule) configuration.add_rules(i + rule * 5);
    }
  }
  return state;
}

Fleet& Shared() {
  static auto& fleet = *[] {
    const size_t before = mallinfo2().uordblks;
    auto* made = new Fleet(Baselines(), absl::Minutes(15));
    for (int i = 0; i < kHosts; ++i) made->Set(State(i, 0), Now());
    const size_t bytes = mallinfo2().uordblks - before;
    printf("memory: %zu bytes a host\n", bytes / kHosts);
    return made;
  }();
  return fleet;
}

// Beside the mean, the 99th of a hundred.
template <class Body>
void Measure(benchmark::State& state, const Body& body) {
  std::vector<double> times;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  std::sort(times.begin(), times.end());
  state.counters["p99_ms"] = times[times.size() * 99 / 100];
}

const char* const kSelectors[] = {"", "env=prod", "team in (team-1,team-2,team-3)",
                                  "env!=prod,!legacy,team notin (team-1)"};

void BM_Summary(benchmark::State& state) {
  const Fleet& fleet = Shared();
  const Selection selection{*ParseSelector(kSelectors[state.range(0)]), ""};
  state.SetLabel(kSelectors[state.range(0)]);
  Measure(state, [&] {
    for (const auto& baseline : fleet.baselines()) {
      benchmark::DoNotOptimize(Summarize(fleet, *baseline, selection, Now()));
    }
  });
}
BENCHMARK(BM_Summary)->DenseRange(0, 3)->Unit(benchmark::kMillisecond)->Iterations(300);

void BM_SummaryByLabel(benchmark::State& state) {
  const Fleet& fleet = Shared();
  Measure(state, [&] {
    benchmark::DoNotOptimize(SummarizeByLabel(fleet, *fleet.baselines()[0], {}, "team"));
  });
}
BENCHMARK(BM_SummaryByLabel)->Unit(benchmark::kMillisecond)->Iterations(100);

void BM_WorstHosts(benchmark::State& state) {
  const Fleet& fleet = Shared();
  Measure(state,
          [&] { benchmark::DoNotOptimize(WorstHosts(fleet, *fleet.baselines()[0], {}, 10)); });
}
BENCHMARK(BM_WorstHosts)->Unit(benchmark::kMillisecond)->Iterations(100);

void BM_FailingConfigurations(benchmark::State& state) {
  const Fleet& fleet = Shared();
  Measure(state, [&] {
    benchmark::DoNotOptimize(FailingConfigurations(fleet, *fleet.baselines()[0], {}, -1));
  });
}
BENCHMARK(BM_FailingConfigurations)->Unit(benchmark::kMillisecond)->Iterations(100);

// From the middle of the order; 0: any host, 1: a selector, 2: a part of a name that few have.
void BM_HostsPage(benchmark::State& state) {
  const Fleet& fleet = Shared();
  HostQuery query;
  query.after_hostname = "node-5";
  if (state.range(0) == 1) query.selector = *ParseSelector("team=team-7,env=prod");
  if (state.range(0) == 2) query.name_contains = "99999";
  Measure(state, [&] { benchmark::DoNotOptimize(ListHosts(fleet, query)); });
}
BENCHMARK(BM_HostsPage)->DenseRange(0, 2)->Unit(benchmark::kMillisecond)->Iterations(200);

// Who may have findings of a rule: the part of a findings page that the index answers.
void BM_Candidates(benchmark::State& state) {
  const Fleet& fleet = Shared();
  Measure(state, [&] {
    for (const auto& baseline : fleet.baselines()) {
      for (size_t rule = 0; rule < baseline->rule_count(); ++rule) {
        Bitmap among = fleet.hosts().present();
        baseline->Filter(rule, 1u << v1::Verdict::FAIL, among);
        benchmark::DoNotOptimize(among.Count());
      }
    }
  });
}
BENCHMARK(BM_Candidates)->Unit(benchmark::kMillisecond)->Iterations(100);

void BM_Tick(benchmark::State& state) {
  Fleet& fleet = Shared();
  Measure(state, [&] { benchmark::DoNotOptimize(fleet.Tick(Now(), 100)); });
}
BENCHMARK(BM_Tick)->Unit(benchmark::kMillisecond)->Iterations(200);

// One host of which one rule and its containers changed.
void BM_Update(benchmark::State& state) {
  Fleet& fleet = Shared();
  std::vector<store::HostState> states;
  for (int i = 0; i < 2000; ++i) states.push_back(State(i * 49, i));
  size_t next = 0;
  for (auto _ : state) fleet.Set(states[next++ % states.size()], Now());
}
BENCHMARK(BM_Update)->Unit(benchmark::kMicrosecond);

// Hosts a second into an empty index, from messages that are there.
void BM_Load(benchmark::State& state) {
  std::vector<store::HostState> states;
  for (int i = 0; i < 20'000; ++i) states.push_back(State(i, 0));
  for (auto _ : state) {
    Fleet fleet(Baselines(), absl::Minutes(15));
    for (const store::HostState& host : states) fleet.Set(host, Now());
  }
  state.SetItemsProcessed(state.iterations() * states.size());
}
BENCHMARK(BM_Load)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plimsoll::fleet

BENCHMARK_MAIN();
