#include "controller/fleet/index.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace plimsoll::fleet {
namespace {

// Hosts read in one statement, and taken over under one lock.
constexpr size_t kBatch = 256;
constexpr size_t kChunk = 32;
// Hosts that fell silent, in one statement and from one tick: what changed comes first.
constexpr size_t kSilentBatch = 64;
constexpr size_t kSilentLimit = 2048;
constexpr absl::Duration kPause = absl::Seconds(1);
// Hosts whose labels are copied under one lock.
constexpr size_t kVisit = 500;

// Moves at most `limit` out of `from`.
std::vector<std::string> Take(absl::flat_hash_set<std::string>& from, size_t limit) {
  std::vector<std::string> taken;
  taken.reserve(std::min(limit, from.size()));
  while (!from.empty() && taken.size() < limit) {
    taken.push_back(std::move(from.extract(from.begin()).value()));
  }
  return taken;
}

// Digests that `state` was judged under, of active baselines, that `fleet` does not know.
std::vector<std::string> UnknownDocuments(const Fleet& fleet, const store::HostState& state) {
  std::vector<std::string> digests;
  for (const store::HostVerdicts& verdicts : state.verdicts) {
    if (verdicts.baseline_digest.empty()) continue;
    const BaselineColumns* baseline = fleet.Find(verdicts.baseline_id);
    if (baseline != nullptr && !baseline->Knows(verdicts.baseline_digest)) {
      digests.push_back(verdicts.baseline_digest);
    }
  }
  return digests;
}

}  // namespace

FleetIndex::FleetIndex(store::FleetStore& fleet, store::ReportStore& reports,
                       const std::vector<v1::Baseline>& baselines, const support::Clock& clock,
                       Options options)
    : store_(fleet),
      reports_(reports),
      clock_(clock),
      options_(std::move(options)),
      content_(std::make_unique<Content>(baselines, options_.stale_after)) {}

