// The API, free of transport: one handler class for each service of the protos.
//
// Every method takes who calls and the request, and returns the response or a status whose message
// a person can act on; one that says what is wrong with a field of the request begins with its name
// ("page_size 7: expected ..."), which tells programs the field too. Methods block (they ask the
// database) and are thread-safe. Whether the caller may call them MethodTable (methods.h) has
// checked. What they borrow outlives them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/access/certificate_authority.h"
#include "controller/access/revocations.h"
#include "controller/fleet/days.h"
#include "controller/fleet/finding_pages.h"
#include "controller/fleet/index.h"
#include "controller/policy/policy_book.h"
#include "controller/scans/scan_board.h"
#include "controller/scans/scheduler.h"
#include "controller/store/store.h"
#include "plimsoll/v1/baseline_service.pb.h"
#include "plimsoll/v1/enrollment_service.pb.h"
#include "plimsoll/v1/finding_service.pb.h"
#include "plimsoll/v1/host_service.pb.h"
#include "plimsoll/v1/scan_service.pb.h"
#include "plimsoll/v1/summary_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

using store::Principal;

// hosts.cc
class Hosts {
 public:
  Hosts(store::Store& store, fleet::FleetIndex& index, const policy::PolicyBook& book,
        access::Revocations& revocations, const support::Clock& clock)
      : store_(store), index_(index), book_(book), revocations_(revocations), clock_(clock) {}
  absl::StatusOr<v1::ListHostsResponse> List(const Principal& who,
                                             const v1::ListHostsRequest& request);
  absl::StatusOr<v1::Host> Get(const Principal& who, const v1::GetHostRequest& request);
  // Judges the newest facts, which gives what ingestion judged.
  absl::StatusOr<v1::HostReport> GetReport(const Principal& who,
                                           const v1::GetHostReportRequest& request);
  // These return when this controller's lists show it, or after a moment; the first two end the
  // host's session.
  absl::StatusOr<v1::RevokeHostResponse> Revoke(const Principal& who,
                                                const v1::RevokeHostRequest& request);
  absl::StatusOr<v1::RemoveHostResponse> Remove(const Principal& who,
                                                const v1::RemoveHostRequest& request);
  absl::StatusOr<v1::Host> Release(const Principal& who, const v1::ReleaseHostRequest& request);
  absl::StatusOr<v1::ListTransitionsResponse> ListTransitions(
      const Principal& who, const v1::ListTransitionsRequest& request);

 private:
  absl::StatusOr<v1::Host> Find(const Principal& who, const std::string& host);
  // Waits until lists show what was changed of the host.
  void Show(const std::string& host_id);

  store::Store& store_;
  fleet::FleetIndex& index_;
  const policy::PolicyBook& book_;
  access::Revocations& revocations_;
  const support::Clock& clock_;
};

// baselines.cc
class Baselines {
 public:
  explicit Baselines(const policy::PolicyBook& book) : book_(book) {}
  absl::StatusOr<v1::ListBaselinesResponse> List(const Principal& who,
                                                 const v1::ListBaselinesRequest& request);
  absl::StatusOr<v1::Baseline> Get(const Principal& who, const v1::GetBaselineRequest& request);
  absl::StatusOr<v1::Rule> GetRule(const Principal& who, const v1::GetRuleRequest& request);

  // An active document. NOT_FOUND names those that exist.
  absl::StatusOr<policy::Document> Find(const std::string& id) const;
  // By id or slug. NOT_FOUND.
  static absl::StatusOr<const v1::Rule*> FindRule(const v1::Baseline& baseline,
                                                  const std::string& rule);
  // The rules of the active documents that an id or slug names, as baseline id and rule id: an id
  // may name another rule in another document. `baseline` empty: of every document.
  std::vector<std::pair<std::string, std::string>> FindRules(const std::string& baseline,
                                                             const std::string& rule) const;
  std::vector<policy::Document> all() const { return book_.current()->documents(); }
  std::shared_ptr<const policy::Policy> policy() const { return book_.current(); }

 private:
  const policy::PolicyBook& book_;
};

// findings.cc
class Findings {
 public:
  Findings(store::Store& store, const fleet::FleetIndex& index, const Baselines& baselines,
           const policy::PolicyBook& book)
      : store_(store), baselines_(baselines), pages_(index, store.reports(), book) {}
  absl::StatusOr<v1::ListFindingsResponse> List(const Principal& who,
                                                const v1::ListFindingsRequest& request);

 private:
  store::Store& store_;
  const Baselines& baselines_;
  const fleet::FindingPages pages_;
};

