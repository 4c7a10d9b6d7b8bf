// How long it takes to judge one host. The figure: azure-docker with 50 containers in at most 100
// microseconds on one core (Release).
#include <benchmark/benchmark.h>

#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"
#include "tests/support/sample_facts.h"

namespace plimsoll {
namespace {

const absl::Time kAsOf = absl::FromUnixSeconds(1767312000);

void Judge(benchmark::State& state, const char* id, testing::Habit habit) {
  const v1::Baseline baseline = evaluate::ShippedBaseline(id).value();
  const v1::HostFacts facts = testing::SampleHost(static_cast<int>(state.range(0)), habit);
  int64_t findings = 0;
  // One report, used again and again: what a controller does that judges one host after the other.
  v1::HostReport report;
  for (auto _ : state) {
    evaluate::Evaluate(facts, baseline, {.as_of = kAsOf}, report);
    benchmark::DoNotOptimize(report);
  }
  for (const v1::Verdict& verdict : report.verdicts()) findings += verdict.findings_size();
  state.counters["findings"] = static_cast<double>(findings);
}

BENCHMARK_CAPTURE(Judge, azure_hardened, "azure-docker", testing::Habit::kHardened)
    ->Arg(0)
    ->Arg(50)
    ->Arg(200)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Judge, azure_usual, "azure-docker", testing::Habit::kUsual)
    ->Arg(50)
    ->Arg(200)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Judge, edge_usual, "edge-docker", testing::Habit::kUsual)
    ->Arg(50)
    ->Unit(benchmark::kMicrosecond);

void LoadShipped(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(evaluate::ShippedBaseline("azure-docker"));
}
BENCHMARK(LoadShipped)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace plimsoll

BENCHMARK_MAIN();