FleetIndex::~FleetIndex() {
  {
    absl::MutexLock lock(&queue_mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

absl::Status FleetIndex::Load() {
  const absl::Time read = clock_.Now();
  absl::Status learned;
  auto moment = store_.Load([&](store::HostState state) {
    learned.Update(LearnDocuments(state));
    absl::MutexLock lock(&mutex_);
    content_->fleet.Set(state, read);
  });
  if (!moment.ok()) return moment.status();
  if (!learned.ok()) return learned;
  moment_ = *moment;
  {
    absl::MutexLock lock(&mutex_);
    loaded_ = true;
  }
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void FleetIndex::Changed(const std::vector<std::string>& host_ids) {
  if (host_ids.empty()) return;
  absl::MutexLock lock(&queue_mutex_);
  changed_.insert(host_ids.begin(), host_ids.end());
  ++announced_;
}

void FleetIndex::CatchUp() {
  absl::MutexLock lock(&queue_mutex_);
  behind_ = true;
  ++announced_;
}

void FleetIndex::Seen(const std::map<std::string, absl::Time>& last_seen) {
  for (auto it = last_seen.begin(); it != last_seen.end();) {
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; i < kBatch && it != last_seen.end(); ++i, ++it) {
      content_->fleet.Hear(it->first, it->second);
    }
  }
}

void FleetIndex::Tick() {
  std::vector<std::string> silent;
  std::vector<std::string> turned;
  {
    absl::MutexLock lock(&mutex_);
    silent = content_->fleet.Tick(clock_.Now(), kSilentLimit, &turned);
  }
  if (options_.shown != nullptr && !turned.empty()) options_.shown(turned);
  if (silent.empty()) return;
  absl::MutexLock lock(&queue_mutex_);
  silent_.insert(silent.begin(), silent.end());
}

bool FleetIndex::Await(absl::Duration timeout) {
  absl::MutexLock lock(&queue_mutex_);
  const uint64_t wanted = announced_;
  const auto settled = [this, wanted]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_mutex_) {
    return settled_ >= wanted;
  };
  return queue_mutex_.AwaitWithTimeout(absl::Condition(&settled), timeout);
}

template <class Visit>
void FleetIndex::VisitOutdated(const policy::Policy& policy, std::string after_id,
                               Visit visit) const {
  struct JudgedHost {
    std::string id;
    policy::Labels labels;
    uint64_t key = 0;
  };
  std::vector<JudgedHost> judged;
  bool more = true;
  while (more) {
    judged.clear();
    more = false;
    Read([&](const Fleet& fleet) {
      const HostTable& hosts = fleet.hosts();
      size_t seen = 0;
      std::string last = after_id;
      hosts.VisitById(after_id, [&](Slot slot) {
        if (hosts.id(slot) == after_id) return true;
        last = std::string(hosts.id(slot));
        if (hosts.observed(slot) != kNever) {
          judged.push_back({last, hosts.LabelsOf(slot), fleet.policy_key(slot)});
        }
        more = ++seen == kVisit;
        return !more;
      });
      after_id = std::move(last);
    });
    // Without the lock: documents that are tailored for the first time are kept in the database.
    for (const JudgedHost& host : judged) {
      if (policy.For(host.id, host.labels).key != host.key && !visit(host.id)) return;
    }
  }
}

std::vector<std::string> FleetIndex::ListOutdated(const policy::Policy& policy,
                                                  const std::string& after_id, size_t limit) const {
  std::vector<std::string> ids;
  VisitOutdated(policy, after_id, [&](const std::string& id) {
    ids.push_back(id);
    return ids.size() < limit;
  });
  return ids;
}

int64_t FleetIndex::CountOutdated(const policy::Policy& policy) const {
  int64_t count = 0;
  VisitOutdated(policy, "", [&](const std::string&) {
    ++count;
    return true;
  });
  return count;
}

policy::Labels FleetIndex::LabelsOf(const std::string& host_id) const {
  return Read([&host_id](const Fleet& fleet) {
    Slot slot = 0;
    return fleet.hosts().Find(host_id, slot) ? fleet.hosts().LabelsOf(slot) : policy::Labels();
  });
}

void FleetIndex::Run() {
  while (true) {
    std::vector<std::string> ids;
    bool behind = false;
    bool urgent = true;
    uint64_t announced = 0;
    {
      absl::MutexLock lock(&queue_mutex_);
      const auto work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_mutex_) {
        return stopped_ || behind_ || !changed_.empty() || !silent_.empty();
      };
      queue_mutex_.Await(absl::Condition(&work));
      if (stopped_) return;
      behind = std::exchange(behind_, false);
      announced = announced_;
      if (!behind) {
        urgent = !changed_.empty();
        ids = urgent ? Take(changed_, kBatch) : Take(silent_, kSilentBatch);
      }
    }
    const absl::Status status = behind ? LookForChanges() : ReadAgain(ids);
    absl::MutexLock lock(&queue_mutex_);
    if (status.ok()) {
      // What is announced meanwhile is in the queue, and not counted.
      if (changed_.empty() && !behind_) settled_ = std::max(settled_, announced);
      continue;
    }
    spdlog::warn("fleet index waits for the database hosts={} error=\"{}\"", ids.size(),
                 status.ToString());
    behind_ = behind_ || behind;
    if (urgent) changed_.insert(ids.begin(), ids.end());
    queue_mutex_.AwaitWithTimeout(absl::Condition(&stopped_), kPause);
    if (stopped_) return;
  }
}

absl::Status FleetIndex::LookForChanges() {
  store::Moment since = moment_;
  {
    absl::MutexLock lock(&queue_mutex_);
    since.xmin = std::min(since.xmin, std::exchange(loaded_at_, store::kNever).xmin);
  }
  const store::Moment from = since;
  auto ids = store_.ChangedSince(since);
  absl::MutexLock lock(&queue_mutex_);
  if (!ids.ok()) {
    loaded_at_.xmin = std::min(loaded_at_.xmin, from.xmin);
    return ids.status();
  }
  moment_ = since;
  changed_.insert(ids->begin(), ids->end());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Baseline>> FleetIndex::Fetch(
    const std::vector<std::string>& digests, absl::flat_hash_set<std::string>& lost) {
  std::vector<v1::Baseline> documents;
  for (const std::string& digest : digests) {
    if (lost.contains(digest)) continue;
    auto document = reports_.GetBaseline(digest);
    if (absl::IsNotFound(document.status())) {
      lost.insert(digest);
      spdlog::warn("baseline document not stored digest={}", digest);
      continue;
    }
    if (!document.ok()) return document.status();
    documents.push_back(*std::move(document));
  }
  return documents;
}

absl::Status FleetIndex::LearnDocuments(const store::HostState& state) {
  const std::vector<std::string> wanted =
      Read([&state](const Fleet& fleet) { return UnknownDocuments(fleet, state); });
  if (wanted.empty()) return absl::OkStatus();
  auto documents = Fetch(wanted, lost_documents_);
  if (!documents.ok()) return documents.status();
  absl::MutexLock lock(&mutex_);
  for (const v1::Baseline& document : *documents) content_->fleet.AddDocument(document);
  return absl::OkStatus();
}

absl::Status FleetIndex::SetDocuments(std::vector<v1::Baseline> documents) {
  {
    absl::MutexLock lock(&mutex_);
    for (const v1::Baseline& before : content_->documents) {
      const bool stays =
          std::none_of(documents.begin(), documents.end(),
                       [&](const v1::Baseline& each) { return each.id() == before.id(); });
      if (stays) documents.push_back(before);
    }
    if (!loaded_) {
      content_ = std::make_unique<Content>(std::move(documents), options_.stale_after);
      return absl::OkStatus();
    }
  }
  auto fresh = std::make_unique<Content>(std::move(documents), options_.stale_after);
  const absl::Time read = clock_.Now();
  absl::flat_hash_set<std::string> lost;
  absl::Status learned;
  auto moment = store_.Load([&](store::HostState state) {
    auto known = Fetch(UnknownDocuments(fresh->fleet, state), lost);
    learned.Update(known.status());
    if (known.ok()) {
      for (const v1::Baseline& document : *known) fresh->fleet.AddDocument(document);
    }
    fresh->fleet.Set(state, read);
  });
  if (!moment.ok()) return moment.status();
  if (!learned.ok()) return learned;
  {
    absl::MutexLock lock(&mutex_);
    fresh->fleet.ContinueFrom(content_->fleet.version());
    content_.swap(fresh);
  }
  // What changed while it was read went to the old columns.
  {
    absl::MutexLock lock(&queue_mutex_);
    loaded_at_.xmin = std::min(loaded_at_.xmin, moment->xmin);
  }
  CatchUp();
  return absl::OkStatus();
}

absl::Status FleetIndex::ReadAgain(const std::vector<std::string>& ids) {
  const absl::Time read = clock_.Now();
  auto states = store_.Get(ids);
  if (!states.ok()) return states.status();
  absl::flat_hash_set<absl::string_view> gone(ids.begin(), ids.end());
  for (const store::HostState& state : *states) {
    gone.erase(state.host.id());
    if (auto status = LearnDocuments(state); !status.ok()) return status;
  }
  for (size_t begin = 0; begin < states->size(); begin += kChunk) {
    const size_t end = std::min(begin + kChunk, states->size());
    absl::MutexLock lock(&mutex_);
    for (size_t i = begin; i < end; ++i) content_->fleet.Set((*states)[i], read);
  }
  {
    absl::MutexLock lock(&mutex_);
    for (const absl::string_view id : gone) content_->fleet.Remove(std::string(id));
  }
  if (options_.read_again != nullptr) {
    for (const store::HostState& state : *states) options_.read_again(state);
  }
  if (options_.shown != nullptr) options_.shown(ids);
  if (options_.unwelcome == nullptr) return absl::OkStatus();
  for (const absl::string_view id : gone) options_.unwelcome(std::string(id));
  for (const store::HostState& state : *states) {
    const v1::Host::Connection connection = state.host.connection();
    if (state.removed || connection == v1::Host::REVOKED || connection == v1::Host::QUARANTINED) {
      options_.unwelcome(state.host.id());
    }
  }
  return absl::OkStatus();
}

}  // namespace plimsoll::fleet
