#include "controller/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/text_serializer.h>

#include <iterator>

#include "controller/metrics/families.h"
#include "proto/support/version.h"

namespace plimsoll::metrics {
namespace {

const prometheus::Histogram::BucketBoundaries& CallBuckets() {
  static const auto* const buckets = new prometheus::Histogram::BucketBoundaries{
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
  return *buckets;
}

}  // namespace

Metrics::Metrics(const Sources& sources)
    : sources_(sources),
      calls_(prometheus::BuildCounter()
                 .Name("plimsoll_api_calls_total")
                 .Help("Calls of the API, over gRPC and REST, by method and code.")
                 .Register(registry_)),
      call_seconds_(prometheus::BuildHistogram()
                        .Name("plimsoll_api_call_duration_seconds")
                        .Help("Time that a call took in the handler, by method.")
                        .Register(registry_)) {}

void Metrics::Watch(api::MethodTable& table) {
  table.Observe([this](const api::CallRecord& record) {
    const std::string& method = record.method.spec.rpc;
    calls_.Add({{"method", method}, {"code", absl::StatusCodeToString(record.outcome.code())}})
        .Increment();
    call_seconds_.Add({{"method", method}}, CallBuckets())
        .Observe(absl::ToDoubleSeconds(record.duration));
  });
}

std::string Metrics::Text(const rest::HttpCounters* http, const std::map<int, int64_t>& answers) {
  Families all = registry_.Collect();
  AddGauge(all, "plimsoll_build_info", "Always 1; the label says which program this is.", 1,
           {{"version", support::kVersion}});
  AddGateway(sources_, all);
  AddFleet(sources_, all);
  AddStore(sources_, all);
  if (http != nullptr) AddHttp(*http, answers, all);
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace plimsoll::metrics
