// Which files an audit rule of a baseline is about: paths, units, daemon.json, the data root, and
// the programs of the engine wherever this host keeps them (rules.md 1.05 to 1.13).
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "controller/evaluate/check.h"
#include "controller/evaluate/checks/file_targets.h"
#include "plimsoll/v1/audit_checks.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::evaluate {

// One file or directory that must be audited.
struct AuditTarget {
  // How it is named, and its metadata where the collector has any.
  FileTarget file;
  // kAbsent targets stay in the list, so that "nothing of it exists" can be told.
  Presence presence = Presence::kUnknown;
  // Valid when present. Links resolved; "major:minor", empty when not known.
  std::string canonical_path = {};
  bool is_directory = false;
  std::string device = {};
  // Judged, but only a note comes of it.
  bool note_only = false;
};

struct AuditTargets {
  // Each canonical path once.
  std::vector<AuditTarget> list;
  // One of the list is enough.
  bool any = false;
};

// Appends what the arguments name; tells the judge what keeps a target from being known.
AuditTargets ResolveAuditTargets(const Context& context, const v1::AuditWatchArgs& args,
                                 Judge& judge);

// Paths to stat and units to resolve for these arguments. Programs that only the host can name (the
// daemon's executable, another runtime) are the collector's to find.
void PlanAuditTargets(const v1::AuditWatchArgs& args, v1::CollectionPlan& plan);

}  // namespace plimsoll::evaluate
