#include "controller/evaluate/checks/container_scope.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;
using v1::SourceOutcome;

constexpr size_t kShortIdLength = 12;
constexpr size_t kUsualNameSize = 96;
constexpr char kServiceName[] = "com.docker.swarm.service.name";
constexpr char kTaskId[] = "com.docker.swarm.task.id";
constexpr char kDigest[] = "sha256:";
// A created container is about to run, and its settings are final: its verdict must not wait until
// it does.
constexpr uint32_t kDefaultStates = 1u << Container::CREATED | 1u << Container::RUNNING |
                                    1u << Container::PAUSED | 1u << Container::RESTARTING;

struct StateName {
  absl::string_view name;
  Container::Status status;
};
constexpr StateName kStates[] = {
    {"created", Container::CREATED}, {"running", Container::RUNNING},
    {"paused", Container::PAUSED},   {"restarting", Container::RESTARTING},
    {"exited", Container::EXITED},   {"removing", Container::REMOVING},
    {"dead", Container::DEAD},
};

// A prefix shorter than the short id could hit containers nobody meant.
bool IsIdPrefix(absl::string_view glob, absl::string_view id) {
  return glob.size() >= kShortIdLength && absl::StartsWith(id, glob);
}

bool IsImageDigest(absl::string_view glob, const Container& container, const FactIndex& index) {
  if (!absl::StartsWith(glob, kDigest)) return false;
  if (container.image_id() == glob) return true;
  const v1::Image* image = index.Image(container.image_id());
  if (image == nullptr) return false;
  return std::any_of(
      image->repo_digests().begin(), image->repo_digests().end(),
      [&](const std::string& digest) { return absl::EndsWith(digest, absl::StrCat("@", glob)); });
}

// The part before "=" of a label exemption; empty when `glob` is none.
absl::string_view LabelKey(absl::string_view glob) {
  const size_t equals = glob.find('=');
  return equals == absl::string_view::npos ? absl::string_view() : glob.substr(0, equals);
}

bool HasLabel(const char* glob, const Container& container) {
  const absl::string_view key = LabelKey(glob);
  if (key.empty()) return false;
  const auto label = container.labels().find(std::string(key));
  return label != container.labels().end() && GlobMatches(glob + key.size() + 1, label->second);
}

bool ComesBack(const Container& container) {
  return container.status() == Container::EXITED &&
         (container.restart_policy() == "always" || container.restart_policy() == "on-failure");
}

Outcome Make(Outcome::Kind kind, Words observed, Words expected, absl::string_view source,
             absl::string_view reason) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.has_details = true;
  outcome.observed = std::move(observed);
  outcome.expected = std::move(expected);
  outcome.source = source;
  outcome.reason = reason;
  return outcome;
}

}  // namespace

Outcome&& Outcome::WithNote(absl::string_view code, std::string text) && {
  has_details = true;
  note_code = code;
  note = std::move(text);
  return std::move(*this);
}

Outcome PassWith(Words observed, Words expected, absl::string_view source) {
  return Make(Outcome::Kind::kPass, std::move(observed), std::move(expected), source, {});
}

Outcome Fail(Words observed, Words expected, absl::string_view source, absl::string_view reason) {
  return Make(Outcome::Kind::kFail, std::move(observed), std::move(expected), source, reason);
}

Outcome Unknown(absl::string_view reason, Words observed, Words expected,
                absl::string_view source) {
  return Make(Outcome::Kind::kUnknown, std::move(observed), std::move(expected), source, reason);
}

ScopeFilter::ScopeFilter(const v1::ContainerScope& scope, const Context& context)
    : context_(context), exempt_(scope.exempt(), context.as_of) {
  for (const std::string& state : scope.states()) {
    const auto* known = std::find_if(std::begin(kStates), std::end(kStates),
                                     [&](const StateName& s) { return s.name == state; });
    if (known == std::end(kStates)) {
      unknown_state_ = state;
    } else {
      states_ |= 1u << known->status;
    }
  }
  if (scope.states().empty()) states_ = kDefaultStates;
}

bool ScopeFilter::Valid(Judge& judge) const {
  if (unknown_state_.empty()) return true;
  judge.Decide(v1::Verdict::UNKNOWN, reason::kParseError,
               absl::StrCat("the rule's scope names a container state that does not exist: ",
                            unknown_state_));
  return false;
}

bool ScopeFilter::Exempted(const Container& container) const {
  for (const char* glob : exempt_.globs()) {
    if (GlobMatches(glob, container.name()) || IsIdPrefix(glob, container.id()) ||
        IsImageDigest(glob, container, context_.index) || HasLabel(glob, container)) {
      return true;
    }
  }
  return false;
}

