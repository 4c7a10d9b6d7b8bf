#include "controller/evaluate/waivers.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/glob_list.h"
#include "controller/evaluate/failing_containers.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// Length first, so that no two lists of texts read alike.
void Append(std::string& bytes, absl::string_view text) {
  absl::StrAppend(&bytes, text.size(), ":", text);
}

bool IsApproved(const HostWaiver& waiver, uint64_t fingerprint) {
  return waiver.approved != nullptr &&
         std::binary_search(waiver.approved->begin(), waiver.approved->end(), fingerprint);
}

// Which waiver has a finding, and which would have it.
struct Answer {
  const std::string* waiver = nullptr;
  const std::string* lapsed = nullptr;
};

Answer AnswerFor(const FactIndex& index, absl::string_view baseline_id,
                 absl::Span<const HostWaiver* const> waivers, const Verdict& verdict,
                 const v1::Finding& finding) {
  Answer answer;
  for (const HostWaiver* waiver : waivers) {
    const WaiverTerms& terms = *waiver->terms;
    if (!MatchesObject(terms.object_pattern, finding)) continue;
    const bool covers =
        !terms.bound ||
        (waiver->approved != nullptr &&
         IsApproved(*waiver, ObjectFingerprint(index, baseline_id, verdict.rule_id(), finding)));
    if (covers) return {&terms.id, nullptr};
    if (answer.lapsed == nullptr) answer.lapsed = &terms.id;
  }
  return answer;
}

}  // namespace

uint64_t ObjectFingerprint(const FactIndex& index, absl::string_view baseline_id,
                           absl::string_view rule_id, const v1::Finding& finding) {
  const v1::Container* container = index.Container(finding.object_id());
  if (container != nullptr && container->id() == finding.object_id()) {
    return GrantedFingerprint(*container);
  }
  std::string bytes;
  for (const absl::string_view text :
       {baseline_id, rule_id, absl::string_view(finding.object_id()),
        absl::string_view(finding.object()), absl::string_view(finding.observed())}) {
    Append(bytes, text);
  }
  return DigestPrefix(bytes);
}

bool MatchesObject(const std::string& pattern, const v1::Finding& finding) {
  if (pattern.empty()) return true;
  const std::string& object = finding.object();
  if (GlobMatches(pattern.c_str(), object)) return true;
  if (!finding.object_id().empty() && GlobMatches(pattern.c_str(), finding.object_id())) {
    return true;
  }
  const size_t id = object.rfind(" (");
  return id != std::string::npos && absl::EndsWith(object, ")") &&
         GlobMatches(pattern.c_str(), object.substr(0, id));
}

v1::Finding FindingOfVerdict(const Verdict& verdict) {
  v1::Finding finding;
  finding.set_status(verdict.status());
  finding.set_reason(verdict.reason());
  finding.set_observed(verdict.message());
  finding.set_waiver_id(verdict.waiver_id());
  return finding;
}

void ApplyWaivers(const FactIndex& index, absl::string_view baseline_id,
                  absl::Span<const HostWaiver> waivers, Verdict& verdict) {
  if (verdict.status() != Verdict::FAIL) return;
  std::vector<const HostWaiver*> about;
  const WaiverTerms::Rule rule(baseline_id, verdict.rule_id());
  for (const HostWaiver& waiver : waivers) {
    if (waiver.terms->rules.contains(rule)) about.push_back(&waiver);
  }
  if (about.empty()) return;
  int failing = 0;
  int waived = 0;
  for (v1::Finding& finding : *verdict.mutable_findings()) {
    if (finding.status() != Verdict::FAIL) continue;
    ++failing;
    const Answer answer = AnswerFor(index, baseline_id, about, verdict, finding);
    if (answer.waiver != nullptr) {
      ++waived;
      finding.set_waiver_id(*answer.waiver);
    } else if (answer.lapsed != nullptr) {
      finding.set_lapsed_waiver_id(*answer.lapsed);
    }
  }
  if (failing == 0) {
    const Answer answer = AnswerFor(index, baseline_id, about, verdict, FindingOfVerdict(verdict));
    if (answer.waiver == nullptr) return;
    verdict.set_waiver_id(*answer.waiver);
    verdict.set_waived(true);
    return;
  }
  verdict.set_waived(waived == failing);
}

}  // namespace plimsoll::evaluate
