#include "tests/bench/fleet_sim/stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace plimsoll::fleet_sim {
namespace {

double Rate(int64_t count, absl::Duration took) {
  const double seconds = absl::ToDoubleSeconds(took);
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::string Line(absl::string_view what, int64_t count, absl::Duration took) {
  return absl::StrFormat("  %-26s %10d  %10.1f/s\n", what, count, Rate(count, took));
}

std::string Line(absl::string_view what, const Histogram& values) {
  if (values.count() == 0) return "";
  const auto ms = [](absl::Duration value) { return absl::ToDoubleMilliseconds(value); };
  return absl::StrFormat("  %-26s p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, longest %.1f ms\n", what,
                         ms(values.Quantile(0.5)), ms(values.Quantile(0.95)),
                         ms(values.Quantile(0.99)), ms(values.Max()));
}

std::string PhaseText(absl::string_view name, const Phase& phase) {
  const Counts& c = phase.counts;
  std::string text = absl::StrFormat("%s: %.1f s\n", name, absl::ToDoubleSeconds(phase.took));
  const auto add = [&](absl::string_view what, int64_t count) {
    if (count != 0) text += Line(what, count, phase.took);
  };
  add("sessions begun", c.connects);
  text += Line("connect to welcome", c.connect);
  add("changes made", c.changes);
  add("deltas acknowledged", c.deltas_acknowledged);
  add("snapshots acknowledged", c.snapshots_acknowledged);
  text += Line("send to acknowledgement", c.acknowledge);
  text += Line("change to acknowledgement", c.change);
  add("heartbeats", c.heartbeats);
  add("heartbeats late", c.heartbeats_late);
  add("scans answered", c.scans_answered);
  add("scans failed", c.scans_failed);
  add("resyncs asked for", c.resyncs);
  add("slow-downs asked for", c.slow_downs);
  add("connections broken by us", c.broken);
  add("changes dropped (spool)", c.dropped);
  add("bytes up", c.bytes_up);
  add("bytes down", c.bytes_down);
  for (const auto& [code, count] : c.errors) {
    absl::StrAppendFormat(&text, "  session ended %-12s %10d  %s\n", code, count,
                          c.error_texts.at(code));
  }
  return text;
}

std::string JsonString(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&quoted, "\\u%04x", c);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string HistogramJson(const Histogram& values) {
  const auto ms = [](absl::Duration value) { return absl::ToDoubleMilliseconds(value); };
  return absl::StrFormat("{\"count\":%d,\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f}",
                         values.count(), ms(values.Quantile(0.5)), ms(values.Quantile(0.95)),
                         ms(values.Quantile(0.99)), ms(values.Max()));
}

std::string PhaseJson(const Phase& phase) {
  const Counts& c = phase.counts;
  std::string json = absl::StrFormat("{\"seconds\":%.3f", absl::ToDoubleSeconds(phase.took));
  const std::pair<const char*, int64_t> numbers[] = {
      {"connects", c.connects},
      {"changes", c.changes},
      {"deltas_acknowledged", c.deltas_acknowledged},
      {"snapshots_acknowledged", c.snapshots_acknowledged},
      {"heartbeats", c.heartbeats},
      {"heartbeats_late", c.heartbeats_late},
      {"scans_answered", c.scans_answered},
      {"scans_failed", c.scans_failed},
      {"resyncs", c.resyncs},
      {"slow_downs", c.slow_downs},
      {"broken", c.broken},
      {"dropped", c.dropped},
      {"bytes_up", c.bytes_up},
      {"bytes_down", c.bytes_down},
  };
  for (const auto& [name, value] : numbers) absl::StrAppend(&json, ",\"", name, "\":", value);
  absl::StrAppend(&json, ",\"connect_ms\":", HistogramJson(c.connect));
  absl::StrAppend(&json, ",\"acknowledge_ms\":", HistogramJson(c.acknowledge));
  absl::StrAppend(&json, ",\"change_ms\":", HistogramJson(c.change), ",\"errors\":{");
  bool first = true;
  for (const auto& [code, count] : c.errors) {
    absl::StrAppend(&json, first ? "" : ",", JsonString(code), ":{\"count\":", count,
                    ",\"last\":", JsonString(c.error_texts.at(code)), "}");
    first = false;
  }
  return json + "}}";
}

}  // namespace

void Histogram::Add(absl::Duration value) {
  const uint64_t us = static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Microseconds(value), 0));
  // Below 16 us one bucket each; above, the four bits after the highest one choose it.
  const int shift = std::max(static_cast<int>(std::bit_width(us)) - 5, 0);
  const int bucket = shift * 16 + static_cast<int>(us >> shift);
  ++buckets_[static_cast<size_t>(std::min(bucket, kBuckets - 1))];
  ++count_;
  max_ = std::max(max_, value);
}

absl::Duration Histogram::Quantile(double quantile) const {
  const auto wanted = static_cast<int64_t>(quantile * static_cast<double>(count_));
  int64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += buckets_[static_cast<size_t>(i)];
    if (seen <= wanted || seen == 0) continue;
    const int shift = i < 32 ? 0 : i / 16 - 1;
    const int64_t upper = (static_cast<int64_t>(i - shift * 16) + 1) << shift;
    return std::min(absl::Microseconds(upper), max_);
  }
  return max_;
}

Counts Stats::Read() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

Counts Stats::Next() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(counts_, Counts());
}

std::string ReportText(const Report& report) {
  std::string text = absl::StrFormat("%d hosts of %d containers, %d live at the end\n\n",
                                     report.hosts, report.containers, report.live);
  text += PhaseText("coming up", report.ramp);
  text += "\n";
  text += PhaseText("under load", report.load);
  absl::StrAppendFormat(&text, "  changes waiting then       %10d\n\n", report.waiting);
  text += PhaseText("draining", report.drain);
  absl::StrAppendFormat(&text, "\nchanges not acknowledged at the end: %d\n",
                        report.unacknowledged);
  absl::StrAppendFormat(&text, "simulator: %.1f s of processor time, %.0f MiB\n",
                        absl::ToDoubleSeconds(report.processor_time),
                        static_cast<double>(report.resident_bytes) / (1 << 20));
  return text;
}

std::string ReportJson(const Report& report) {
  return absl::StrFormat(
      "{\"hosts\":%d,\"live\":%d,\"containers\":%d,\"unacknowledged\":%d,\"waiting\":%d,\"ramp\":%"
      "s,"
      "\"load\":%s,\"drain\":%s,"
      "\"processor_seconds\":%.3f,\"resident_bytes\":%d}\n",
      report.hosts, report.live, report.containers, report.unacknowledged, report.waiting,
      PhaseJson(report.ramp), PhaseJson(report.load), PhaseJson(report.drain),
      absl::ToDoubleSeconds(report.processor_time), report.resident_bytes);
}

void MeasureProcess(Report& report) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  report.processor_time =
      absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  report.resident_bytes = resident * sysconf(_SC_PAGESIZE);
}

}  // namespace plimsoll::fleet_sim
