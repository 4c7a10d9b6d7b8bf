// The one loop over containers: which are judged, how they are named, and how the answer for each
// becomes a finding. A check over containers is a predicate handed to ForEachContainer:
//
//   ForEachContainer(context, args.scope(), judge, [](const v1::Container& c) {
//     return c.privileged() ? Fail("privileged", "not privileged", "inspect HostConfig.Privileged")
//                           : Pass();
//   });
//
// Everything here is pure; a container that passes costs no allocation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "controller/evaluate/check.h"
#include "controller/evaluate/checks/glob_list.h"
#include "plimsoll/v1/container_checks.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::evaluate {

// Words for a finding. Literals and views are borrowed, and must live until the outcome is
// reported; a std::string is owned.
class Words {
 public:
  Words() = default;
  Words(const char* literal) : borrowed_(literal) {}                                  // NOLINT
  Words(absl::string_view text) : borrowed_(text) {}                                  // NOLINT
  Words(std::string text) : text_(std::make_unique<std::string>(std::move(text))) {}  // NOLINT

  absl::string_view view() const { return text_ == nullptr ? borrowed_ : *text_; }

 private:
  absl::string_view borrowed_;
  std::unique_ptr<std::string> text_;
};

// What a predicate says of one object. Built by the functions below. `reason`, `source` and
// `note_code` must outlive the report of the outcome: literals, or views into the facts.
struct Outcome {
  enum class Kind : uint8_t { kPass, kFail, kUnknown, kOutOfScope };

  Kind kind = Kind::kPass;
  // False: a bare pass, or out of scope; nothing below is set.
  bool has_details = false;
  Words observed = {};
  Words expected = {};
  absl::string_view source = {};
  absl::string_view reason = {};
  absl::string_view note_code = {};
  Words note = {};

  // Adds a note to the finding; a bare pass becomes one with a finding.
  Outcome&& WithNote(absl::string_view code, std::string text) &&;
};

inline Outcome Pass() { return {}; }
// The rule has nothing to say of this object.
inline Outcome OutOfScope() { return {.kind = Outcome::Kind::kOutOfScope}; }
Outcome PassWith(Words observed, Words expected, absl::string_view source);
Outcome Fail(Words observed, Words expected, absl::string_view source,
             absl::string_view reason = {});
// `reason` is one of the codes of namespace reason.
Outcome Unknown(absl::string_view reason, Words observed, Words expected, absl::string_view source);

// Which containers a rule judges (rules.md S6). Borrows the arguments and the context.
class ScopeFilter {
 public:
  ScopeFilter(const v1::ContainerScope& scope, const Context& context);

  // A state name that does not exist makes the rule UNKNOWN: says so and returns false.
  bool Valid(Judge& judge) const;
  // The container's state is one of those judged. A state nobody read is never out of scope.
  bool InStates(const v1::Container& container) const {
    return container.status() == v1::Container::STATUS_UNSPECIFIED ||
           ((states_ >> static_cast<uint32_t>(container.status())) & 1u) != 0;
  }
  // Named by `exempt`. A name alone stands for a swarm service or a network.
  bool Exempt(const v1::Container& container) const {
    return !exempt_.empty() && Exempted(container);
  }
  bool ExemptName(const std::string& name) const { return exempt_.Matches(name); }

  // Counts what is not judged and reports what could not be read; true: judge this container.
  bool Admit(const v1::Container& container, Judge& judge) {
    if (!InStates(container) || container.status() == v1::Container::STATUS_UNSPECIFIED ||
        !exempt_.empty() || container.outcome().state() != v1::SourceOutcome::OK) {
      return AdmitSlowly(container, judge);
    }
    return true;
  }
  // Notes what deserves one, after the last container.
  void Close(Judge& judge) const;

 private:
  bool Exempted(const v1::Container& container) const;
  bool AdmitSlowly(const v1::Container& container, Judge& judge);

  const Context& context_;
  GlobList exempt_;
  uint32_t states_ = 0;
  std::string unknown_state_;
  int will_return_ = 0;
};

// "web-1 (0123456789ab)"; a swarm task is "service (task id)" (rules.md S6).
std::string ObjectName(const v1::Container& container);
// The first twelve digits of an id, without "sha256:".
absl::string_view ShortId(absl::string_view id);

// Hands an outcome to the judge, under the container's name or another object's.
void Report(const v1::Container& container, const Outcome& outcome, Judge& judge);
void Report(const ObjectRef& object, const Outcome& outcome, Judge& judge);

// True when the listing can be walked. When it was cut off, what it holds can still prove a
// violation, so it is walked and the rule is UNKNOWN otherwise; any other failure ends the rule.
bool ListingUsable(Source source, const v1::SourceOutcome& outcome, Judge& judge);

// Judges every container in scope with `predicate`: Outcome(const v1::Container&), called only for
// containers whose inspect was read.
template <typename Predicate>
void ForEachContainer(const Context& context, const v1::ContainerScope& scope, Judge& judge,
                      Predicate&& predicate) {
  const v1::ContainersFacts& facts = context.facts.containers();
  ScopeFilter filter(scope, context);
  if (!filter.Valid(judge) || !ListingUsable(Source::kContainers, facts.outcome(), judge)) return;
  for (const v1::Container& container : facts.containers()) {
    if (!filter.Admit(container, judge)) continue;
    const Outcome outcome = predicate(container);
    if (outcome.kind == Outcome::Kind::kPass && !outcome.has_details) {
      judge.Pass();
    } else {
      Report(container, outcome, judge);
    }
  }
  filter.Close(judge);
}

// True for a container whose processes exist: running or paused. (One that is restarting may be
// between two lives.)
inline bool HasProcesses(const v1::Container& container) {
  return container.status() == v1::Container::RUNNING ||
         container.status() == v1::Container::PAUSED;
}

// Asks the collector for the labels that exemptions name.
void PlanScope(const v1::ContainerScope& scope, v1::CollectionPlan& plan);
// The same as a CheckEntry's plan: PlanScopeOf<&v1::Check::container_devices>.
template <auto Args>
void PlanScopeOf(const v1::Check& check, v1::CollectionPlan& plan) {
  PlanScope((check.*Args)().scope(), plan);
}

}  // namespace plimsoll::evaluate
