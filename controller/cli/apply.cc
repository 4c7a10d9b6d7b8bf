#include <google/protobuf/struct.pb.h>

#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/cli/apply_files.h"
#include "controller/cli/apply_plan.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"

namespace plimsoll::cli {
namespace {

// Members of one object that are printed; -o json has all.
constexpr size_t kMostShown = 50;
constexpr size_t kLongestValue = 200;

struct ApplyOptions {
  std::vector<std::string> paths;
  std::string set = "default";
  bool dry_run = false;
  bool prune = false;
};

struct Look {
  const char* sign;
  const char* name;
  Style style;
};

Look LookOf(PlanAction action) {
  switch (action) {
    case PlanAction::kCreate:
      return {"+", "create", Style::kGreen};
    case PlanAction::kChange:
      return {"~", "change", Style::kYellow};
    case PlanAction::kPrune:
      return {"-", "prune", Style::kRed};
    default:
      return {"=", "none", Style::kDim};
  }
}

// Steps that do this; of a run only those that came about.
int CountOf(const Plan& plan, PlanAction action, bool dry_run) {
  int count = 0;
  for (const PlanStep& step : plan.steps) {
    const bool counts = dry_run || step.done || action == PlanAction::kNone;
    count += counts && step.action == action ? 1 : 0;
  }
  return count;
}

int ChangesOf(const Plan& plan) {
  return static_cast<int>(plan.steps.size()) - CountOf(plan, PlanAction::kNone, true);
}

void PrintStep(const PlanStep& step, const Terminal& terminal, std::ostream& out) {
  const Look look = LookOf(step.action);
  out << terminal.Paint(look.sign, look.style) << " " << step.kind << " "
      << Printable(step.name, 256);
  if (!step.note.empty()) out << "  (" << Printable(step.note, 512) << ")";
  out << "\n";
  size_t shown = 0;
  for (const FieldChange& field : step.fields) {
    if (++shown > kMostShown) {
      out << "    … " << step.fields.size() - kMostShown << " more; -o json has all\n";
      break;
    }
    out << "    " << Printable(field.field, kLongestValue) << ": ";
    if (step.action == PlanAction::kCreate) {
      out << Printable(field.after, kLongestValue) << "\n";
    } else {
      out << (field.before.empty() ? "-" : Printable(field.before, kLongestValue)) << " -> "
          << (field.after.empty() ? "-" : Printable(field.after, kLongestValue)) << "\n";
    }
  }
}

void PrintPlan(const Plan& plan, const Terminal& terminal, std::ostream& out) {
  for (const PlanStep& step : plan.steps) {
    // Of what stays only what people should know.
    if (step.action != PlanAction::kNone || !step.note.empty()) PrintStep(step, terminal, out);
  }
}

// What came about, or would.
void PrintSummary(const Plan& plan, bool dry_run, std::ostream& out) {
  const auto count = [&](PlanAction action) { return CountOf(plan, action, dry_run); };
  if (ChangesOf(plan) == 0) {
    out << "Nothing to do: " << count(PlanAction::kNone) << " unchanged.\n";
    return;
  }
  out << (dry_run ? "Would be: " : "") << count(PlanAction::kCreate) << " created, "
      << count(PlanAction::kChange) << " changed, " << count(PlanAction::kPrune) << " pruned; "
      << count(PlanAction::kNone) << " unchanged.\n";
}

using google::protobuf::Struct;

void SetText(const std::string& key, const std::string& value, Struct& out) {
  if (!value.empty()) (*out.mutable_fields())[key].set_string_value(value);
}

// `stopped`: why a run went no further; OK where it did not stop.
void PrintJson(const Plan& plan, const ApplyOptions& options, const absl::Status& stopped,
               Session& session) {
  Struct answer;
  auto& members = *answer.mutable_fields();
  members["set"].set_string_value(options.set);
  members["dryRun"].set_bool_value(options.dry_run);
  for (const auto& [key, action] :
       {std::pair("created", PlanAction::kCreate), std::pair("changed", PlanAction::kChange),
        std::pair("pruned", PlanAction::kPrune), std::pair("unchanged", PlanAction::kNone)}) {
    members[key].set_number_value(CountOf(plan, action, options.dry_run));
  }
  SetText("stopped", std::string(stopped.message()), answer);
  auto& objects = *members["objects"].mutable_list_value();
  for (const PlanStep& step : plan.steps) {
    Struct& object = *objects.add_values()->mutable_struct_value();
    SetText("kind", step.kind, object);
    SetText("name", step.name, object);
    SetText("action", LookOf(step.action).name, object);
    SetText("note", step.note, object);
    if (step.run != nullptr && !options.dry_run) {
      (*object.mutable_fields())["done"].set_bool_value(step.done);
    }
    if (step.object != nullptr) {
      SetText("file", step.object->file, object);
      (*object.mutable_fields())["line"].set_number_value(step.object->line);
    }
    if (step.fields.empty()) continue;
    auto& fields = *(*object.mutable_fields())["fields"].mutable_list_value();
    for (const FieldChange& change : step.fields) {
      Struct& field = *fields.add_values()->mutable_struct_value();
      SetText("field", change.field, field);
      SetText("before", change.before, field);
      SetText("after", change.after, field);
    }
  }
  session.PrintJson(answer);
}

// Makes the changes one by one. ABORTED: one of them failed; says which, why, and how far it came.
absl::Status Run(Plan& plan) {
  int done = 0;
  for (PlanStep& step : plan.steps) {
    if (step.run == nullptr) continue;
    const absl::Status status = step.run();
    if (!status.ok()) {
      const std::string what =
          step.object != nullptr ? step.object->Problem(status.message())
                                 : absl::StrCat(step.kind, "/", step.name, ": ", status.message());
      return absl::AbortedError(
          absl::StrCat(what, "\n", done, " of ", ChangesOf(plan),
                       " changes were made in full; what came after was not tried"));
    }
    step.done = true;
    ++done;
  }
  return absl::OkStatus();
}

absl::Status Apply(Client& client, const ApplyOptions& options,
                   const std::vector<PolicyObject>& objects, Session& session) {
  auto plan = MakePlan(client, options.set, options.prune, objects);
  if (!plan.ok()) return plan.status();
  for (const std::string& note : plan->notes) *session.err << Printable(note) << "\n";
  if (!plan->problems.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(absl::StrJoin(plan->problems, "\n"), "\nnothing was changed"));
  }
  if (!session.json()) PrintPlan(*plan, session.terminal, *session.out);
  session.out->flush();
  absl::Status status = options.dry_run ? absl::OkStatus() : Run(*plan);
  if (session.json()) {
    PrintJson(*plan, options, status, session);
  } else {
    PrintSummary(*plan, options.dry_run, *session.out);
  }
  if (options.dry_run && ChangesOf(*plan) > 0) session.exit_status = kNotCompliant;
  return status;
}

}  // namespace

