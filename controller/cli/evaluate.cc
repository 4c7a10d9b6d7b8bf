#include "controller/evaluate/evaluate.h"

#include <google/protobuf/util/json_util.h>

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/cli/baseline_file.h"
#include "controller/cli/command.h"
#include "controller/cli/read_whole.h"
#include "controller/cli/report_view.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "proto/support/digest.h"
#include "proto/support/times.h"

namespace plimsoll::cli {
namespace {

constexpr size_t kMostMebibytesOfFacts = 256;

struct Options {
  std::string facts_file;
  std::string baseline;
  std::string as_of;
  v1::Severity fail_on = v1::SEVERITY_UNSPECIFIED;
  ReportViewOptions view;
};

// Facts as the collector writes them, binary or JSON.
absl::StatusOr<v1::HostFacts> ReadFacts(const std::string& name) {
  const auto read = ReadWhole(name, kMostMebibytesOfFacts);
  if (!read.ok()) return read.status();
  const std::string& bytes = *read;
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
  how.as_of = support::FromTimestamp(facts->observed_time());
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

void AddEvaluate(Command app, Session& session) {
  auto options = std::make_shared<Options>();
  Command command =
      app.AddSubcommand("evaluate", "Judge a facts file by a baseline, without a server");
  AddOutputOption(command, session);
  command
      .AddOption("--facts", options->facts_file,
                 "File of `plimsoll-collector --once`; - for standard input")
      .Required()
      .TypeName("FILE");
  command.AddOption("--baseline", options->baseline, "Shipped id or YAML file")
      .Required()
      .TypeName("NAME|FILE");
  command
      .AddOption("--as-of", options->as_of,
                 "Time the report speaks of [when the facts were observed]")
      .TypeName("TIME");
  AddSeverityOption(command, "--fail-on", "Exit with 1 when a rule of at least this severity fails",
                    [options](v1::Severity severity) { options->fail_on = severity; });
  AddReportOptions(command, options->view);
  command.Footer(
      "Example:\n  plimsoll-collector --once --out facts.binpb && \\\n"
      "    plimsoll evaluate --facts facts.binpb --baseline azure-docker --status fail,unknown");
  command.OnRun([options, &session] {
    if (auto status = EvaluateFile(*options, session); !status.ok()) session.Fail(status);
  });
}

}  // namespace plimsoll::cli
