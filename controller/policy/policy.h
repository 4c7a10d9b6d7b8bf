// What hosts are judged by: documents and waivers, as they hold at one time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/evaluate/selector.h"
#include "controller/evaluate/waivers.h"
#include "controller/store/waiver_store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/selector_service.pb.h"
#include "plimsoll/v1/tailoring_service.pb.h"

namespace plimsoll::policy {

using evaluate::Matches;
using evaluate::ParseSelector;
using evaluate::Requirement;
using evaluate::SavedSelectors;
using evaluate::Selector;
using evaluate::SelectorOf;

using Labels = std::map<std::string, std::string>;
using Document = std::shared_ptr<const v1::Baseline>;

// Which hosts a HostSelector means, judged one by one: hosts that come later are meant as well.
// Immutable; thread-safe.
class HostMatcher {
 public:
  // INVALID_ARGUMENT: the expression does not parse, or names a saved selector that there is not.
  static absl::StatusOr<HostMatcher> Of(const v1::HostSelector& selector,
                                        const SavedSelectors& saved);

  bool names_hosts() const { return !hosts_.empty(); }
  // Whether the host's labels fit; what it is called aside.
  bool MatchesLabels(const Labels& labels) const { return Matches(selector_, labels); }
  // Whether it is among those that are named, by id; true where none is.
  bool MatchesName(absl::string_view id) const { return hosts_.empty() || hosts_.contains(id); }
  const Selector& selector() const { return selector_; }

 private:
  Selector selector_;
  absl::flat_hash_set<std::string> hosts_;
};

class Policy;

// What one host is judged by. Copies are cheap.
struct HostPolicy {
  // One of each active baseline, in their order; tailored where a tailoring means the host.
  std::shared_ptr<const std::vector<Document>> documents;
  // Those in effect for the host, by id. They borrow from `policy`.
  std::vector<evaluate::HostWaiver> waivers;
  // The time the policy was made for: evaluate::Options::now.
  absl::Time now = absl::InfinitePast();
  // A number for all of that, and for the evaluator: a host whose stored key is another has to be
  // judged again. Never 0; equal on every controller.
  uint64_t key = 0;
  std::shared_ptr<const Policy> policy;
};

// What a policy is made of.
struct PolicyParts {
  // Active documents; their ids differ.
  std::vector<Document> documents;
  // Approved, not expired, by id.
  std::vector<store::StoredWaiver> waivers = {};
  // In the order they are laid on.
  std::vector<v1::Tailoring> tailorings = {};
  std::vector<v1::SavedSelector> selectors = {};
  // Called with each tailored document before any host is judged by it, so that the store knows it
  // (ReportStore::PutBaselines). Where it fails, hosts are judged by the document as it was written
  // and by the next policy once more. May block; null: nobody needs to know.
  std::function<absl::Status(const v1::Baseline& document)> keep = nullptr;
};

// Immutable, and thread-safe: what is remembered between calls is a cache.
class Policy : public std::enable_shared_from_this<Policy> {
 public:
  // The policy that holds at `now`, and until until().
  static std::shared_ptr<const Policy> Make(PolicyParts parts, absl::Time now);
  // Judging by `documents` alone, for ever.
  static std::shared_ptr<const Policy> Plain(const std::vector<v1::Baseline>& documents);

  // What the host is judged by. Constant time but for the first host of some labels, for which
  // documents may have to be tailored and kept.
  HostPolicy For(absl::string_view host_id, const Labels& labels) const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::vector<Document>& documents() const { return *documents_; }
  // What collectors must look at for: the documents, and each as every tailoring changes it.
  std::vector<v1::Baseline> PlanDocuments() const;
  const SavedSelectors& selectors() const { return selectors_; }
  // The active document of this id; null: there is none.
  const v1::Baseline* Find(absl::string_view baseline_id) const;
  // When a waiver begins or ends next, or a dated entry in a list of a document. InfiniteFuture:
  // never.
  absl::Time until() const { return until_; }
  // A number for everything in it: policies of equal digests judge all hosts alike.
  uint64_t digest() const { return digest_; }

 private:
  struct Waiver {
    evaluate::WaiverTerms terms;
    HostMatcher hosts;
    // "id@version".
    std::string name;
    // Ascending, by host id.
    absl::flat_hash_map<std::string, std::vector<uint64_t>> approved;
  };
  struct Tailoring {
    v1::Tailoring tailoring;
    HostMatcher hosts;
  };
  // What hosts of equal labels have in common.
  struct ByLabels {
    std::shared_ptr<const std::vector<Document>> documents;
    // Waivers whose selectors fit the labels, by id; some of them name hosts.
    std::vector<const Waiver*> waivers;
    bool any_names_hosts = false;
    // Where none does.
    uint64_t key = 0;
  };

  Policy() = default;
  void AddWaiver(store::StoredWaiver stored, absl::Time now);
  void AddTailoring(v1::Tailoring tailoring);
  void NoteLastDays(absl::Time now);
  // The active documents with what tailorings make of them for these labels. `complete` is cleared
  // when one could not be made or kept.
  std::shared_ptr<const std::vector<Document>> Tailored(const Labels& labels, bool& complete) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<const ByLabels> LookUp(const Labels& labels) const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t KeyOf(const std::vector<Document>& documents,
                 const std::vector<const Waiver*>& waivers) const;

  std::shared_ptr<const std::vector<Document>> documents_;
  SavedSelectors selectors_;
  std::vector<std::unique_ptr<const Waiver>> waivers_;
  // In the order they are laid on.
  std::vector<Tailoring> tailorings_;
  std::function<absl::Status(const v1::Baseline&)> keep_;
  // Keys of labels that any selector asks for: others do not matter.
  absl::flat_hash_set<std::string> label_keys_;
  absl::Time now_ = absl::InfinitePast();
  absl::Time until_ = absl::InfiniteFuture();
  // Of every key: dates of entries in lists of any document that are over.
  std::string lapsed_;
  uint64_t digest_ = 0;
  mutable absl::Mutex mutex_;
  mutable absl::flat_hash_map<std::string, std::shared_ptr<const ByLabels>> known_
      ABSL_GUARDED_BY(mutex_);
  // Tailored documents by baseline and tailorings.
  mutable absl::flat_hash_map<std::string, Document> tailored_ ABSL_GUARDED_BY(mutex_);
};

// Whether the waiver is in effect at `now`: approved, begun, and not expired.
bool IsActive(const v1::Waiver& waiver, absl::Time now);

// Sets what depends on the time: state EXPIRED, and active.
void SetTimes(absl::Time now, v1::Waiver& waiver);

}  // namespace plimsoll::policy
