#include "controller/fleet/finding_pages.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "controller/evaluate/evaluate.h"

namespace plimsoll::fleet {
namespace {

using google::protobuf::util::TimeUtil;
using v1::Verdict;

constexpr size_t kMaximumObject = 1024;
// Hosts looked at first, and at most at a time.
constexpr size_t kFirstHosts = 16;
constexpr size_t kMostHosts = 128;
// Below this share of all hosts it is quicker to sort the candidates than to walk the order.
constexpr int64_t kSparse = 64;

// Where a rule stands: its findings come behind those of rules with a smaller key.
using RuleKey = std::tuple<int, absl::string_view, absl::string_view>;

RuleKey KeyOf(const RuleEntry& entry) {
  const v1::Rule& rule = entry.alone.rules(0);
  return {-rule.severity(), rule.id(), entry.alone.id()};
}
RuleKey KeyOf(const FindingPosition& at) { return {-at.severity, at.rule_id, at.baseline_id}; }

std::string Encode(const FindingPosition& at) {
  return absl::WebSafeBase64Escape(
      absl::StrJoin({absl::StrCat(at.severity), at.rule_id, at.baseline_id, at.host_id,
                     std::string(at.host_done ? "1" : "0"), absl::StrCat(at.occurrence),
                     absl::WebSafeBase64Escape(at.object)},
                    std::string(1, '\0')));
}

absl::StatusOr<FindingPosition> Decode(const std::string& after) {
  FindingPosition at;
  std::string plain;
  std::vector<std::string> parts;
  if (absl::WebSafeBase64Unescape(after, &plain)) parts = absl::StrSplit(plain, '\0');
  if (parts.size() != 7 || !absl::SimpleAtoi(parts[0], &at.severity) ||
      !absl::SimpleAtoi(parts[5], &at.occurrence) || at.severity < 0 ||
      at.severity >= kSeverityCount || !absl::WebSafeBase64Unescape(parts[6], &at.object)) {
    return absl::InvalidArgumentError("page_token is not one that this controller gave");
  }
  at.rule_id = parts[1];
  at.baseline_id = parts[2];
  at.host_id = parts[3];
  at.host_done = parts[4] == "1";
  return at;
}

FindingPosition BehindHost(const FindingCandidate& candidate) {
  const v1::Rule& rule = candidate.entry->alone.rules(0);
  return {rule.severity(), rule.id(), candidate.entry->alone.id(), candidate.host_id, true, "", 0};
}

// The document of the rule alone, as the host is judged by it.
v1::Baseline AloneFor(const FindingCandidate& candidate) {
  const v1::Baseline& alone = candidate.entry->alone;
  for (const policy::Document& document : *candidate.policy.documents) {
    if (document->id() != alone.id() || document->digest() == alone.digest()) continue;
    for (const v1::Rule& rule : document->rules()) {
      if (rule.id() == alone.rules(0).id()) return Alone(*document, rule);
    }
  }
  return alone;
}

// Findings of one rule on one host.
std::vector<v1::Finding> FindingsOf(const FindingCandidate& candidate,
                                    const store::StoredFacts& stored, v1::HostReport& report) {
  evaluate::Evaluate(
      stored.facts, AloneFor(candidate),
      {.as_of = stored.observed, .waivers = candidate.policy.waivers, .now = candidate.policy.now},
      report);
  const Verdict& verdict = report.verdicts(0);
  std::vector<v1::Finding> findings(verdict.findings().begin(), verdict.findings().end());
  const bool speaks =
      verdict.status() != Verdict::PASS && verdict.status() != Verdict::NOT_APPLICABLE;
  if (findings.empty() && speaks) findings.push_back(evaluate::FindingOfVerdict(verdict));
  return findings;
}

// Adds findings behind `position`, with the position of each.
void AddBehind(const FindingCandidate& candidate, std::vector<v1::Finding> findings,
               absl::Time observed, const FindingQuery& query, const FindingPosition& position,
               FindingPage& page, std::vector<FindingPosition>& positions) {
  const v1::Baseline& alone = candidate.entry->alone;
  FindingPosition at = BehindHost(candidate);
  at.host_done = false;
  const bool same_host = KeyOf(at) == KeyOf(position) && position.host_id == at.host_id;
  absl::flat_hash_map<std::string, int> seen;
  for (v1::Finding& finding : findings) {
    at.object = finding.object().substr(0, kMaximumObject);
    at.occurrence = seen[at.object]++;
    if (query.waived.has_value() && *query.waived == finding.waiver_id().empty()) continue;
    if (std::find(query.statuses.begin(), query.statuses.end(), finding.status()) ==
        query.statuses.end()) {
      continue;
    }
    if (same_host && std::make_pair(absl::string_view(at.object), at.occurrence) <=
                         std::make_pair(absl::string_view(position.object), position.occurrence)) {
      continue;
    }
    v1::FleetFinding& found =
        page.findings.emplace_back(FleetFindingOf(candidate.host_id, candidate.hostname, alone.id(),
                                                  alone.rules(0), std::move(finding), observed));
    if (candidate.since != 0) {
      *found.mutable_status_since_time() = TimeUtil::MicrosecondsToTimestamp(candidate.since);
    }
    positions.push_back(at);
  }
}

// Calls `visit(slot)` for `among`, `count` of them, by id from `id` on, until it returns false.
template <class Visit>
void VisitById(const HostTable& hosts, const Bitmap& among, int64_t count, const std::string& id,
               Visit visit) {
  if (count * kSparse > static_cast<int64_t>(hosts.words()) * 64) {
    hosts.VisitById(id, [&](Slot slot) { return !among.Test(slot) || visit(slot); });
    return;
  }
  std::vector<Slot> slots;
  among.ForEach([&](Slot slot) {
    if (hosts.id(slot) >= id) slots.push_back(slot);
  });
  std::sort(slots.begin(), slots.end(), [&](Slot a, Slot b) { return hosts.id(a) < hosts.id(b); });
  for (const Slot slot : slots) {
    if (!visit(slot)) return;
  }
}

}  // namespace

absl::StatusOr<absl::flat_hash_map<std::string, store::StoredFacts>> FactsOf(
    store::ReportStore& reports, const std::vector<std::string>& ids) {
  absl::flat_hash_map<std::string, store::StoredFacts> by_host;
  auto all = reports.GetFactsOf(ids);
  if (absl::IsDataLoss(all.status())) {
    all = std::vector<store::StoredFacts>();
    for (const std::string& id : ids) {
      auto one = reports.GetFacts(id);
      if (one.ok()) all->push_back(*std::move(one));
    }
  }
  if (!all.ok()) return all.status();
  for (store::StoredFacts& facts : *all) by_host[facts.host_id] = std::move(facts);
  return by_host;
}

v1::FleetFinding FleetFindingOf(const std::string& host_id, const std::string& hostname,
                                const std::string& baseline_id, const v1::Rule& rule,
                                v1::Finding finding, absl::Time observed) {
  v1::FleetFinding found;
  found.set_host_id(host_id);
  found.set_hostname(hostname);
  found.set_baseline_id(baseline_id);
  found.set_rule_id(rule.id());
  found.set_rule_title(rule.title());
  found.set_severity(rule.severity());
  *found.mutable_finding() = std::move(finding);
  *found.mutable_observed_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(observed));
  return found;
}

