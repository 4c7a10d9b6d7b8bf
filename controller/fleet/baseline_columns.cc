#include "controller/fleet/baseline_columns.h"

#include <algorithm>
#include <utility>

namespace plimsoll::fleet {
namespace {

constexpr size_t kMaximumTimes = 31;
constexpr int kTimeShift = 3;

}  // namespace

char BaselineColumns::CodeOf(char stored) {
  if (stored == (v1::Verdict::FAIL | store::kWaivedMark)) return kWaivedFail;
  const auto status = static_cast<uint8_t>(stored);
  return status < kStatusCount ? static_cast<char>(status) : 0;
}

BaselineColumns::BaselineColumns(const v1::Baseline& document)
    : document_(document), planes_(document.rules_size()), waived_hosts_(document.rules_size()) {
  for (const v1::Rule& rule : document.rules()) {
    scored_.push_back(rule.scored() && rule.alias_of().empty());
  }
  AddDocument(document);
}

void BaselineColumns::Resize(size_t words) {
  if (words <= reported_.words()) return;
  reported_.Resize(words);
  for (auto& planes : planes_) {
    for (Bitmap& plane : planes) plane.Resize(words);
  }
  rows_.resize(words * 64);
  scores_.resize(words * 64);
}

void BaselineColumns::AddDocument(const v1::Baseline& other) {
  absl::flat_hash_map<std::string, int> places;
  for (int i = 0; i < other.rules_size(); ++i) places.emplace(other.rules(i).id(), i);
  Mapping mapping;
  mapping.to.assign(other.rules_size(), -1);
  for (const v1::Rule& rule : document_.rules()) {
    const auto place = places.find(rule.id());
    const bool known = place != places.end();
    if (known) mapping.to[place->second] = static_cast<int>(mapping.from.size());
    mapping.from.push_back(known ? place->second : -1);
    const v1::Severity severity = known ? other.rules(place->second).severity() : rule.severity();
    mapping.severities.push_back(
        static_cast<uint8_t>(std::clamp<int>(severity, 0, kSeverityCount - 1)));
  }
  mappings_[other.digest()] = std::move(mapping);
}

bool BaselineColumns::Knows(const std::string& digest) const { return mappings_.contains(digest); }

void BaselineColumns::Flip(size_t rule, Slot slot, int difference) {
  for (int i = 0; i < kPlanes; ++i) {
    if ((difference >> i) & 1) planes_[rule][i].data()[slot / 64] ^= uint64_t{1} << (slot % 64);
  }
  if (difference & 8) waived_hosts_[rule] += planes_[rule][3].Test(slot) ? 1 : -1;
}

void BaselineColumns::Set(Slot slot, const store::HostVerdicts* verdicts) {
  const auto mapping =
      verdicts == nullptr ? mappings_.end() : mappings_.find(verdicts->baseline_digest);
  if (mapping == mappings_.end() || verdicts->statuses.empty()) return Clear(slot);
  SetCells(slot, *verdicts, mapping->second);
  SetFailing(rows_[slot], verdicts->failing, mapping->second);
  reported_.Set(slot);
}

void BaselineColumns::Clear(Slot slot) {
  Row& row = rows_[slot];
  for (size_t rule = 0; rule < row.cells.size(); ++rule)
    Flip(rule, slot, PlanesOf(row.cells[rule]));
  Release(row);
  row = Row();
  scores_[slot] = Score();
  reported_.Clear(slot);
}

void BaselineColumns::SetCells(Slot slot, const store::HostVerdicts& verdicts,
                               const Mapping& mapping) {
  Row& row = rows_[slot];
  Score score;
  if (row.cells.empty()) row.cells.resize(mapping.from.size());
  std::vector<int64_t> since(mapping.from.size());
  std::vector<int64_t> times;
  for (size_t rule = 0; rule < mapping.from.size(); ++rule) {
    const int from = mapping.from[rule];
    char code = 0;
    if (from >= 0 && from < static_cast<int>(verdicts.statuses.size())) {
      code = CodeOf(verdicts.statuses[from]);
    }
    if (from >= 0 && from < static_cast<int>(verdicts.since.size())) {
      since[rule] = verdicts.since[from];
    }
    const int before = PlanesOf(row.cells[rule]);
    const int now = PlanesOf(code);
    if (before != now) Flip(rule, slot, before ^ now);
    const auto time = std::find(times.begin(), times.end(), since[rule]);
    // Past 31 the place is of no use: `times` will be one for each rule.
    const size_t place = std::min<size_t>(time - times.begin(), kMaximumTimes);
    if (time == times.end()) times.push_back(since[rule]);
    row.cells[rule] = static_cast<char>(code | place << kTimeShift);
    if (!scored_[rule]) continue;
    ++score.by_status[now & 7];
    if ((now & 7) != v1::Verdict::FAIL) continue;
    const uint8_t severity = mapping.severities[rule];
    ++score.failing[severity];
    if ((now & 8) == 0) continue;
    ++score.by_status[kWaivedCount];
    ++score.waived[severity];
  }
  row.times = times.size() > kMaximumTimes ? std::move(since) : std::move(times);
  row.times.shrink_to_fit();
  scores_[slot] = score;
}

int64_t BaselineColumns::since(Slot slot, size_t rule) const {
  const Row& row = rows_[slot];
  if (row.times.size() > kMaximumTimes) return row.times[rule];
  return row.times[static_cast<uint8_t>(row.cells[rule]) >> kTimeShift];
}

void BaselineColumns::SetFailing(Row& row, const v1::FailingContainers& failing,
                                 const Mapping& mapping) {
  std::vector<ConfigurationUse> uses;
  uses.reserve(failing.configurations_size());
  for (const auto& configuration : failing.configurations()) {
    if (configuration.count() <= 0) continue;
    std::vector<uint16_t> rules;
    rules.reserve(configuration.rules_size());
    for (const int place : configuration.rules()) {
      const bool known = place >= 0 && place < static_cast<int>(mapping.to.size());
      if (known && mapping.to[place] >= 0) {
        rules.push_back(static_cast<uint16_t>(mapping.to[place]));
      }
    }
    if (!std::is_sorted(rules.begin(), rules.end())) std::sort(rules.begin(), rules.end());
    if (rules.empty()) continue;
    uses.push_back({Intern(configuration.fingerprint(), std::move(rules)),
                    static_cast<uint32_t>(configuration.count())});
  }
  // After the new uses are counted, so that what stays keeps its number.
  Release(row);
  row.failing = std::move(uses);
}

void BaselineColumns::Release(const Row& row) {
  for (const ConfigurationUse& use : row.failing) {
    Configuration& configuration = configurations_[use.configuration];
    if (--configuration.uses > 0) continue;
    numbers_.erase({configuration.fingerprint, configuration.rules});
    configuration = Configuration();
    free_.push_back(use.configuration);
  }
}

uint32_t BaselineColumns::Intern(uint64_t fingerprint, std::vector<uint16_t> rules) {
  const auto [known, is_new] = numbers_.try_emplace({fingerprint, rules}, 0);
  if (is_new) {
    if (free_.empty()) {
      known->second = static_cast<uint32_t>(configurations_.size());
      configurations_.emplace_back();
    } else {
      known->second = free_.back();
      free_.pop_back();
    }
    configurations_[known->second] = {fingerprint, std::move(rules), 0};
  }
  ++configurations_[known->second].uses;
  return known->second;
}

Counts BaselineColumns::Count(size_t rule, const Bitmap& among, int64_t hosts) const {
  const auto& planes = planes_[rule];
  const PlaneCounts in = CountPlanes(among.data(), planes[0].data(), planes[1].data(),
                                     planes[2].data(), among.words());
  // 1 PASS, 2 FAIL, 3 NOT_APPLICABLE, 4 MANUAL, 0 UNKNOWN.
  Counts counts = {};
  counts[v1::Verdict::PASS] = in.first - in.both;
  counts[v1::Verdict::FAIL] = in.second - in.both;
  counts[v1::Verdict::NOT_APPLICABLE] = in.both;
  counts[v1::Verdict::MANUAL] = in.third;
  counts[v1::Verdict::UNKNOWN] = hosts - in.first - in.second + in.both - in.third;
  if (waived_hosts_[rule] == 0) return counts;
  Bitmap waived = planes[3];
  waived.And(among);
  counts[kWaivedCount] = waived.Count();
  return counts;
}

void BaselineColumns::Filter(size_t rule, uint32_t statuses, Bitmap& among) const {
  const auto mask = [statuses](int status) -> uint64_t {
    return (statuses >> status) & 1 ? ~uint64_t{0} : 0;
  };
  const uint64_t pass = mask(v1::Verdict::PASS), fail = mask(v1::Verdict::FAIL);
  const uint64_t other = mask(v1::Verdict::NOT_APPLICABLE), manual = mask(v1::Verdict::MANUAL);
  const uint64_t unknown = mask(v1::Verdict::UNKNOWN);
  for (size_t i = 0; i < among.words(); ++i) {
    const uint64_t a = planes_[rule][0].data()[i];
    const uint64_t b = planes_[rule][1].data()[i];
    const uint64_t c = planes_[rule][2].data()[i];
    among.data()[i] &= reported_.data()[i] & ((pass & a & ~b) | (fail & b & ~a) | (other & a & b) |
                                              (manual & c) | (unknown & ~(a | b | c)));
  }
}

void AddTo(const Counts& counts, v1::StatusCounts& to) {
  const auto sum = [&counts](int status, int32_t before) {
    return static_cast<int32_t>(before + counts[status]);
  };
  to.set_pass(sum(v1::Verdict::PASS, to.pass()));
  to.set_fail(sum(v1::Verdict::FAIL, to.fail()));
  to.set_unknown(sum(v1::Verdict::UNKNOWN, to.unknown()));
  to.set_not_applicable(sum(v1::Verdict::NOT_APPLICABLE, to.not_applicable()));
  to.set_manual(sum(v1::Verdict::MANUAL, to.manual()));
  to.set_waived(sum(kWaivedCount, to.waived()));
}

void AddTo(const Score& score, v1::StatusCounts& to) {
  Counts counts = {};
  std::copy(score.by_status.begin(), score.by_status.end(), counts.begin());
  AddTo(counts, to);
}

}  // namespace plimsoll::fleet
