#include "controller/evaluate/evaluate.h"

#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/cli/baseline_file.h"
#include "controller/cli/command.h"
#include "controller/cli/report_view.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "proto/support/digest.h"

namespace plimsoll::cli {
namespace {

constexpr size_t kLargestFacts = 256 << 20;

struct Options {
  std::string facts_file;
  std::string baseline;
  std::string as_of;
  v1::Severity fail_on = v1::SEVERITY_UNSPECIFIED;
  ReportViewOptions view;
};

// Facts as the collector writes them, binary or JSON.
absl::StatusOr<v1::HostFacts> ReadFacts(const std::string& name) {
  std::ifstream file;
  if (name != "-") file.open(name, std::ios::binary);
  std::istream& in = name == "-" ? std::cin : file;
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read facts from ", name));
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (bytes.size() > kLargestFacts)
    return absl::InvalidArgumentError(absl::StrCat(name, " is larger than 256 MiB"));
  if (bytes.empty()) return absl::InvalidArgumentError(absl::StrCat(name, " is empty"));
  v1::HostFacts facts;
  const size_t start = bytes.find_first_not_of(" \t\r\n");
  if (start != std::string::npos && bytes[start] == '{') {
    const auto status = google::protobuf::util::JsonStringToMessage(bytes, &facts);
    if (!status.ok())
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is not facts in JSON: ", std::string(status.message())));
  } else if (!facts.ParseFromString(bytes)) {
    facts.Clear();
  }
  // Every collector says its version: without it, this is something else.
  if (facts.collector_version().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is not a whole facts file of plimsoll-collector --once"));
  }
  return facts;
}

absl::Status EvaluateFile(const Options& options, Session& session) {
  auto baseline = BaselineByNameOrFile(options.baseline);
  if (!baseline.ok()) return baseline.status();
  auto facts = ReadFacts(options.facts_file);
  if (!facts.ok()) return facts.status();
  // The facts' own time: the same file gives the same report whenever it is read.
  evaluate::Options how;
  how.as_of = absl::FromUnixSeconds(facts->observed_time().seconds()) +
              absl::Nanoseconds(facts->observed_time().nanos());
  const std::string digest = absl::BytesToHexString(support::FactsDigest(*facts));
  how.facts_digest = digest;
  std::string error;
  if (!options.as_of.empty() &&
      !absl::ParseTime(absl::RFC3339_full, options.as_of, &how.as_of, &error)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--as-of \"", options.as_of, "\": expected a time such as 2026-03-01T12:00:00Z"));
  }
  const v1::HostReport report = evaluate::Evaluate(*facts, *baseline, how);
  if (session.json()) {
    session.PrintJson(report);
  } else {
    PrintReport(report, *baseline, options.view, session.terminal, *session.out);
  }
  if (options.fail_on != v1::SEVERITY_UNSPECIFIED &&
      AnyFailure(report, *baseline, options.fail_on)) {
    session.exit_status = kNotCompliant;
  }
  return absl::OkStatus();
}

}  // namespace

void AddEvaluate(CLI::App& app, Session& session) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("evaluate", "Judge a facts file by a baseline, without a server");
  AddOutputOption(*command, session);
  command
      ->add_option("--facts", options->facts_file,
                   "File of `plimsoll-collector --once`; - for standard input")
      ->required()
      ->type_name("FILE");
  command->add_option("--baseline", options->baseline, "Shipped id or YAML file")
      ->required()
      ->type_name("NAME|FILE");
  command
      ->add_option("--as-of", options->as_of,
                   "Time the report speaks of [when the facts were observed]")
      ->type_name("TIME");
  command
      ->add_option_function<std::string>(
          "--fail-on",
          [options](const std::string& name) {
            if (!ParseSeverity(name, options->fail_on)) {
              throw CLI::ValidationError("--fail-on",
                                         "expected info, low, medium, high or critical");
            }
          },
          "Exit with 1 when a rule of at least this severity fails")
      ->type_name("SEVERITY");
  AddReportOptions(*command, options->view);
  command->footer(
      "Example:\n  plimsoll-collector --once --out facts.binpb && \\\n"
      "    plimsoll evaluate --facts facts.binpb --baseline azure-docker --status fail,unknown");
  command->final_callback([options, &session] {
    if (auto status = EvaluateFile(*options, session); !status.ok()) session.Fail(status);
  });
}

}  // namespace plimsoll::cli
