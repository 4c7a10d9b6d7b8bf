#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/check.h"

namespace plimsoll::evaluate {
namespace {

using Status = v1::Verdict::Status;
using v1::SourceOutcome;
using v1::Verdict;

// rules.md section 1, item 4: the lower, the stronger.
int Strength(Status status) {
  switch (status) {
    case Verdict::FAIL:
      return 0;
    case Verdict::NOT_APPLICABLE:
      return 2;
    case Verdict::MANUAL:
      return 3;
    case Verdict::PASS:
      return 4;
    default:
      return 1;
  }
}

void Set(absl::string_view text, std::string* field) { field->assign(text.data(), text.size()); }

bool ReadThroughEngine(Source source) {
  switch (source) {
    case Source::kEngineVersion:
    case Source::kEngineInfo:
    case Source::kImages:
    case Source::kContainers:
    case Source::kVolumes:
    case Source::kNetworks:
    case Source::kSwarm:
      return true;
    default:
      return false;
  }
}

// Read in /proc of the engine's process: without an engine there is nothing to read.
bool ReadFromDaemon(Source source) {
  switch (source) {
    case Source::kDaemon:
    case Source::kCommandLine:
    case Source::kConfigFile:
    case Source::kMounts:
    case Source::kListeners:
      return true;
    default:
      return false;
  }
}

absl::string_view NameOf(Source source) {
  static constexpr const char* kNames[kSourceCount] = {"the engine's version",
                                                       "the engine's information",
                                                       "the engine's process",
                                                       "the engine's command line",
                                                       "the engine's configuration file",
                                                       "the machine's state",
                                                       "the systemd units",
                                                       "the files",
                                                       "the audit rules",
                                                       "the mounts",
                                                       "the groups",
                                                       "the images",
                                                       "the containers",
                                                       "the volumes",
                                                       "the networks",
                                                       "the swarm state",
                                                       "the listening sockets"};
  return kNames[static_cast<int>(source)];
}

// Findings by object; those of one object by what tells them apart.
bool Before(const v1::Finding* a, const v1::Finding* b) {
  if (const int c = a->object().compare(b->object()); c != 0) return c < 0;
  if (const int c = a->object_id().compare(b->object_id()); c != 0) return c < 0;
  if (a->status() != b->status()) return Strength(a->status()) < Strength(b->status());
  if (const int c = a->observed().compare(b->observed()); c != 0) return c < 0;
  return a->expected() < b->expected();
}

}  // namespace

v1::Finding* Judge::Add(Status status, const ObjectRef& object, const Evidence& evidence) {
  ++judged_;
  if (object.id.empty()) ++hosts_;
  v1::Finding* finding = verdict_.add_findings();
  finding->set_status(status);
  // In place: a report that is used again has room for these already.
  Set(object.name, finding->mutable_object());
  if (!object.id.empty()) Set(object.id, finding->mutable_object_id());
  Set(evidence.observed, finding->mutable_observed());
  Set(evidence.expected, finding->mutable_expected());
  if (!evidence.reason.empty()) Set(evidence.reason, finding->mutable_reason());
  if (!evidence.source.empty()) Set(evidence.source, finding->mutable_source());
  return finding;
}

v1::Finding* Judge::Pass(const ObjectRef& object, const Evidence& evidence) {
  return Add(Verdict::PASS, object, evidence);
}

v1::Finding* Judge::Fail(const ObjectRef& object, const Evidence& evidence) {
  ++fails_;
  return Add(Verdict::FAIL, object, evidence);
}

v1::Finding* Judge::Unknown(const ObjectRef& object, const Evidence& evidence) {
  ++unknowns_;
  v1::Finding* finding = Add(Verdict::UNKNOWN, object, evidence);
  if (evidence.reason.empty()) finding->set_reason(reason::kNotCollected);
  return finding;
}

v1::Finding* Judge::Manual(const ObjectRef& object, const Evidence& evidence) {
  ++manuals_;
  return Add(Verdict::MANUAL, object, evidence);
}

void Judge::Decide(Status status, absl::string_view reason, absl::string_view message) {
  if (decided_ && Strength(decision_) <= Strength(status)) return;
  decided_ = true;
  decision_ = status;
  Set(reason, verdict_.mutable_reason());
  Set(message, verdict_.mutable_message());
}

bool Judge::UnknownFrom(Source source, const SourceOutcome& outcome) {
  if (outcome.state() == SourceOutcome::OK) return false;
  if (!outcome.message().empty()) {
    Decide(Verdict::UNKNOWN, ReasonFor(source, outcome), outcome.message());
  } else {
    Decide(Verdict::UNKNOWN, ReasonFor(source, outcome),
           absl::StrCat(NameOf(source), " could not be read"));
  }
  return true;
}

void Judge::Note(absl::string_view code, absl::string_view text) {
  v1::Note* note = verdict_.add_notes();
  Set(code, note->mutable_code());
  Set(text, note->mutable_text());
}

Status Judge::Resolve() {
  if (Failed()) return Verdict::FAIL;
  if (unknowns_ > 0 || (decided_ && decision_ == Verdict::UNKNOWN)) return Verdict::UNKNOWN;
  if (decided_) return decision_;
  if (manuals_ > 0) return Verdict::MANUAL;
  return judged_ == 0 ? Verdict::NOT_APPLICABLE : Verdict::PASS;
}

void Judge::Summarise(Status status) {
  const v1::Finding* first = nullptr;
  bool same_reason = true;
  for (const v1::Finding& finding : verdict_.findings()) {
    if (finding.status() != status) continue;
    if (first == nullptr) first = &finding;
    same_reason = same_reason && finding.reason() == first->reason();
  }
  std::string& reason = *verdict_.mutable_reason();
  std::string& message = *verdict_.mutable_message();
  if (!decided_ || decision_ != status) {
    // What was decided lost against a finding: its words go with it.
    reason.clear();
    message.clear();
  }
  if (reason.empty() && first != nullptr && (same_reason || status == Verdict::UNKNOWN)) {
    reason = first->reason();
  }
  if (!message.empty()) return;
  const int objects = judged_ - hosts_;
  if (status == Verdict::NOT_APPLICABLE) {
    absl::StrAppend(&message, "nothing to judge");
  } else if (judged_ == 1 && first != nullptr) {
    absl::StrAppend(&message, first->object(), first->object().empty() ? "" : ": ",
                    first->observed());
    if (status != Verdict::PASS && !first->expected().empty()) {
      absl::StrAppend(&message, "; expected ", first->expected());
    }
  } else if (status == Verdict::PASS) {
    absl::StrAppend(&message, judged_, " judged");
  } else {
    const int count = status == Verdict::FAIL      ? fails_
                      : status == Verdict::UNKNOWN ? unknowns_
                                                   : manuals_;
    const char* verb = status == Verdict::FAIL      ? " fail"
                       : status == Verdict::UNKNOWN ? " not known"
                                                    : " for a person to judge";
    absl::StrAppend(&message, count, " of ", std::max(judged_, objects), verb);
  }
  if (exempt_ > 0) absl::StrAppend(&message, ", ", exempt_, " exempt");
  if (out_of_scope_ > 0) absl::StrAppend(&message, ", ", out_of_scope_, " out of scope");
}

void Judge::Finish() {
  Status status = Resolve();
  const bool bare_pass = status == Verdict::PASS && judged_ == 0 && verdict_.message().empty();
  if (bare_pass) {
    status = Verdict::UNKNOWN;
    Decide(status, reason::kNotCollected, "nothing was judged and no evidence was given");
  }
  verdict_.set_status(status);
  auto& findings = *verdict_.mutable_findings();
  if (status == Verdict::FAIL || status == Verdict::UNKNOWN) {
    const auto passes = std::remove_if(findings.begin(), findings.end(), [](const v1::Finding& f) {
      return f.status() == Verdict::PASS;
    });
    findings.erase(passes, findings.end());
  }
  if (!std::is_sorted(findings.pointer_begin(), findings.pointer_end(), Before)) {
    std::sort(findings.pointer_begin(), findings.pointer_end(), Before);
  }
  Summarise(status);
  if (verdict_.reason().empty()) {
    if (status == Verdict::UNKNOWN) verdict_.set_reason(reason::kNotCollected);
    if (status == Verdict::NOT_APPLICABLE) verdict_.set_reason(reason::kNoObjects);
  }
  verdict_.set_judged_count(judged_ - hosts_);
  verdict_.set_exempt_count(exempt_);
  verdict_.set_out_of_scope_count(out_of_scope_);
}

absl::string_view ReasonFor(Source source, const SourceOutcome& outcome) {
  switch (outcome.state()) {
    case SourceOutcome::OK:
      return "";
    case SourceOutcome::UNAVAILABLE:
      return ReadThroughEngine(source) || ReadFromDaemon(source) ? reason::kEngineUnreachable
                                                                 : reason::kPermissionDenied;
    case SourceOutcome::PERMISSION_DENIED:
      return ReadThroughEngine(source) ? reason::kEngineDenied : reason::kPermissionDenied;
    case SourceOutcome::MALFORMED:
      return reason::kParseError;
    case SourceOutcome::TIMED_OUT:
      return reason::kTimedOut;
    case SourceOutcome::NOT_PRESENT:
      return source == Source::kFiles || source == Source::kConfigFile ? reason::kFileAbsent
                                                                       : reason::kNotCollected;
    case SourceOutcome::UNSUPPORTED:
      return reason::kSourceUnsupported;
    case SourceOutcome::TRUNCATED:
      return reason::kPartialListing;
    case SourceOutcome::AMBIGUOUS:
      return reason::kAmbiguousDaemon;
    default:
      return reason::kNotCollected;
  }
}

const SourceOutcome& OutcomeOf(const v1::HostFacts& facts, Source source) {
  // A part that was never tried has the whole to blame.
  const auto part_of = [](const SourceOutcome& part,
                          const SourceOutcome& whole) -> const SourceOutcome& {
    return part.state() == SourceOutcome::NOT_COLLECTED && whole.state() != SourceOutcome::OK
               ? whole
               : part;
  };
  switch (source) {
    case Source::kEngineVersion:
      return facts.engine().outcome();
    case Source::kEngineInfo:
      return part_of(facts.engine().info_outcome(), facts.engine().outcome());
    case Source::kDaemon:
      return facts.daemon().outcome();
    case Source::kCommandLine:
      return part_of(facts.daemon().command_line().outcome(), facts.daemon().outcome());
    case Source::kConfigFile:
      return part_of(facts.daemon().config_file().outcome(), facts.daemon().outcome());
    case Source::kMachine:
      return facts.machine().outcome();
    case Source::kUnits:
      return facts.units().outcome();
    case Source::kFiles:
      return facts.files().outcome();
    case Source::kAudit:
      return facts.audit().outcome();
    case Source::kMounts:
      return facts.mounts().outcome();
    case Source::kUsers:
      return facts.users().outcome();
    case Source::kImages:
      return facts.images().outcome();
    case Source::kContainers:
      return facts.containers().outcome();
    case Source::kVolumes:
      return facts.volumes().outcome();
    case Source::kNetworks:
      return facts.networks().outcome();
    case Source::kSwarm:
      return facts.swarm().outcome();
    case Source::kListeners:
      return facts.listeners().outcome();
  }
  return SourceOutcome::default_instance();
}

}  // namespace plimsoll::evaluate
