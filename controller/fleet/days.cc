#include "controller/fleet/days.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/fleet/summaries.h"

namespace plimsoll::fleet {
namespace {

// A day of 100,000 hosts is some hundred kilobytes of row.
constexpr absl::Duration kWriteInterval = absl::Minutes(10);
constexpr absl::Duration kEndOfDay = absl::Minutes(2);
// Other controllers may still be writing yesterday's last point.
constexpr absl::Duration kSettleTime = absl::Minutes(10);
// Read from the store; of 100,000 hosts, some 30 MB.
constexpr size_t kDaysAtOnce = 8;

absl::CivilDay DayOf(absl::Time time) { return absl::ToCivilDay(time, absl::UTCTimeZone()); }
absl::Time BeginOf(absl::CivilDay day) { return absl::FromCivil(day, absl::UTCTimeZone()); }

// The fleet under one baseline, as the store keeps it.
v1::FleetDay Today(const Fleet& fleet, const BaselineColumns& baseline) {
  const Bitmap selected = fleet.Select({});
  const Bitmap counted = fleet.Counted(baseline, selected);
  std::vector<std::pair<int64_t, Slot>> hosts;
  selected.ForEach([&](Slot slot) { hosts.emplace_back(fleet.hosts().ordinal(slot), slot); });
  std::sort(hosts.begin(), hosts.end());
  v1::FleetDay day;
  int64_t before = 0;
  for (const auto& [ordinal, slot] : hosts) {
    const Score score = counted.Test(slot) ? baseline.score(slot) : Score();
    day.add_ordinal_delta(ordinal - std::exchange(before, ordinal));
    day.add_pass(score.by_status[v1::Verdict::PASS]);
    day.add_fail(score.by_status[v1::Verdict::FAIL]);
    day.add_unknown(score.by_status[v1::Verdict::UNKNOWN]);
    day.add_not_applicable(score.by_status[v1::Verdict::NOT_APPLICABLE]);
    day.add_manual(score.by_status[v1::Verdict::MANUAL]);
    day.add_waived(score.by_status[kWaivedCount]);
  }
  return day;
}

}  // namespace

Days::Days(const FleetIndex& index, store::FleetStore& store, const support::Clock& clock)
    : index_(index), store_(store), clock_(clock) {}

absl::Status Days::Keep(bool last) {
  const absl::Time now = clock_.Now();
  const absl::CivilDay today = DayOf(now);
  const bool day_ends = BeginOf(today + 1) - now <= kEndOfDay;
  std::vector<std::string> ids;
  index_.Read([&](const Fleet& fleet) {
    for (const auto& baseline : fleet.baselines()) ids.push_back(baseline->document().id());
  });
  for (const std::string& id : ids) {
    Written written;
    {
      absl::MutexLock lock(&mutex_);
      written = written_[id];
    }
    store::StoredDay stored;
    stored.day = today;
    bool due = false;
    uint64_t version = 0;
    index_.Read([&](const Fleet& fleet) {
      version = fleet.version();
      const bool is_new = written.day != today || written.time == absl::InfinitePast();
      const bool waited = now - written.time >= kWriteInterval || day_ends || last;
      due = is_new || (version != written.version && waited);
      if (!due) return;
      const BaselineColumns& baseline = *fleet.Find(id);
      stored.baseline_digest = baseline.document().digest();
      stored.content = Today(fleet, baseline);
    });
    if (!due) continue;
    if (auto status = store_.PutDay(id, stored, now); !status.ok()) return status;
    absl::MutexLock lock(&mutex_);
    written_[id] = {today, now, version};
  }
  return absl::OkStatus();
}

absl::StatusOr<Days::Day> Days::Decode(const store::StoredDay& stored) {
  const v1::FleetDay& content = stored.content;
  const int hosts = content.ordinal_delta_size();
  for (const int size : {content.pass_size(), content.fail_size(), content.unknown_size(),
                         content.not_applicable_size(), content.manual_size()}) {
    if (size != hosts) {
      return absl::DataLossError(
          absl::StrCat("the fleet's point of ", absl::FormatCivilTime(stored.day),
                       " is damaged; delete its row in fleet_day to go on without it"));
    }
  }
  Day day(hosts);
  int64_t ordinal = 0;
  for (int i = 0; i < hosts; ++i) {
    ordinal += content.ordinal_delta(i);
    day[i].ordinal = ordinal;
    day[i].counts[v1::Verdict::PASS] = static_cast<uint16_t>(content.pass(i));
    day[i].counts[v1::Verdict::FAIL] = static_cast<uint16_t>(content.fail(i));
    day[i].counts[v1::Verdict::UNKNOWN] = static_cast<uint16_t>(content.unknown(i));
    day[i].counts[v1::Verdict::NOT_APPLICABLE] = static_cast<uint16_t>(content.not_applicable(i));
    day[i].counts[v1::Verdict::MANUAL] = static_cast<uint16_t>(content.manual(i));
    // Days kept before waivers have none.
    if (i < content.waived_size()) {
      day[i].counts[kWaivedCount] = static_cast<uint16_t>(content.waived(i));
    }
  }
  return day;
}

Days::PastDays Days::Kept(const std::string& baseline_id, absl::CivilDay from,
                          absl::CivilDay yesterday) {
  absl::MutexLock lock(&mutex_);
  const PastDays& known = past_[baseline_id];
  return known != nullptr && known->from <= from && known->to >= yesterday ? known : nullptr;
}

void Days::Remember(const std::string& baseline_id, PastDays past) {
  absl::MutexLock lock(&mutex_);
  size_t kept = past->points;
  for (const auto& [id, other] : past_) {
    if (id != baseline_id && other != nullptr) kept += other->points;
  }
  past_[baseline_id] = kept <= kMaximumKept ? std::move(past) : nullptr;
}

absl::Status Days::Read(const std::string& baseline_id, absl::CivilDay from, absl::Time now,
                        const std::function<void(absl::CivilDay, const Day&)>& use) {
  const absl::CivilDay yesterday = DayOf(now) - 1;
  if (const PastDays known = Kept(baseline_id, from, yesterday); known != nullptr) {
    for (auto day = known->days.lower_bound(from); day != known->days.end(); ++day) {
      use(day->first, day->second);
    }
    return absl::OkStatus();
  }
  auto past = std::make_shared<Past>();
  past->from = from;
  past->to = now - BeginOf(yesterday + 1) < kSettleTime ? yesterday - 1 : yesterday;
  for (absl::CivilDay next = from; next <= yesterday;) {
    auto stored = store_.ListDays(baseline_id, next, kDaysAtOnce);
    if (!stored.ok()) return stored.status();
    for (const store::StoredDay& each : *stored) {
      if (each.day > yesterday) break;
      auto day = Decode(each);
      if (!day.ok()) return day.status();
      use(each.day, *day);
      if (past == nullptr) continue;
      past->points += day->size();
      past->days.emplace(each.day, *std::move(day));
      if (past->points > kMaximumKept) past = nullptr;
    }
    if (stored->size() < kDaysAtOnce) break;
    next = stored->back().day + 1;
  }
  if (past != nullptr) Remember(baseline_id, std::move(past));
  return absl::OkStatus();
}

v1::TrendPoint Days::PointOf(absl::CivilDay day, const Day& points,
                             const std::vector<int64_t>* ordinals) {
  v1::TrendPoint point;
  point.set_day(absl::FormatCivilTime(day));
  Counts sum = {};
  int32_t hosts = 0;
  int32_t evaluated = 0;
  // Both are ascending.
  size_t next = 0;
  for (const Point& each : points) {
    if (ordinals != nullptr) {
      while (next < ordinals->size() && (*ordinals)[next] < each.ordinal) ++next;
      if (next == ordinals->size()) break;
      if ((*ordinals)[next] != each.ordinal) continue;
    }
    ++hosts;
    int64_t verdicts = 0;
    for (int i = 0; i < kCountCount; ++i) {
      sum[i] += each.counts[i];
      verdicts += each.counts[i];
    }
    if (verdicts > 0) ++evaluated;
  }
  point.set_host_count(hosts);
  point.set_evaluated_host_count(evaluated);
  AddTo(sum, *point.mutable_counts());
  SetCompliance(point.counts(), point);
  return point;
}

absl::StatusOr<v1::Trend> Days::Trend(const std::string& baseline_id, const Selection& selection,
                                      int days) {
  const absl::Time now = clock_.Now();
  const absl::CivilDay today = DayOf(now);
  v1::Trend trend;
  if (days > 1) {
    const bool everything = selection.selector.empty() && selection.host_id.empty();
    std::vector<int64_t> ordinals;
    if (!everything) {
      index_.Read([&](const Fleet& fleet) {
        fleet.Select(selection).ForEach(
            [&](Slot slot) { ordinals.push_back(fleet.hosts().ordinal(slot)); });
      });
      std::sort(ordinals.begin(), ordinals.end());
    }
    const absl::Status read =
        Read(baseline_id, today - (days - 1), now, [&](absl::CivilDay day, const Day& points) {
          *trend.add_points() = PointOf(day, points, everything ? nullptr : &ordinals);
        });
    if (!read.ok()) return read;
  }
  index_.Read([&](const Fleet& fleet) {
    const BaselineColumns& baseline = *fleet.Find(baseline_id);
    const Bitmap selected = fleet.Select(selection);
    const Bitmap counted = fleet.Counted(baseline, selected);
    v1::TrendPoint& point = *trend.add_points();
    point.set_day(absl::FormatCivilTime(today));
    point.set_host_count(static_cast<int32_t>(selected.Count()));
    point.set_evaluated_host_count(static_cast<int32_t>(counted.Count()));
    Counts sum = {};
    counted.ForEach([&](Slot slot) {
      for (int i = 0; i < kCountCount; ++i) sum[i] += baseline.score(slot).by_status[i];
    });
    AddTo(sum, *point.mutable_counts());
    SetCompliance(point.counts(), point);
  });
  return trend;
}

}  // namespace plimsoll::fleet
