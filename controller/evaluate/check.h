// What a check is: a pure function that looks at facts and tells a judge what it found.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "controller/evaluate/fact_index.h"
#include "plimsoll/v1/check.pb.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"
#include "plimsoll/v1/source_outcome.pb.h"
#include "plimsoll/v1/verdict.pb.h"

namespace plimsoll::evaluate {

// Reason codes of rules.md section 1; the code is the text that leaves the evaluator.
namespace reason {
inline constexpr char kEngineUnreachable[] = "engine_unreachable";
inline constexpr char kEngineDenied[] = "engine_denied";
inline constexpr char kPermissionDenied[] = "permission_denied";
inline constexpr char kSourceUnsupported[] = "source_unsupported";
inline constexpr char kParseError[] = "parse_error";
inline constexpr char kTimedOut[] = "timed_out";
inline constexpr char kStale[] = "stale";
inline constexpr char kPartialListing[] = "partial_listing";
inline constexpr char kConfigNewerThanProcess[] = "config_newer_than_process";
inline constexpr char kAmbiguousDaemon[] = "ambiguous_daemon";
inline constexpr char kMountBoundary[] = "mount_boundary";
inline constexpr char kNeedsManager[] = "needs_manager";
inline constexpr char kNotCollected[] = "not_collected";
inline constexpr char kFileAbsent[] = "file_absent";
inline constexpr char kUnitAbsent[] = "unit_absent";
inline constexpr char kUnitMasked[] = "unit_masked";
inline constexpr char kTlsNotConfigured[] = "tls_not_configured";
inline constexpr char kSwarmInactive[] = "swarm_inactive";
inline constexpr char kNotAManager[] = "not_a_manager";
inline constexpr char kNoObjects[] = "no_objects";
inline constexpr char kRootless[] = "rootless";
inline constexpr char kDriverWithoutOption[] = "driver_without_option";
inline constexpr char kOptionRemovedFromEngine[] = "option_removed_from_engine";
inline constexpr char kIncompatibleWithSwarm[] = "incompatible_with_swarm";
inline constexpr char kEngineUnsupported[] = "engine_unsupported";
inline constexpr char kSwitchedOff[] = "switched_off";
inline constexpr char kConfiguredNotInForce[] = "configured_not_in_force";
inline constexpr char kPendingRestart[] = "pending_restart";
}  // namespace reason

// The sources a check cannot do without. When one is not OK, the evaluator says UNKNOWN with that
// reason and does not call the check. A check that can prove a violation without a source leaves it
// out here and asks Judge::UnknownFrom itself.
enum class Source : uint32_t {
  kEngineVersion,  // engine.outcome
  kEngineInfo,     // engine.info_outcome
  kDaemon,         // daemon.outcome
  kCommandLine,    // daemon.command_line.outcome
  kConfigFile,     // daemon.config_file.outcome: OK or NOT_PRESENT
  kMachine,
  kUnits,
  kFiles,
  kAudit,
  kMounts,
  kUsers,
  kImages,
  kContainers,
  kVolumes,
  kNetworks,
  kSwarm,
  kListeners,
};
inline constexpr int kSourceCount = static_cast<int>(Source::kListeners) + 1;

// A set of sources.
class SourceSet {
 public:
  constexpr SourceSet() = default;
  constexpr SourceSet(std::initializer_list<Source> sources) {
    for (const Source s : sources) bits_ |= 1u << static_cast<uint32_t>(s);
  }
  constexpr bool Has(Source s) const { return (bits_ >> static_cast<uint32_t>(s)) & 1u; }

 private:
  uint32_t bits_ = 0;
};

// Which object a finding is about. Borrows; views must live until the finding is added.
struct ObjectRef {
  // Shown to people: container "name (short id)", a path, an image's first tag.
  absl::string_view name;
  // Stable key: container id, image id, path. Empty: the host itself.
  absl::string_view id;
};

// What was seen against what is asked. Views are copied when added.
struct Evidence {
  absl::string_view observed = {};
  absl::string_view expected = {};
  // Code; empty for a plain violation.
  absl::string_view reason = {};
  // API field or path the evidence came from.
  absl::string_view source = {};
};

// Collects what a check finds and writes it into a v1::Verdict. The status follows rules.md section
// 1, items 4 and 5: any FAIL, else any UNKNOWN, else any MANUAL, else nothing judged is
// NOT_APPLICABLE(no_objects), else PASS; Decide overrides it for rules about the host as a whole.
class Judge {
 public:
  explicit Judge(v1::Verdict& verdict) : verdict_(verdict) {}

