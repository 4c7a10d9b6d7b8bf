// What a waiver means now: findings of stored facts, whether their hosts are connected or not.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/fleet/index.h"
#include "controller/policy/policy.h"
#include "controller/store/report_store.h"
#include "plimsoll/v1/finding_service.pb.h"
#include "plimsoll/v1/waiver_service.pb.h"

namespace plimsoll::fleet {

// A host on which a rule of the waiver fails.
struct CoverageHost {
  std::string id;
  std::string hostname;
  policy::Labels labels;
  bool connected = false;
};

// Hosts that a waiver selects, within a caller's part of the fleet.
struct CoverageHosts {
  // Those on which one of its rules fails, by host name, then id.
  std::vector<CoverageHost> failing;
  // All that it selects, and how many it would select were the whole fleet the caller's.
  int32_t selected = 0;
  int32_t selected_anywhere = 0;
};

// A failing finding that the waiver's rules and pattern mean, with the marks of the policy.
struct CoveredFinding {
  v1::FleetFinding finding;
  // ObjectFingerprint of it.
  uint64_t fingerprint = 0;
};

// INVALID_ARGUMENT: the waiver's selector does not parse. One that names a saved selector that
// there is not selects nobody.
absl::StatusOr<CoverageHosts> FindCoverageHosts(const FleetIndex& index, const v1::Waiver& waiver,
                                                const SavedSelectors& saved, const Selector& scope);

// Calls `visit` for every finding on hosts [begin, end) of `hosts`, in the order of hosts, rules
// and objects, until it returns false. Hosts without facts, or whose facts are damaged, are passed
// over. Reads and judges facts: blocks, some thousand hosts a second. Errors as the store's.
absl::Status VisitCoverage(store::ReportStore& reports, const policy::Policy& policy,
                           const v1::Waiver& waiver, const std::vector<CoverageHost>& hosts,
                           size_t begin, size_t end,
                           const std::function<bool(size_t host, CoveredFinding)>& visit);

}  // namespace plimsoll::fleet
