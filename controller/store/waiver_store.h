// Waivers and what became of them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/waiver_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// What a change was, for the history.
struct WaiverNote {
  v1::WaiverChange::Action action = v1::WaiverChange::ACTION_UNSPECIFIED;
  std::string actor;
  std::string note;
  absl::Time time;
};

// What a bound waiver was granted for: fingerprints by host id.
using WaiverBindings = std::map<std::string, std::vector<uint64_t>>;

// Which waivers, and where the page begins. All conditions must hold.
struct WaiverQuery {
  // Empty: any. EXPIRED is judged by `now`, and the others do not include what is expired.
  std::vector<v1::Waiver::State> states;
  // Empty: any.
  std::string baseline_id;
  // Empty: any; otherwise one of these: baseline id (empty: any) and rule id.
  std::vector<std::pair<std::string, std::string>> rules;
  // Empty: any.
  std::string owner;
  absl::Time expire_before = absl::InfiniteFuture();
  absl::Time now;
  // Expiry and id of the last waiver of the previous page; InfinitePast: from the first.
  absl::Time after_expiry = absl::InfinitePast();
  std::string after_id;
  int limit = 100;
};

// A waiver that is approved, as judging needs it.
struct StoredWaiver {
  v1::Waiver waiver;
  WaiverBindings bindings;
};

// Which changes of one waiver, and where the page begins.
struct WaiverHistoryQuery {
  std::string waiver_id;
  // Changes that led to a version below this. 0: from the newest.
  int64_t before_version = 0;
  int limit = 100;
};

// Thread-safe; errors as in store.h. Changes are announced to all controllers (change_feed.h) in
// the same transaction. Waivers come with `version`, without `active` and counts, and with the
// state that is stored: EXPIRED is the reader's to judge.
class WaiverStore {
 public:
  explicit WaiverStore(ConnectionPool& pool) : pool_(pool) {}

  // ALREADY_EXISTS: the id is taken.
  absl::StatusOr<v1::Waiver> Create(const v1::Waiver& waiver, const WaiverNote& note);
  // NOT_FOUND.
  absl::StatusOr<v1::Waiver> Get(const std::string& id);
  // `change` is given what is stored, under a lock, and leaves in it what it shall be. An error of
  // `change` is returned and changes nothing. `bindings`, where not null, take the place of those
  // there are. NOT_FOUND.
  absl::StatusOr<v1::Waiver> Update(const std::string& id,
                                    const std::function<absl::Status(v1::Waiver&)>& change,
                                    const WaiverNote& note, const WaiverBindings* bindings);
  // By expiry, then id.
  absl::StatusOr<std::vector<v1::Waiver>> List(const WaiverQuery& query);
  // Newest first. NOT_FOUND: no such waiver.
  absl::StatusOr<std::vector<v1::WaiverChange>> ListHistory(const WaiverHistoryQuery& query);
  // Every approved waiver that expires after `now`, begun or not, by id, with what it is bound to.
  absl::StatusOr<std::vector<StoredWaiver>> ListInEffect(absl::Time now);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