void AddApply(Command app, Session& session) {
  auto options = std::make_shared<ApplyOptions>();
  Command command =
      app.AddSubcommand("apply", "Make policy what files say: waivers, schedules, tailoring, …");
  AddOutputOption(command, session);
  command
      .AddOption("-f,--file", options->paths,
                 "File, folder (its *.yaml, however deep) or - for standard input; may be repeated")
      .Required()
      .TypeName("PATH");
  command.AddFlag("--dry-run", options->dry_run,
                  "Change nothing; exit status 1 when something would change");
  command.AddFlag("--prune", options->prune,
                  "Also take away what came from this set of files and is in none of them now");
  command.AddOption("--set", options->set, "Name of this set of files; --prune looks at no other")
      .ShowDefault()
      .Check([](const std::string& text) { return IsName(text) ? "" : kExpectedName; })
      .TypeName("NAME");
  command.Footer(
      "A file holds documents of the form\n  kind: Schedule\n  metadata: {name: nightly}\n  spec: "
      "{cron: '0 2 * * *', selector: {all: true}}\nKinds: Selector, Labels, Tailoring, Waiver, "
      "Schedule, NotificationChannel. A spec is the message of the API in\nits JSON mapping. All "
      "files are checked before anything is changed. A waiver is proposed, and covers nothing\n"
      "until somebody else approves it.\n\nExamples:\n  plimsoll apply -f policy/ --dry-run\n  "
      "plimsoll apply -f policy/ --prune --set platform");
  command.OnRun([options, &session] {
    const PolicyFiles files = ReadPolicy(options->paths);
    if (!files.problems.empty()) {
      session.Fail(absl::InvalidArgumentError(
          absl::StrCat(absl::StrJoin(files.problems, "\n"), "\nnothing was changed")));
      return;
    }
    WithClient(session,
               [&](Client& client) { return Apply(client, *options, files.objects, session); });
  });
}

}  // namespace plimsoll::cli
