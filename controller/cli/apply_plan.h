// What `plimsoll apply` has to do: the difference between files of policy and a controller.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "controller/cli/apply_files.h"
#include "controller/cli/client.h"

namespace plimsoll::cli {

enum class PlanAction { kNone, kCreate, kChange, kPrune };

// A member before and after; empty: it is not set. Neither is Printable yet.
struct FieldChange {
  std::string field;
  std::string before;
  std::string after;
};

// What becomes of one object.
struct PlanStep {
  PlanAction action = PlanAction::kNone;
  std::string kind;
  std::string name;
  // Null: it is in no file.
  const PolicyObject* object = nullptr;
  std::vector<FieldChange> fields = {};
  // For people; empty: nothing to say.
  std::string note = "";
  // Does it. Null where there is nothing to do.
  std::function<absl::Status()> run = nullptr;
  // Whether `run` was called, and all of it came about.
  bool done = false;
};

// Everything that planning works with.
struct PlanParts {
  Client& client;
  // What marks objects as coming from these files (managed_by).
  const std::string& set;
  // Whether to take away what is marked and in no file.
  bool prune = false;
  const std::vector<PolicyObject>& objects;
  // Expressions of the saved selectors that the files make or change, by name. Filled when those
  // are planned, which is before anything that names them.
  std::map<std::string, std::string> selectors = {};
};

struct Plan {
  // In the order in which they are done; what is pruned comes last, and the other way round.
  std::vector<PlanStep> steps;
  // What the controller refuses, as lines "file:line: Kind/name: ...".
  std::vector<std::string> problems;
  // Kinds that were left out, and why.
  std::vector<std::string> notes;
};

// Reads what is there, and has the controller check every object without changing anything. Errors
// are those of the connection and of what may not be read; what is wrong with an object is in
// `problems`.
absl::StatusOr<Plan> MakePlan(Client& client, const std::string& set, bool prune,
                              const std::vector<PolicyObject>& objects);

// --- For those who plan one kind.

// The objects of a kind.
std::vector<const PolicyObject*> ObjectsOf(const PlanParts& parts, absl::string_view kind);

// Members of two messages of one type that differ, as the JSON mapping names them:
// "rules[0].rule". Only what is below `members`.
std::vector<FieldChange> DifferenceOf(const google::protobuf::Message& before,
                                      const google::protobuf::Message& after,
                                      const std::vector<std::string>& members);

// The label selector of an object, and the member that it stands in. Of saved selectors: nothing.
struct SelectorMember {
  std::string place;
  std::string expression;
};
SelectorMember SelectorOf(const PolicyObject& object);

// The object's expression with the requirements of `parts.selectors` written out: the controller
// does not know them yet. INVALID_ARGUMENT, with the member that is wrong: it does not parse.
absl::StatusOr<std::string> WrittenOut(const PlanParts& parts, const PolicyObject& object);

// The expression that the controller made of what WrittenOut gave, with the names back in it.
std::string NamedAgain(absl::string_view checked, absl::string_view written_out,
                       absl::string_view original);

// A refusal of what was checked becomes a problem of the object; anything else is an error.
absl::Status TakeProblem(const absl::Status& status, const PolicyObject& object, Plan& plan);

absl::Status PlanLabels(const PlanParts& parts, Plan& plan);
absl::Status PlanWaivers(const PlanParts& parts, Plan& plan);
// Those that have a name of their own: selectors, tailorings, schedules, notification channels.
absl::Status PlanSelectors(const PlanParts& parts, Plan& plan);
absl::Status PlanTailorings(const PlanParts& parts, Plan& plan);
absl::Status PlanSchedules(const PlanParts& parts, Plan& plan);
absl::Status PlanChannels(const PlanParts& parts, Plan& plan);

}  // namespace plimsoll::cli
