#include "controller/policy/policy.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "controller/evaluate/checks/glob_list.h"
#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/failing_containers.h"
#include "controller/evaluate/tailor.h"
#include "proto/support/logging.h"
#include "proto/support/times.h"

namespace plimsoll::policy {
namespace {

// Label sets remembered; more differ only where selectors ask for labels unique to a host.
constexpr size_t kMaximumKnown = 200'000;

absl::Time StartOf(const v1::Waiver& waiver) {
  return waiver.has_start_time() ? support::FromTimestamp(waiver.start_time())
                                 : absl::InfinitePast();
}

// 0 means "not known" where keys are stored.
uint64_t NotZero(uint64_t key) { return key == 0 ? 1 : key; }

}  // namespace

absl::StatusOr<HostMatcher> HostMatcher::Of(const v1::HostSelector& selector,
                                            const SavedSelectors& saved) {
  auto parsed = SelectorOf({selector.labels().begin(), selector.labels().end()},
                           selector.expression(), saved);
  if (!parsed.ok()) return parsed.status();
  HostMatcher matcher;
  matcher.selector_ = *std::move(parsed);
  matcher.hosts_.insert(selector.hosts().begin(), selector.hosts().end());
  return matcher;
}

bool IsActive(const v1::Waiver& waiver, absl::Time now) {
  return waiver.state() == v1::Waiver::APPROVED && StartOf(waiver) <= now &&
         now < support::FromTimestamp(waiver.expire_time());
}

void SetTimes(absl::Time now, v1::Waiver& waiver) {
  waiver.set_active(IsActive(waiver, now));
  const bool may_expire =
      waiver.state() == v1::Waiver::PROPOSED || waiver.state() == v1::Waiver::APPROVED;
  if (may_expire && support::FromTimestamp(waiver.expire_time()) <= now)
    waiver.set_state(v1::Waiver::EXPIRED);
}

std::shared_ptr<const Policy> Policy::Make(PolicyParts parts, absl::Time now) {
  const std::shared_ptr<Policy> policy(new Policy());
  policy->documents_ = std::make_shared<const std::vector<Document>>(std::move(parts.documents));
  for (const v1::SavedSelector& saved : parts.selectors) {
    // Checked before it was stored: one that does not parse is as if it were not there.
    auto selector = ParseSelector(saved.expression());
    if (selector.ok()) policy->selectors_.emplace(saved.name(), *std::move(selector));
  }
  for (store::StoredWaiver& waiver : parts.waivers) policy->AddWaiver(std::move(waiver), now);
  for (v1::Tailoring& tailoring : parts.tailorings) policy->AddTailoring(std::move(tailoring));
  policy->NoteLastDays(now);
  policy->keep_ = std::move(parts.keep);
  std::vector<const Waiver*> all;
  for (const auto& waiver : policy->waivers_) all.push_back(waiver.get());
  std::string text = absl::StrCat(policy->KeyOf(*policy->documents_, all));
  for (const Tailoring& each : policy->tailorings_) {
    absl::StrAppend(&text, "\n", each.tailoring.name(), "@", each.tailoring.etag());
  }
  for (const v1::SavedSelector& saved : parts.selectors) {
    absl::StrAppend(&text, "\nselector ", saved.name(), " ", saved.expression());
  }
  policy->digest_ = evaluate::DigestPrefix(text);
  return policy;
}

std::shared_ptr<const Policy> Policy::Plain(const std::vector<v1::Baseline>& documents) {
  PolicyParts parts;
  for (const v1::Baseline& document : documents) {
    parts.documents.push_back(std::make_shared<const v1::Baseline>(document));
  }
  return Make(std::move(parts), absl::InfinitePast());
}

void Policy::AddWaiver(store::StoredWaiver stored, absl::Time now) {
  const v1::Waiver& from = stored.waiver;
  const absl::Time start = StartOf(from);
  const absl::Time end = support::FromTimestamp(from.expire_time());
  if (end <= now || from.state() != v1::Waiver::APPROVED) return;
  until_ = std::min(until_, start > now ? start : end);
  if (start > now) return;
  // Selectors are checked before they are stored: one that cannot be read means nobody.
  auto hosts = HostMatcher::Of(from.selector(), selectors_);
  if (!hosts.ok()) return;
  auto waiver = std::make_unique<Waiver>();
  waiver->hosts = *std::move(hosts);
  waiver->name = absl::StrCat(from.id(), "@", from.version());
  waiver->terms.id = from.id();
  waiver->terms.object_pattern = from.object_pattern();
  waiver->terms.bound = from.bound_to_facts();
  for (const v1::RuleRef& rule : from.rules()) {
    waiver->terms.rules.emplace(rule.baseline(), rule.rule());
  }
  for (auto& [host, approved] : stored.bindings) {
    std::sort(approved.begin(), approved.end());
    waiver->approved.emplace(host, std::move(approved));
  }
  for (const Requirement& requirement : waiver->hosts.selector()) {
    label_keys_.insert(requirement.key);
  }
  waivers_.push_back(std::move(waiver));
}

void Policy::AddTailoring(v1::Tailoring tailoring) {
  // Selectors are checked before they are stored: one that cannot be read means nobody.
  auto hosts = HostMatcher::Of(tailoring.selector(), selectors_);
  if (!hosts.ok() || hosts->names_hosts()) return;
  for (const Requirement& requirement : hosts->selector()) label_keys_.insert(requirement.key);
  tailorings_.push_back({std::move(tailoring), *std::move(hosts)});
}

void Policy::NoteLastDays(absl::Time now) {
  now_ = now;
  // Plain policies know no time: what counts is up to the facts.
  if (now == absl::InfinitePast()) return;
  std::set<absl::CivilDay> days;
  for (const Document& document : *documents_) {
    days.merge(evaluate::LastDaysOf(*document));
    for (const Tailoring& each : tailorings_) {
      const auto& rules = each.tailoring.rules();
      const bool has_parameters =
          std::any_of(rules.begin(), rules.end(),
                      [](const v1::RuleTailoring& rule) { return !rule.parameters().empty(); });
      if (!has_parameters || each.tailoring.baseline() != document->id()) continue;
      const auto tailored = evaluate::Tailor(*document, {&each.tailoring});
      if (tailored.ok()) days.merge(evaluate::LastDaysOf(*tailored));
    }
  }
  for (const absl::CivilDay day : days) {
    const absl::Time end = evaluate::EndOf(day);
    if (end > now) {
      until_ = std::min(until_, end);
    } else {
      absl::StrAppend(&lapsed_, "\nlapsed ", absl::FormatCivilTime(day));
    }
  }
}

std::shared_ptr<const std::vector<Document>> Policy::Tailored(const Labels& labels,
                                                              bool& complete) const {
  if (tailorings_.empty()) return documents_;
  auto documents = std::make_shared<std::vector<Document>>();
  for (const Document& document : *documents_) {
    std::vector<const v1::Tailoring*> laid_on;
    std::string name = document->digest();
    for (const Tailoring& each : tailorings_) {
      if (each.tailoring.baseline() != document->id() || !each.hosts.MatchesLabels(labels)) {
        continue;
      }
      laid_on.push_back(&each.tailoring);
      absl::StrAppend(&name, " ", each.tailoring.name());
    }
    documents->push_back(document);
    if (laid_on.empty()) continue;
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto known = tailored_.find(name);
      if (known != tailored_.end()) {
        documents->back() = known->second;
        continue;
      }
    }
    // A tailoring was checked against the document it was made for; another version may refuse it.
    auto tailored = evaluate::Tailor(*document, laid_on);
    if (!tailored.ok()) {
      spdlog::error("baseline not tailored baseline={} error=\"{}\"", document->id(),
                    support::LogSafe(tailored.status().ToString()));
      absl::MutexLock lock(&mutex_);
      tailored_.try_emplace(std::move(name), document);
      continue;
    }
    if (const absl::Status status = keep_ == nullptr ? absl::OkStatus() : keep_(*tailored);
        !status.ok()) {
      complete = false;
      spdlog::error("baseline not tailored baseline={} error=\"{}\"", document->id(),
                    support::LogSafe(status.ToString()));
      continue;
    }
    documents->back() = std::make_shared<const v1::Baseline>(*std::move(tailored));
    absl::MutexLock lock(&mutex_);
    tailored_.try_emplace(std::move(name), documents->back());
  }
  return documents;
}

