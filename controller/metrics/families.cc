#include "controller/metrics/families.h"

#include "absl/strings/str_cat.h"

namespace plimsoll::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric& Add(Families& out, const char* name, const char* help, MetricType type,
                  const Labels& labels) {
  if (out.empty() || out.back().name != name) {
    MetricFamily& family = out.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
  }
  ClientMetric& metric = out.back().metric.emplace_back();
  metric.label = labels;
  return metric;
}

void AddHistogram(Families& out, const char* name, const char* help,
                  const prometheus::Histogram& histogram) {
  Add(out, name, help, MetricType::Histogram, {}) = histogram.Collect();
}

}  // namespace

void AddCounter(Families& out, const char* name, const char* help, double value,
                const Labels& labels) {
  Add(out, name, help, MetricType::Counter, labels).counter.value = value;
}

void AddGauge(Families& out, const char* name, const char* help, double value,
              const Labels& labels) {
  Add(out, name, help, MetricType::Gauge, labels).gauge.value = value;
}

void AddGateway(const Sources& sources, Families& out) {
  const gateway::GatewayStats& stats = sources.stats;
  const struct {
    const char* name;
    const char* help;
    const gateway::GatewayStats::Counter& value;
  } counters[] = {
      {"plimsoll_sessions_begun_total", "Sessions of collectors welcomed.", stats.sessions_begun},
      {"plimsoll_sessions_refused_total", "Streams ended before they were welcomed.",
       stats.sessions_refused},
      {"plimsoll_sessions_silent_total", "Sessions ended because nothing was heard of them.",
       stats.sessions_silent},
      {"plimsoll_sessions_fenced_total", "Sessions ended because they lost the host's lease.",
       stats.sessions_fenced},
      {"plimsoll_ingest_messages_total", "Messages of collectors, of every kind.", stats.messages},
      {"plimsoll_ingest_bytes_total", "Bytes of those messages.", stats.message_bytes},
      {"plimsoll_ingest_heartbeats_total", "Heartbeats of unchanged hosts.", stats.heartbeats},
      {"plimsoll_ingest_deltas_total", "Changes looked at, full snapshots among them.",
       stats.deltas},
      {"plimsoll_ingest_snapshots_total", "Full snapshots looked at.", stats.snapshots},
      {"plimsoll_ingest_repeated_total", "Changes that had been committed before.", stats.repeated},
      {"plimsoll_ingest_resyncs_total", "Hosts asked to send everything.", stats.resyncs},
      {"plimsoll_ingest_malformed_total", "Messages that are not the protocol's.", stats.malformed},
      {"plimsoll_ingest_slow_downs_total", "Collectors told to pause.", stats.slow_downs},
      {"plimsoll_commits_total", "Transactions that committed changes.", stats.batches},
      {"plimsoll_commit_changes_total", "Changes in them.", stats.committed},
      {"plimsoll_commit_retries_total", "Transactions that failed and were repeated.",
       stats.commit_retries},
      {"plimsoll_commit_failures_total", "Changes that could not be committed.",
       stats.commit_failures},
      {"plimsoll_facts_cache_hits_total", "Facts found in memory.", stats.cache_hits},
      {"plimsoll_facts_cache_misses_total", "Facts read from the database.", stats.cache_misses},
  };
  for (const auto& counter : counters) AddCounter(out, counter.name, counter.help, counter.value);
  constexpr char kOver[] = "plimsoll_ingest_over_limit_total";
  constexpr char kOverHelp[] = "Times a collector exceeded a limit, by limit.";
  AddCounter(out, kOver, kOverHelp, stats.over_message_bytes, {{"limit", "message_bytes"}});
  AddCounter(out, kOver, kOverHelp, stats.over_decoded_bytes, {{"limit", "decoded_bytes"}});
  AddCounter(out, kOver, kOverHelp, stats.over_objects, {{"limit", "objects"}});
  AddCounter(out, kOver, kOverHelp, stats.over_deltas, {{"limit", "deltas"}});
  AddCounter(out, kOver, kOverHelp, stats.over_heartbeats, {{"limit", "heartbeats"}});
  AddGauge(out, "plimsoll_streams", "Streams of collectors that are open here.",
           sources.sessions.OpenCount());
  AddGauge(out, "plimsoll_sessions", "Hosts with a session here.", sources.sessions.Count());
  AddGauge(out, "plimsoll_ingest_memory_bytes", "Memory of messages under way.",
           stats.budget_in_use);
  AddGauge(out, "plimsoll_facts_cache_bytes", "Facts in memory, estimated.", stats.cache_bytes);
  constexpr char kQueue[] = "plimsoll_queue_length";
  constexpr char kQueueHelp[] = "What waits, by queue.";
  AddGauge(out, kQueue, kQueueHelp, stats.budget_waiting, {{"queue", "ingest_memory"}});
  AddGauge(out, kQueue, kQueueHelp, stats.commits_waiting, {{"queue", "commit"}});
  AddGauge(out, kQueue, kQueueHelp, sources.workers.waiting(), {{"queue", "workers"}});
  AddGauge(out, kQueue, kQueueHelp, sources.api_workers.waiting(), {{"queue", "api_workers"}});
  AddHistogram(out, "plimsoll_evaluation_duration_seconds",
               "Judging one host by all baselines, its facts at hand.", stats.evaluation_seconds);
  AddHistogram(out, "plimsoll_commit_duration_seconds", "One transaction of changes.",
               stats.commit_seconds);
  AddHistogram(out, "plimsoll_event_to_verdict_seconds",
               "From a change's observation on the host, by its clock, to its committed verdict.",
               stats.event_to_verdict_seconds);
}

void AddHttp(const rest::HttpCounters& http, const std::map<int, int64_t>& answers, Families& out) {
  AddGauge(out, "plimsoll_http_connections", "Connections that are open.", http.open_connections);
  AddGauge(out, "plimsoll_http_event_streams", "Of them, streams of events.", http.event_streams);
  AddCounter(out, "plimsoll_http_connections_total", "Connections that came.", http.connections);
  AddCounter(out, "plimsoll_http_connections_refused_total", "Of them, those over a limit.",
             http.refused_connections);
  AddCounter(out, "plimsoll_http_handshakes_failed_total", "Of them, those without TLS.",
             http.failed_handshakes);
  AddCounter(out, "plimsoll_http_requests_total", "Requests, bad ones included.", http.requests);
  AddCounter(out, "plimsoll_http_requests_bad_total",
             "Requests that were malformed, too large or too slow.", http.bad_requests);
  for (const auto& [code, count] : answers) {
    AddCounter(out, "plimsoll_http_responses_total", "Answers by HTTP status.", count,
               {{"code", absl::StrCat(code)}});
  }
}

}  // namespace plimsoll::metrics
