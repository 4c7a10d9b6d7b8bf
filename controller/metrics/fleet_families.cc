#include "absl/strings/ascii.h"
#include "controller/fleet/summaries.h"
#include "controller/metrics/families.h"

namespace plimsoll::metrics {
namespace {

struct Status {
  const char* name;
  int64_t (*count)(const v1::StatusCounts&);
};
constexpr Status kStatuses[] = {
    {"pass", [](const v1::StatusCounts& c) -> int64_t { return c.pass(); }},
    {"fail", [](const v1::StatusCounts& c) -> int64_t { return c.fail(); }},
    {"unknown", [](const v1::StatusCounts& c) -> int64_t { return c.unknown(); }},
    {"manual", [](const v1::StatusCounts& c) -> int64_t { return c.manual(); }},
    {"not_applicable", [](const v1::StatusCounts& c) -> int64_t { return c.not_applicable(); }},
};

std::string SeverityName(v1::Severity severity) {
  return absl::AsciiStrToLower(v1::Severity_Name(severity));
}

void AddVerdicts(const std::vector<v1::Summary>& summaries, Families& out) {
  for (const v1::Summary& summary : summaries) {
    for (const v1::RuleSummary& rule : summary.rules()) {
      for (const Status& status : kStatuses) {
        AddGauge(out, "plimsoll_rule_hosts",
                 "Evaluated hosts by baseline, rule and the rule's status on them.",
                 status.count(rule.counts()),
                 {{"baseline", summary.baseline().id()},
                  {"rule", rule.rule_id()},
                  {"severity", SeverityName(rule.severity())},
                  {"status", status.name}});
      }
    }
  }
  for (const v1::Summary& summary : summaries) {
    for (const v1::SeveritySummary& severity : summary.severities()) {
      for (const Status& status : kStatuses) {
        AddGauge(out, "plimsoll_verdicts", "Verdicts by baseline, severity and status.",
                 status.count(severity.counts()),
                 {{"baseline", summary.baseline().id()},
                  {"severity", SeverityName(severity.severity())},
                  {"status", status.name}});
      }
    }
  }
  for (const v1::Summary& summary : summaries) {
    for (const v1::RuleSummary& rule : summary.rules()) {
      AddGauge(out, "plimsoll_rule_waived_hosts",
               "Hosts by baseline and rule, of those that fail it, where all that fails is waived.",
               rule.counts().waived(),
               {{"baseline", summary.baseline().id()},
                {"rule", rule.rule_id()},
                {"severity", SeverityName(rule.severity())}});
    }
  }
  for (const v1::Summary& summary : summaries) {
    for (const v1::SeveritySummary& severity : summary.severities()) {
      AddGauge(
          out, "plimsoll_waived_verdicts",
          "Failing verdicts by baseline and severity that are waived.", severity.counts().waived(),
          {{"baseline", summary.baseline().id()}, {"severity", SeverityName(severity.severity())}});
    }
  }
  for (const v1::Summary& summary : summaries) {
    const Labels baseline = {{"baseline", summary.baseline().id()}};
    if (!summary.has_compliance_lower()) continue;
    AddGauge(out, "plimsoll_compliance_lower_ratio",
             "Share of verdicts that pass, 0 to 1, what is unknown counted as failing.",
             summary.compliance_lower(), baseline);
  }
  for (const v1::Summary& summary : summaries) {
    if (!summary.has_coverage()) continue;
    AddGauge(out, "plimsoll_coverage_ratio", "Share of hosts that the verdicts speak of, 0 to 1.",
             summary.coverage(), {{"baseline", summary.baseline().id()}});
  }
}

}  // namespace

void AddFleet(const Sources& sources, Families& out) {
  std::map<v1::Host::Connection, int64_t> connections;
  for (const auto state : {v1::Host::CONNECTED, v1::Host::DISCONNECTED, v1::Host::NEVER_SEEN,
                           v1::Host::REVOKED, v1::Host::QUARANTINED}) {
    connections[state] = 0;
  }
  std::vector<v1::Summary> summaries;
  size_t stale = 0;
  const size_t baselines =
      sources.index.Read([](const fleet::Fleet& fleet) { return fleet.baselines().size(); });
  // One after the other: whoever writes to the index waits for one of them at most.
  sources.index.Read([&](const fleet::Fleet& fleet) {
    fleet.hosts().present().ForEach(
        [&](fleet::Slot slot) { ++connections[fleet.hosts().connection(slot)]; });
    fleet::Bitmap silent = fleet.hosts().present();
    if (silent.words() != 0) {
      silent.And(fleet.stale());
      // Nobody waits for those.
      silent.AndNot(fleet.hosts().revoked());
    }
    stale = silent.Count();
  });
  for (size_t i = 0; i < baselines; ++i) {
    summaries.push_back(sources.index.Read([&](const fleet::Fleet& fleet) {
      return fleet::Summarize(fleet, *fleet.baselines()[i], {}, sources.clock.Now());
    }));
  }
  for (const auto& [state, count] : connections) {
    AddGauge(out, "plimsoll_hosts", "Hosts of the fleet by state.", count,
             {{"state", absl::AsciiStrToLower(v1::Host::Connection_Name(state))}});
  }
  AddGauge(out, "plimsoll_hosts_stale", "Hosts not heard of for too long, revoked ones left out.",
           stale);
  AddVerdicts(summaries, out);
}

void AddStore(const Sources& sources, Families& out) {
  const store::PoolState pool = sources.store.pool();
  AddGauge(out, "plimsoll_database_connections_limit", "Most connections to the database.",
           pool.limit);
  constexpr char kConnections[] = "plimsoll_database_connections";
  AddGauge(out, kConnections, "Connections to the database.", pool.open - pool.idle,
           {{"state", "busy"}});
  AddGauge(out, kConnections, "Connections to the database.", pool.idle, {{"state", "idle"}});
  AddGauge(out, "plimsoll_database_waiting", "Threads that wait for a connection.", pool.waiting);
  const bool up = sources.store.Ping().ok();
  AddGauge(out, "plimsoll_database_up", "1: the database answers.", up ? 1 : 0);
  if (!up) return;
  const auto scans = sources.store.scans().Count(sources.clock.Now() - absl::Hours(24));
  if (!scans.ok()) return;
  for (const auto& [state, count] : scans->scans) {
    AddGauge(out, "plimsoll_scans", "Scans begun within a day, by state.", count,
             {{"state", absl::AsciiStrToLower(v1::Scan::State_Name(state))}});
  }
  for (const auto& [state, count] : scans->hosts) {
    AddGauge(out, "plimsoll_scan_hosts", "Hosts of those scans, by what became of them.", count,
             {{"state", absl::AsciiStrToLower(v1::ScanHost::State_Name(state))}});
  }
}

}  // namespace plimsoll::metrics
