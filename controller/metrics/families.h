// Numbers that are read where they are kept, as families of Prometheus.
#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

#include "controller/metrics/metrics.h"

namespace plimsoll::metrics {

using Families = std::vector<prometheus::MetricFamily>;
using Labels = std::vector<prometheus::ClientMetric::Label>;

// Adds a sample to the family `name`, which is the last of `out` or a new one.
void AddCounter(Families& out, const char* name, const char* help, double value,
                const Labels& labels = {});
void AddGauge(Families& out, const char* name, const char* help, double value,
              const Labels& labels = {});

// What arrives from collectors, and what waits.
void AddGateway(const Sources& sources, Families& out);
// Hosts by state, verdicts by rule and by severity: the whole fleet.
void AddFleet(const Sources& sources, Families& out);
// The database: whether it answers, its connections, scans.
void AddStore(const Sources& sources, Families& out);
// Connections and answers of HTTPS.
void AddHttp(const rest::HttpCounters& http, const std::map<int, int64_t>& answers, Families& out);

}  // namespace plimsoll::metrics
