// Which files tell of changes, and of which.
#pragma once

#include <map>
#include <string>

#include "collector/host/file_watcher.h"
#include "collector/sources/refresh.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::tracker {

// Files of one file system and what follows when one of them changes.
struct WatchList {
  host::FileWatcher::Targets targets;
  std::map<std::string, sources::Scope> scopes;
  bool operator==(const WatchList&) const = default;
};

struct WatchLists {
  // Of the host: units, users and groups, audit rules; and the engine's, where it sees the same
  // files.
  WatchList host;
  // Of the engine's own mount namespace. Empty where it is the host's.
  WatchList engine;
};

// `plan` alone, with `facts` empty, is enough for the fixed part. Pure.
WatchLists MakeWatchLists(const v1::CollectionPlan& plan, const v1::HostFacts& facts);

}  // namespace plimsoll::tracker