uint32_t VerdictsWith(Verdict::Status finding) {
  const uint32_t fail = 1u << Verdict::FAIL, unknown = 1u << Verdict::UNKNOWN;
  const uint32_t manual = 1u << Verdict::MANUAL, pass = 1u << Verdict::PASS;
  switch (finding) {
    case Verdict::FAIL:
      return fail;
    case Verdict::UNKNOWN:
      return fail | unknown;
    case Verdict::MANUAL:
      return fail | unknown | manual;
    case Verdict::PASS:
      return pass | manual;
    default:
      return 0;
  }
}

v1::Baseline Alone(const v1::Baseline& baseline, const v1::Rule& rule) {
  v1::Baseline alone;
  alone.set_id(baseline.id());
  alone.set_version(baseline.version());
  alone.set_title(baseline.title());
  alone.set_digest(baseline.digest());
  *alone.add_rules() = rule;
  return alone;
}

FindingPages::FindingPages(const FleetIndex& index, store::ReportStore& reports,
                           const policy::PolicyBook& book, size_t spare_hosts)
    : index_(index), reports_(reports), spare_hosts_(spare_hosts), book_(book) {}

std::shared_ptr<const FindingPages::Entries> FindingPages::CurrentEntries() const {
  const auto policy = book_.current();
  {
    absl::MutexLock lock(&mutex_);
    if (entries_ != nullptr && entries_->policy == policy) return entries_;
  }
  auto entries = std::make_shared<Entries>();
  entries->policy = policy;
  for (const policy::Document& document : policy->documents()) {
    for (int rule = 0; rule < document->rules_size(); ++rule) {
      entries->rules.push_back(
          {static_cast<size_t>(rule), Alone(*document, document->rules(rule))});
    }
  }
  std::sort(entries->rules.begin(), entries->rules.end(),
            [](const RuleEntry& a, const RuleEntry& b) { return KeyOf(a) < KeyOf(b); });
  absl::MutexLock lock(&mutex_);
  entries_ = entries;
  return entries;
}