std::vector<v1::Baseline> Policy::PlanDocuments() const {
  std::vector<v1::Baseline> all;
  for (const Document& document : *documents_) {
    all.push_back(*document);
    for (const Tailoring& each : tailorings_) {
      if (each.tailoring.baseline() != document->id()) continue;
      auto tailored = evaluate::Tailor(*document, {&each.tailoring});
      if (tailored.ok()) all.push_back(*std::move(tailored));
    }
  }
  return all;
}

const v1::Baseline* Policy::Find(absl::string_view baseline_id) const {
  for (const Document& document : *documents_) {
    if (document->id() == baseline_id) return document.get();
  }
  return nullptr;
}

uint64_t Policy::KeyOf(const std::vector<Document>& documents,
                       const std::vector<const Waiver*>& waivers) const {
  std::string text = absl::StrCat("evaluator ", evaluate::kEvaluatorVersion);
  std::vector<absl::string_view> digests;
  for (const Document& document : documents) digests.push_back(document->digest());
  std::sort(digests.begin(), digests.end());
  for (const absl::string_view digest : digests) absl::StrAppend(&text, "\n", digest);
  for (const Waiver* waiver : waivers) absl::StrAppend(&text, "\nwaiver ", waiver->name);
  absl::StrAppend(&text, lapsed_);
  return NotZero(evaluate::DigestPrefix(text));
}