// summaries.cc
class Summaries {
 public:
  Summaries(store::Store& store, const fleet::FleetIndex& index, fleet::Days& days,
            const Baselines& baselines, const support::Clock& clock)
      : store_(store), index_(index), days_(days), baselines_(baselines), clock_(clock) {}
  absl::StatusOr<v1::Summary> Get(const Principal& who, const v1::GetSummaryRequest& request);
  absl::StatusOr<v1::ListLabelSummariesResponse> ListByLabel(
      const Principal& who, const v1::ListLabelSummariesRequest& request);
  absl::StatusOr<v1::ListWorstHostsResponse> ListWorst(const Principal& who,
                                                       const v1::ListWorstHostsRequest& request);
  absl::StatusOr<v1::ListFailingConfigurationsResponse> ListConfigurations(
      const Principal& who, const v1::ListFailingConfigurationsRequest& request);
  absl::StatusOr<v1::Trend> GetTrend(const Principal& who, const v1::GetTrendRequest& request);

 private:
  store::Store& store_;
  const fleet::FleetIndex& index_;
  fleet::Days& days_;
  const Baselines& baselines_;
  const support::Clock& clock_;
};

// scans.cc
class Scans {
 public:
  Scans(store::Store& store, scans::ScanBoard& board, scans::HostResolver resolve,
        const support::Clock& clock)
      : store_(store), board_(board), resolve_(std::move(resolve)), clock_(clock) {}
  absl::StatusOr<v1::Scan> Create(const Principal& who, const v1::CreateScanRequest& request);
  absl::StatusOr<v1::Scan> Get(const Principal& who, const v1::GetScanRequest& request);
  absl::StatusOr<v1::Scan> Cancel(const Principal& who, const v1::CancelScanRequest& request);
  absl::StatusOr<v1::ListScansResponse> List(const Principal& who,
                                             const v1::ListScansRequest& request);
  absl::StatusOr<v1::ListScanHostsResponse> ListHosts(const Principal& who,
                                                      const v1::ListScanHostsRequest& request);
  absl::StatusOr<v1::HostReport> GetReport(const Principal& who,
                                           const v1::GetScanReportRequest& request);
  // For WatchScan: calls `changed` whenever the scan may have changed, until Unwatch. A call under
  // way may end after Unwatch returned.
  uint64_t Watch(const std::string& id, std::function<void()> changed);
  void Unwatch(const std::string& id, uint64_t handle);
  // As Get, loaded once for all who watch.
  absl::StatusOr<v1::Scan> Observe(const Principal& who, const v1::WatchScanRequest& request);

 private:
  // The scan as far as the caller sees its hosts: counts are of those. NOT_FOUND: of none.
  absl::StatusOr<v1::Scan> Part(const Principal& who, absl::StatusOr<v1::Scan> scan);
  // As store::ScanStore::PartsOf; of the hosts that were asked for by id or name, those of the
  // part.
  absl::StatusOr<std::vector<v1::Scan>> PartsOf(std::vector<v1::Scan> scans,
                                                const std::vector<std::string>& visible);

  store::Store& store_;
  scans::ScanBoard& board_;
  const scans::HostResolver resolve_;
  const support::Clock& clock_;
};

// enrollment.cc
class EnrollmentTokens {
 public:
  EnrollmentTokens(store::Store& store, const access::CertificateAuthority& authority,
                   const support::Clock& clock)
      : store_(store), authority_(authority), clock_(clock) {}
  absl::StatusOr<v1::CreateEnrollmentTokenResponse> Create(
      const Principal& who, const v1::CreateEnrollmentTokenRequest& request);
  absl::StatusOr<v1::ListEnrollmentTokensResponse> List(
      const Principal& who, const v1::ListEnrollmentTokensRequest& request);
  absl::StatusOr<v1::EnrollmentToken> Revoke(const Principal& who,
                                             const v1::RevokeEnrollmentTokenRequest& request);
  absl::StatusOr<v1::ListEnrollmentsResponse> ListEnrollments(
      const Principal& who, const v1::ListEnrollmentsRequest& request);
  absl::StatusOr<v1::Enrollment> Approve(const Principal& who,
                                         const v1::ApproveEnrollmentRequest& request);
  absl::StatusOr<v1::Enrollment> Reject(const Principal& who,
                                        const v1::RejectEnrollmentRequest& request);

 private:
  absl::StatusOr<v1::Enrollment> Decide(const Principal& who, v1::Enrollment decision);

  store::Store& store_;
  const access::CertificateAuthority& authority_;
  const support::Clock& clock_;
};

}  // namespace plimsoll::api