FindingCandidates FindingPages::Next(const Entries& entries, const FindingQuery& query,
                                     const FindingPosition& position, size_t limit) const {
  uint32_t verdicts = 0;
  for (const Verdict::Status status : query.statuses) verdicts |= VerdictsWith(status);
  // Only what fails is waived.
  if (query.waived == true) verdicts &= VerdictsWith(Verdict::FAIL);
  FindingCandidates next;
  if (verdicts == 0) return next;
  index_.Read([&](const Fleet& fleet) {
    const HostTable& hosts = fleet.hosts();
    const Bitmap selected = fleet.Select(query.selection);
    if (selected.Empty()) return;
    for (const RuleEntry& entry : entries.rules) {
      const v1::Rule& rule = entry.alone.rules(0);
      if (KeyOf(entry) < KeyOf(position)) continue;
      if (rule.severity() < query.minimum_severity) break;
      if (!query.baseline_id.empty() && entry.alone.id() != query.baseline_id) continue;
      if (!query.rules.empty() &&
          std::find(query.rules.begin(), query.rules.end(),
                    std::make_pair(entry.alone.id(), rule.id())) == query.rules.end()) {
        continue;
      }
      const BaselineColumns* baseline = fleet.Find(entry.alone.id());
      next.moved = baseline == nullptr || baseline->document().digest() != entry.alone.digest();
      if (next.moved) return;
      Bitmap among = selected;
      baseline->Filter(entry.rule, verdicts, among);
      const int64_t count = among.Count();
      if (count == 0) continue;
      const bool begun = KeyOf(entry) == KeyOf(position);
      VisitById(hosts, among, count, begun ? position.host_id : "", [&](Slot slot) {
        if (begun && position.host_done && hosts.id(slot) == position.host_id) return true;
        next.hosts.push_back({&entry, std::string(hosts.id(slot)),
                              std::string(hosts.hostname(slot)), hosts.LabelsOf(slot),
                              baseline->since(slot, entry.rule)});
        return next.hosts.size() < limit;
      });
      if (next.hosts.size() >= limit) return;
    }
  });
  // Without the lock: documents that are tailored for the first time are kept in the database.
  for (FindingCandidate& candidate : next.hosts) {
    candidate.policy = entries.policy->For(candidate.host_id, candidate.labels);
  }
  return next;
}

absl::StatusOr<FindingPage> FindingPages::List(const FindingQuery& query) const {
  // Before the first rule.
  FindingPosition position{kSeverityCount - 1, "", "", "", false, "", 0};
  if (!query.after.empty()) {
    auto after = Decode(query.after);
    if (!after.ok()) return after.status();
    position = *std::move(after);
  }
  const std::shared_ptr<const Entries> entries = CurrentEntries();
  FindingPage page;
  std::vector<FindingPosition> positions;
  const size_t budget = query.limit + spare_hosts_;
  size_t looked_at = 0;
  size_t wanted = std::min(kFirstHosts, query.limit + 1);
  bool moved = false;
  v1::HostReport report;
  // One finding more than asked for tells whether there is a next page.
  while (page.findings.size() <= query.limit && looked_at < budget) {
    const FindingCandidates candidates = Next(*entries, query, position, wanted);
    moved = candidates.moved;
    if (candidates.hosts.empty()) break;
    std::vector<std::string> ids;
    for (const FindingCandidate& candidate : candidates.hosts) ids.push_back(candidate.host_id);
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    auto facts = FactsOf(reports_, ids);
    if (!facts.ok()) return facts.status();
    for (const FindingCandidate& candidate : candidates.hosts) {
      ++looked_at;
      const auto stored = facts->find(candidate.host_id);
      if (stored != facts->end()) {
        AddBehind(candidate, FindingsOf(candidate, stored->second, report), stored->second.observed,
                  query, position, page, positions);
      }
      position = BehindHost(candidate);
      if (page.findings.size() > query.limit) break;
    }
    const size_t missing = query.limit + 1 - std::min(page.findings.size(), query.limit);
    wanted = std::clamp(missing * looked_at / std::max<size_t>(page.findings.size(), 1), size_t{8},
                        kMostHosts);
  }
  if (page.findings.size() > query.limit) {
    page.findings.resize(query.limit);
    page.next = Encode(positions[query.limit - 1]);
  } else if (looked_at >= budget || moved) {
    page.next = Encode(position);
  }
  return page;
}

}  // namespace plimsoll::fleet
