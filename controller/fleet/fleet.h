// All hosts and their verdicts in columns: what every list and count is answered from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/fleet/baseline_columns.h"
#include "controller/fleet/host_table.h"
#include "controller/fleet/selector.h"
#include "controller/store/fleet_store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/selector.pb.h"

namespace plimsoll::fleet {

// Which hosts a request speaks of.
struct Selection {
  Selector selector;
  // Only this host, revoked or not. Empty: every host that is not revoked.
  std::string host_id;
};

// What `state` was judged under; 0: not known, or its baselines do not agree.
uint64_t PolicyKeyOf(const store::HostState& state);

// Plain data: whoever shares it between threads locks (index.h). Times are the controller's clock.
//
// Staleness is judged by when a host was last heard of, and of hosts that talk to other controllers
// this one knows only what the database said when their row was last read. So a host that seems to
// fall silent is read again before it is called stale (Tick says which).
class Fleet {
 public:
  // Hosts not heard of for longer than `stale_after` are stale. Borrows `baselines`, the active
  // documents; their ids differ.
  Fleet(const std::vector<v1::Baseline>& baselines, absl::Duration stale_after);

  // --- Changes.

  // Takes over what the database said at `read`; a removed host goes.
  void Set(const store::HostState& state, absl::Time read);
  void Remove(const std::string& host_id);
  // Something was heard of the host. Unknown hosts are passed over.
  void Hear(const std::string& host_id, absl::Time time);
  // See BaselineColumns::AddDocument. False: no active document has this id.
  bool AddDocument(const v1::Baseline& other);
  // Judges who is stale. Returns ids of hosts, at most `limit`, that should be read again; `turned`
  // (may be null) receives those that became stale or are stale no more.
  std::vector<std::string> Tick(absl::Time now, size_t limit,
                                std::vector<std::string>* turned = nullptr);

  // --- What is there.

  const HostTable& hosts() const { return hosts_; }
  // In the order of the active documents.
  const std::vector<std::unique_ptr<BaselineColumns>>& baselines() const { return baselines_; }
  // Null: no active document has this id.
  const BaselineColumns* Find(const std::string& baseline_id) const;
  const Bitmap& stale() const { return stale_; }
  // Goes up whenever a count may have changed.
  uint64_t version() const { return version_; }
  // Goes on from the version of the fleet whose place this one takes.
  void ContinueFrom(uint64_t version) { version_ = std::max(version_, version) + 1; }

  Bitmap Select(const Selection& selection) const;
  // Those of `selected` whose verdicts count: with a report, neither stale nor quarantined.
  Bitmap Counted(const BaselineColumns& baseline, const Bitmap& selected) const;
  // HostPolicy::key of what the host was judged under, as stored; 0: not known.
  uint64_t policy_key(Slot slot) const { return policy_keys_[slot]; }
  // As the API shows it, with counts and staleness.
  v1::Host Describe(Slot slot) const;

  // Ids, ascending, of the hosts that a HostSelector means, revoked ones left out.
  // INVALID_ARGUMENT: it is empty, says `all` and more, does not parse, or names a saved selector
  // that there is not. NOT_FOUND: a host that is named; FAILED_PRECONDITION lists the ids when a
  // name is not unique.
  absl::StatusOr<std::vector<std::string>> Resolve(const v1::HostSelector& selector,
                                                   const SavedSelectors& saved) const;

 private:
  bool IsStale(Slot slot, int64_t now) const;
  absl::StatusOr<Slot> FindNamed(const std::string& id_or_name) const;

  const int64_t stale_after_;
  HostTable hosts_;
  std::vector<std::unique_ptr<BaselineColumns>> baselines_;
  Bitmap stale_;
  // When each host was last read, microseconds since 1970.
  std::vector<int64_t> read_;
  // See policy_key.
  std::vector<uint64_t> policy_keys_;
  uint64_t version_ = 0;
};

}  // namespace plimsoll::fleet
