#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "controller/cli/baseline_file.h"
#include "controller/cli/baseline_versions.h"
#include "controller/cli/baseline_view.h"
#include "controller/cli/command.h"
#include "controller/cli/read_whole.h"
#include "controller/evaluate/baseline_loader.h"
#include "plimsoll/v1/baseline_service.pb.h"

namespace plimsoll::cli {

absl::StatusOr<v1::Baseline> BaselineByNameOrFile(const std::string& name) {
  auto shipped = evaluate::ShippedBaseline(name);
  if (!absl::IsNotFound(shipped.status())) return shipped;
  const auto text = ReadWhole(name, kMostMebibytesOfBaseline);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        absl::StrCat("\"", name, "\" is neither a file that can be read nor a shipped baseline (",
                     shipped.status().message(), ")"));
  }
  if (!text.ok()) return text.status();
  return evaluate::LoadBaseline(*text, name);
}

namespace {

absl::Status List(Session& session) {
  v1::ListBaselinesResponse all;
  for (const std::string& id : evaluate::ShippedBaselineIds()) {
    auto baseline = evaluate::ShippedBaseline(id);
    if (!baseline.ok()) return baseline.status();
    *all.add_baselines() = *std::move(baseline);
  }
  Table table({"ID", "VERSION", "RULES", "DIGEST", "TITLE"});
  for (v1::Baseline& baseline : *all.mutable_baselines()) {
    table.Row({baseline.id(), baseline.version(), absl::StrCat(baseline.rules_size()),
               baseline.digest().substr(0, 12), baseline.title()});
    baseline.clear_rules();
  }
  if (session.json()) {
    session.PrintJson(all);
  } else {
    table.Print(session.terminal, *session.out);
  }
  return absl::OkStatus();
}

absl::Status Show(const std::string& name, const std::string& rule_id, Session& session) {
  auto baseline = BaselineByNameOrFile(name);
  if (!baseline.ok()) return baseline.status();
  if (rule_id.empty()) {
    if (session.json()) {
      session.PrintJson(*baseline);
    } else {
      PrintRules(*baseline, session.terminal, *session.out);
    }
    return absl::OkStatus();
  }
  for (const v1::Rule& rule : baseline->rules()) {
    if (rule.id() != rule_id && rule.slug() != rule_id) continue;
    if (session.json()) {
      session.PrintJson(rule);
    } else {
      PrintRule(rule, session.terminal, *session.out);
    }
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat(baseline->id(), " has no rule \"", rule_id, "\""));
}

}  // namespace

void AddBaseline(Command app, Session& session) {
  struct Options {
    std::string name;
    std::string rule;
    std::string file;
  };
  auto options = std::make_shared<Options>();
  Command baseline = app.AddSubcommand(
      "baseline", "Baseline documents: list, show, validate; upload, activate and more");
  baseline.RequireSubcommand(1, 1);
  Command list = baseline.AddSubcommand("list", "Baselines that come with this program");
  AddOutputOption(list, session);
  list.OnRun([&session] {
    if (auto status = List(session); !status.ok()) session.Fail(status);
  });
  Command show = baseline.AddSubcommand("show", "The rules of a baseline, or one rule in full");
  AddOutputOption(show, session);
  show.AddOption("baseline", options->name, "Shipped id or YAML file")
      .Required()
      .TypeName("NAME|FILE");
  show.AddOption("rule", options->rule, "Rule id or slug").TypeName("RULE");
  show.OnRun([options, &session] {
    if (auto status = Show(options->name, options->rule, session); !status.ok())
      session.Fail(status);
  });
  Command validate =
      baseline.AddSubcommand("validate", "Check a baseline document; every problem with its line");
  validate.AddOption("file", options->file, "YAML file").Required().TypeName("FILE");
  validate.Footer("Exit status: 0 valid; 2 not, with each problem as FILE:LINE: what is wrong.");
  validate.OnRun([options, &session] {
    auto loaded = BaselineByNameOrFile(options->file);
    if (!loaded.ok()) {
      session.Fail(loaded.status());
      return;
    }
    *session.out << options->file << ": valid, " << loaded->rules_size() << " rules, digest "
                 << loaded->digest() << "\n";
  });
  AddBaselineVersions(baseline, session);
}

}  // namespace plimsoll::cli