  // --- Objects. Each call counts one judged object, but for the host itself (empty id), which no
  // count shows. Returned findings are for notes; they live until Finish.

  // A pass without a finding (the cheap case: no allocation).
  void Pass() { ++judged_; }
  // A pass worth showing: rules with one subject (a file, a setting) show their evidence.
  v1::Finding* Pass(const ObjectRef& object, const Evidence& evidence);
  v1::Finding* Fail(const ObjectRef& object, const Evidence& evidence);
  v1::Finding* Unknown(const ObjectRef& object, const Evidence& evidence);
  v1::Finding* Manual(const ObjectRef& object, const Evidence& evidence);
  // Not judged.
  void Exempt() { ++exempt_; }
  void OutOfScope() { ++out_of_scope_; }

  // --- The rule as a whole.

  // Final word where no object decides: NOT_APPLICABLE with a reason, UNKNOWN for the whole rule.
  // In whatever order things are said, the first of FAIL, UNKNOWN, NOT_APPLICABLE, MANUAL, PASS
  // that was said wins; of equals the first. A message is one sentence for people.
  void Decide(v1::Verdict::Status status, absl::string_view reason, absl::string_view message);
  // UNKNOWN because of this outcome, with the reason code that belongs to it and its message.
  // `source` names whether it is the engine's or the host's (403 of the engine is engine_denied).
  // Does nothing when the outcome is OK; returns whether it was not.
  bool UnknownFrom(Source source, const v1::SourceOutcome& outcome);
  void Note(absl::string_view code, absl::string_view text);
  // True once a violation is proven: nothing said later can take it back.
  bool Failed() const { return fails_ > 0 || (decided_ && decision_ == v1::Verdict::FAIL); }

  // Writes status, counts, reason, message and sorted findings. FAIL and UNKNOWN keep only the
  // findings that are not PASS. A PASS for which nothing was judged and no evidence was given
  // becomes UNKNOWN. Called by the evaluator, once.
  void Finish();

 private:
  v1::Finding* Add(v1::Verdict::Status status, const ObjectRef& object, const Evidence& evidence);
  v1::Verdict::Status Resolve();
  void Summarise(v1::Verdict::Status status);

  v1::Verdict& verdict_;
  // Objects judged, and how many of them were the host itself.
  int judged_ = 0;
  int hosts_ = 0;
  int exempt_ = 0;
  int out_of_scope_ = 0;
  int fails_ = 0;
  int unknowns_ = 0;
  int manuals_ = 0;
  bool decided_ = false;
  v1::Verdict::Status decision_ = v1::Verdict::UNKNOWN;
};

// The reason code for an outcome of this source that is not OK.
absl::string_view ReasonFor(Source source, const v1::SourceOutcome& outcome);
// The outcome that speaks for a source; a default (NOT_COLLECTED) one when its section is absent.
const v1::SourceOutcome& OutcomeOf(const v1::HostFacts& facts, Source source);

// What a check may look at.
struct Context {
  const v1::HostFacts& facts;
  // Look-ups into `facts`, made once for all rules.
  const FactIndex& index;
  // What dates in lists are compared with.
  absl::Time as_of;
};

// One kind of check: the arguments' case in v1::Check, what it needs, and the function.
struct CheckEntry {
  v1::Check::KindCase kind;
  SourceSet needs;
  void (*run)(const Context& context, const v1::Check& check, Judge& judge);
  // Adds the paths and units that this check wants looked at. Duplicates are harmless. Null: none.
  void (*plan)(const v1::Check& check, v1::CollectionPlan& plan) = nullptr;
};

// Every check, from the families in checks/<family>.cc. One table, no registration:
// checks/table.cc. Null for a case without a check.
const CheckEntry* FindCheck(v1::Check::KindCase kind);

}  // namespace plimsoll::evaluate
