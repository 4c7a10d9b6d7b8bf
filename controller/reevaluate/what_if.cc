#include "controller/reevaluate/what_if.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/evaluate.h"
#include "controller/fleet/finding_pages.h"
#include "controller/reevaluate/flips.h"
#include "proto/support/logging.h"

namespace plimsoll::reevaluate {
namespace {

constexpr size_t kBatch = 50;
constexpr int kNice = 10;
constexpr absl::Duration kPause = absl::Milliseconds(50);

// The document of `policy` with this id; null: none.
const v1::Baseline* DocumentOf(const policy::HostPolicy& policy, const std::string& id) {
  for (const policy::Document& document : *policy.documents) {
    if (document->id() == id) return document.get();
  }
  return nullptr;
}

// The report under one document, into `report`.
Judged JudgeBy(const store::StoredFacts& stored, const policy::HostPolicy& policy,
               const std::string& baseline_id, v1::HostReport& report) {
  const v1::Baseline* document = DocumentOf(policy, baseline_id);
  if (document == nullptr) return {};
  evaluate::Evaluate(stored.facts, *document,
                     {.as_of = stored.observed, .waivers = policy.waivers, .now = policy.now},
                     report);
  return {&report, document};
}

std::vector<v1::Flip> Compare(const store::StoredFacts& stored, const policy::HostPolicy& before,
                              const policy::HostPolicy& after) {
  std::vector<v1::Flip> flips;
  if (before.key == after.key) return flips;
  v1::HostReport old_report, new_report;
  std::vector<std::string> ids;
  for (const policy::HostPolicy* policy : {&after, &before}) {
    for (const policy::Document& document : *policy->documents) {
      if (std::find(ids.begin(), ids.end(), document->id()) == ids.end()) {
        ids.push_back(document->id());
      }
    }
  }
  for (const std::string& id : ids) {
    const Judged was = JudgeBy(stored, before, id, old_report);
    const Judged will = JudgeBy(stored, after, id, new_report);
    for (v1::Flip& flip : FlipsOf(was, will)) flips.push_back(std::move(flip));
  }
  return flips;
}

absl::Status NoSuchWhatIf(const std::string& id) {
  return absl::NotFoundError(
      absl::StrCat("no what-if \"", id.substr(0, 64), "\" of yours is kept here; start it again"));
}

}  // namespace

WhatIfs::WhatIfs(store::Store& store, const fleet::FleetIndex& index, const support::Clock& clock)
    : store_(store), index_(index), clock_(clock), thread_([this] { Loop(); }) {}

WhatIfs::~WhatIfs() { Stop(); }

void WhatIfs::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void WhatIfs::Forget() {
  const absl::Time before = clock_.Now() - kLifetime;
  for (auto it = runs_.begin(); it != runs_.end();) {
    it = it->second->looked_at < before ? runs_.erase(it) : std::next(it);
  }
}

absl::StatusOr<v1::WhatIf> WhatIfs::Start(const std::string& id, const std::string& owner,
                                          std::shared_ptr<const policy::Policy> before,
                                          std::shared_ptr<const policy::Policy> after,
                                          const fleet::Selector& scope) {
  auto run = std::make_shared<Run>();
  run->owner = owner;
  run->before = std::move(before);
  run->after = std::move(after);
  run->looked_at = clock_.Now();
  index_.Read([&](const fleet::Fleet& fleet) {
    const fleet::HostTable& hosts = fleet.hosts();
    fleet.Select({scope, ""}).ForEach([&](fleet::Slot slot) {
      run->hosts.push_back({std::string(hosts.id(slot)), std::string(hosts.hostname(slot)),
                            hosts.LabelsOf(slot), hosts.connection(slot) == v1::Host::CONNECTED});
    });
  });
  std::sort(run->hosts.begin(), run->hosts.end(), [](const Host& a, const Host& b) {
    return std::tie(a.hostname, a.id) < std::tie(b.hostname, b.id);
  });
  run->what_if.set_id(id);
  run->what_if.set_host_count(static_cast<int32_t>(run->hosts.size()));
  *run->what_if.mutable_start_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(run->looked_at));
  absl::MutexLock lock(&mutex_);
  Forget();
  if (runs_.size() >= kMostKept) {
    return absl::ResourceExhaustedError(
        absl::StrCat(kMostKept, " what-ifs are kept; cancel one, or wait"));
  }
  runs_[id] = run;
  queue_.push_back(run);
  return Describe(*run);
}

absl::StatusOr<WhatIfs::RunPtr> WhatIfs::Find(const std::string& id, const std::string& owner) {
  const auto run = runs_.find(id);
  if (run == runs_.end() || run->second->owner != owner) return NoSuchWhatIf(id);
  run->second->looked_at = clock_.Now();
  return run->second;
}

v1::WhatIf WhatIfs::Describe(const Run& run) {
  v1::WhatIf what_if = run.what_if;
  for (const auto& [key, count] : run.by_status) {
    v1::WhatIf::FlipCount& line = *what_if.add_flips();
    line.set_from(static_cast<v1::Verdict::Status>(std::get<0>(key)));
    line.set_from_waived(std::get<1>(key));
    line.set_to(static_cast<v1::Verdict::Status>(std::get<2>(key)));
    line.set_to_waived(std::get<3>(key));
    line.set_count(count);
  }
  for (const auto& [key, counts] : run.by_rule) {
    v1::WhatIf::RuleFlips& line = *what_if.add_rules();
    line.set_baseline_id(key.first);
    line.set_rule_id(key.second);
    line.set_count(counts.first);
    line.set_host_count(counts.second);
  }
  const auto more = [](const auto& a, const auto& b) { return a.count() > b.count(); };
  std::stable_sort(what_if.mutable_flips()->begin(), what_if.mutable_flips()->end(), more);
  std::stable_sort(what_if.mutable_rules()->begin(), what_if.mutable_rules()->end(), more);
  return what_if;
}