std::shared_ptr<const Policy::ByLabels> Policy::LookUp(const Labels& labels) const {
  std::string key;
  for (const auto& [name, value] : labels) {
    if (!label_keys_.contains(name)) continue;
    absl::StrAppend(&key, name.size(), ":", name, value.size(), ":", value);
  }
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto known = known_.find(key);
    if (known != known_.end()) return known->second;
  }
  auto found = std::make_shared<ByLabels>();
  bool complete = true;
  found->documents = Tailored(labels, complete);
  for (const auto& waiver : waivers_) {
    if (!waiver->hosts.MatchesLabels(labels)) continue;
    found->waivers.push_back(waiver.get());
    found->any_names_hosts = found->any_names_hosts || waiver->hosts.names_hosts();
  }
  if (!found->any_names_hosts) found->key = KeyOf(*found->documents, found->waivers);
  if (!complete) return found;
  absl::MutexLock lock(&mutex_);
  if (known_.size() >= kMaximumKnown) known_.clear();
  return known_.try_emplace(std::move(key), std::move(found)).first->second;
}

HostPolicy Policy::For(absl::string_view host_id, const Labels& labels) const {
  const std::shared_ptr<const ByLabels> common = LookUp(labels);
  HostPolicy policy;
  policy.policy = shared_from_this();
  policy.documents = common->documents;
  policy.now = now_;
  policy.key = common->key;
  std::vector<const Waiver*> named;
  for (const Waiver* waiver : common->waivers) {
    if (!waiver->hosts.MatchesName(host_id)) continue;
    named.push_back(waiver);
    const auto approved = waiver->approved.find(host_id);
    policy.waivers.push_back(
        {&waiver->terms, approved == waiver->approved.end() ? nullptr : &approved->second});
  }
  if (common->any_names_hosts) policy.key = KeyOf(*common->documents, named);
  return policy;
}

}  // namespace plimsoll::policy