bool ScopeFilter::AdmitSlowly(const Container& container, Judge& judge) {
  // Gone between list and inspect: as if it had never been listed.
  if (container.outcome().state() == SourceOutcome::NOT_PRESENT) return false;
  if (!InStates(container)) {
    judge.OutOfScope();
    will_return_ += ComesBack(container) ? 1 : 0;
    return false;
  }
  if (Exempt(container)) {
    judge.Exempt();
    judge.Note("exempt", ObjectName(container));
    return false;
  }
  const SourceOutcome& outcome = container.outcome();
  if (outcome.state() != SourceOutcome::OK) {
    Report(container,
           Unknown(ReasonFor(Source::kContainers, outcome),
                   outcome.message().empty() ? std::string("the container was not inspected")
                                             : outcome.message(),
                   "a container that can be inspected", "inspect"),
           judge);
    return false;
  }
  if (container.status() == Container::STATUS_UNSPECIFIED) {
    Report(container,
           Unknown(reason::kParseError, "the engine did not say in which state the container is",
                   "a known state", "inspect State.Status"),
           judge);
    return false;
  }
  return true;
}

void ScopeFilter::Close(Judge& judge) const {
  if (will_return_ == 0) return;
  judge.Note("stopped_may_return",
             absl::StrCat(will_return_,
                          " stopped with a restart policy and not judged; they may come back"));
}

absl::string_view ShortId(absl::string_view id) {
  return absl::StripPrefix(id, kDigest).substr(0, kShortIdLength);
}

std::string ObjectName(const Container& container) {
  if (!container.labels().empty()) {
    const auto task = container.labels().find(kTaskId);
    const auto service = container.labels().find(kServiceName);
    if (task != container.labels().end() && service != container.labels().end()) {
      return absl::StrCat(service->second, " (task ", task->second, ")");
    }
  }
  const absl::string_view id = ShortId(container.id());
  if (container.name().empty()) return std::string(id);
  return id.empty() ? container.name() : absl::StrCat(container.name(), " (", id, ")");
}

void Report(const Container& container, const Outcome& outcome, Judge& judge) {
  if (outcome.kind == Outcome::Kind::kOutOfScope) {
    judge.OutOfScope();
    return;
  }
  // Nearly every name fits, and needs no allocation.
  std::array<char, kUsualNameSize> usual;
  std::string unusual;
  absl::string_view name;
  const absl::string_view id = ShortId(container.id());
  const size_t size = container.name().size() + id.size() + 3;
  if (container.labels().empty() && !container.name().empty() && !id.empty() &&
      size <= usual.size()) {
    char* end = std::copy(container.name().begin(), container.name().end(), usual.data());
    *end++ = ' ';
    *end++ = '(';
    end = std::copy(id.begin(), id.end(), end);
    *end = ')';
    name = absl::string_view(usual.data(), size);
  } else {
    unusual = ObjectName(container);
    name = unusual;
  }
  Report(ObjectRef{.name = name, .id = container.id().empty() ? name : container.id()}, outcome,
         judge);
}

void Report(const ObjectRef& object, const Outcome& outcome, Judge& judge) {
  if (outcome.kind == Outcome::Kind::kOutOfScope) {
    judge.OutOfScope();
    return;
  }
  if (!outcome.has_details) {
    judge.Pass();
    return;
  }
  const Evidence evidence{.observed = outcome.observed.view(),
                          .expected = outcome.expected.view(),
                          .reason = outcome.reason,
                          .source = outcome.source};
  v1::Finding* finding = outcome.kind == Outcome::Kind::kFail      ? judge.Fail(object, evidence)
                         : outcome.kind == Outcome::Kind::kUnknown ? judge.Unknown(object, evidence)
                                                                   : judge.Pass(object, evidence);
  if (outcome.note_code.empty()) return;
  v1::Note* note = finding->add_notes();
  note->set_code(outcome.note_code.data(), outcome.note_code.size());
  note->set_text(std::string(outcome.note.view()));
}

bool ListingUsable(Source source, const SourceOutcome& outcome, Judge& judge) {
  judge.UnknownFrom(source, outcome);
  return outcome.state() == SourceOutcome::OK || outcome.state() == SourceOutcome::TRUNCATED;
}

void PlanScope(const v1::ContainerScope& scope, v1::CollectionPlan& plan) {
  for (const std::string& entry : scope.exempt()) {
    const absl::string_view key = LabelKey(entry);
    if (!key.empty()) plan.add_label_keys(key.data(), key.size());
  }
}

}  // namespace plimsoll::evaluate