absl::StatusOr<v1::WhatIf> WhatIfs::Get(const std::string& id, const std::string& owner) {
  absl::MutexLock lock(&mutex_);
  auto run = Find(id, owner);
  if (!run.ok()) return run.status();
  return Describe(**run);
}

absl::StatusOr<std::vector<v1::Flip>> WhatIfs::ListFlips(const std::string& id,
                                                         const std::string& owner, size_t begin,
                                                         size_t limit) {
  absl::MutexLock lock(&mutex_);
  auto run = Find(id, owner);
  if (!run.ok()) return run.status();
  const std::vector<v1::Flip>& flips = (*run)->flips;
  begin = std::min(begin, flips.size());
  const size_t end = begin + std::min(limit, flips.size() - begin);
  return std::vector<v1::Flip>(flips.begin() + begin, flips.begin() + end);
}

absl::Status WhatIfs::Cancel(const std::string& id, const std::string& owner) {
  absl::MutexLock lock(&mutex_);
  auto run = Find(id, owner);
  if (!run.ok()) return run.status();
  queue_.erase(std::remove(queue_.begin(), queue_.end(), *run), queue_.end());
  runs_.erase(id);
  return absl::OkStatus();
}

void WhatIfs::Note(Run& run, const Host& host, bool judged, std::vector<v1::Flip> flips) {
  v1::WhatIf& what_if = run.what_if;
  what_if.set_judged_host_count(what_if.judged_host_count() + 1);
  if (!judged) {
    what_if.set_skipped_host_count(what_if.skipped_host_count() + 1);
    return;
  }
  if (!host.connected) what_if.set_offline_host_count(what_if.offline_host_count() + 1);
  if (flips.empty()) return;
  what_if.set_flipped_host_count(what_if.flipped_host_count() + 1);
  std::pair<std::string, std::string> last;
  for (v1::Flip& flip : flips) {
    what_if.set_flip_count(what_if.flip_count() + 1);
    ++run.by_status[{flip.from(), flip.from_waived(), flip.to(), flip.to_waived()}];
    std::pair<std::string, std::string> rule(flip.baseline_id(), flip.rule_id());
    auto& counts = run.by_rule[rule];
    ++counts.first;
    // A host's flips of one rule come one after the other.
    if (rule != last) ++counts.second;
    last = std::move(rule);
    if (run.flips.size() >= kMostFlips) {
      what_if.set_unlisted_flip_count(what_if.unlisted_flip_count() + 1);
      continue;
    }
    flip.set_host_id(host.id);
    flip.set_hostname(host.hostname);
    run.flips.push_back(std::move(flip));
  }
}

absl::Status WhatIfs::Judge(const Run& run, size_t begin, size_t end,
                            std::vector<std::vector<v1::Flip>>& flips, std::vector<bool>& judged) {
  std::vector<std::string> ids;
  for (size_t i = begin; i < end; ++i) ids.push_back(run.hosts[i].id);
  auto facts = fleet::FactsOf(store_.reports(), ids);
  if (!facts.ok()) return facts.status();
  flips.assign(end - begin, {});
  judged.assign(end - begin, false);
  for (size_t i = begin; i < end; ++i) {
    const Host& host = run.hosts[i];
    const auto stored = facts->find(host.id);
    if (stored == facts->end()) continue;
    judged[i - begin] = true;
    flips[i - begin] = Compare(stored->second, run.before->For(host.id, host.labels),
                               run.after->For(host.id, host.labels));
  }
  return absl::OkStatus();
}

void WhatIfs::Loop() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  size_t next = 0;
  std::vector<std::vector<v1::Flip>> flips;
  std::vector<bool> judged;
  while (true) {
    RunPtr run;
    {
      absl::MutexLock lock(&mutex_);
      const auto work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopped_ || !queue_.empty();
      };
      mutex_.Await(absl::Condition(&work));
      if (stopped_) return;
      run = queue_.front();
    }
    next = static_cast<size_t>(run->what_if.judged_host_count());
    const size_t end = std::min(next + kBatch, run->hosts.size());
    absl::Status status;
    bool wait = store_.Busy();
    if (!wait) {
      status = Judge(*run, next, end, flips, judged);
      // Worth trying again with the same hosts.
      wait = absl::IsUnavailable(status) || absl::IsAborted(status);
    }
    absl::MutexLock lock(&mutex_);
    if (wait) {
      mutex_.AwaitWithTimeout(absl::Condition(&stopped_), kPause);
      continue;
    }
    // It may have been cancelled meanwhile.
    const bool there = !queue_.empty() && queue_.front() == run;
    if (status.ok()) {
      for (size_t i = next; i < end; ++i) {
        Note(*run, run->hosts[i], judged[i - next], std::move(flips[i - next]));
      }
    } else {
      spdlog::error("what-if given up id={} error=\"{}\"", run->what_if.id(),
                    support::LogSafe(status.ToString()));
      run->what_if.set_error("facts cannot be read; see the controller's log");
    }
    if (status.ok() && end < run->hosts.size()) continue;
    run->what_if.set_done(status.ok());
    if (there) queue_.erase(queue_.begin());
    // Outcomes are kept, hosts and their labels are not.
    run->hosts = {};
  }
}

}  // namespace plimsoll::reevaluate
