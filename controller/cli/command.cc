#include "controller/cli/command.h"

#include <google/protobuf/util/json_util.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/version.h"

namespace plimsoll::cli {
namespace {

int ExitFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return kUsage;
    default:
      return kFailed;
  }
}

Terminal Choose(const Session& session, int fd) {
  if (session.color == "never") return Terminal::Plain(Terminal::Of(fd).width());
  return Terminal::Of(fd);
}

}  // namespace

void Session::Fail(const absl::Status& status) {
  // A message may have several lines, such as the problems of a document: each stays a line.
  *err << error_terminal.Paint("plimsoll: ", Style::kRed);
  for (absl::string_view line : absl::StrSplit(status.message(), '\n'))
    *err << Printable(line) << "\n";
  exit_status = ExitFor(status);
}

void Session::PrintJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  // Scripts find every key, whatever its value.
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) {
    Fail(absl::InternalError(status.ToString()));
    return;
  }
  *out << PrintableJson(text);
}

void AddOutputOption(Command command, Session& session) {
  command.AddOption("-o,--output", session.output, "Print a table, or the API's own JSON [table]")
      .TypeName("FORMAT")
      .OneOf({"table", "json"});
}

std::string NotEmpty(const std::string& text) { return text.empty() ? "is empty" : ""; }

void AddLabelOption(Command command, std::map<std::string, std::string>& labels,
                    const std::string& help) {
  command
      .AddOptionCall(
          "--label",
          [&labels](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              const size_t equals = text.find('=');
              if (equals == std::string::npos || equals == 0) {
                RefuseOption("--label", absl::StrCat("\"", text, "\": expected KEY=VALUE"));
              }
              labels[text.substr(0, equals)] = text.substr(equals + 1);
            }
          },
          help)
      .TypeName("KEY=VALUE");
}

Option AddSeverityOption(Command command, const std::string& name, const std::string& help,
                         std::function<void(v1::Severity)> set) {
  return command
      .AddOptionCall(
          name,
          [name, set = std::move(set)](const std::string& text) {
            v1::Severity severity;
            if (!ParseSeverity(text, severity)) {
              RefuseOption(name, "expected info, low, medium, high or critical");
            }
            set(severity);
          },
          help)
      .TypeName("SEVERITY");
}

int RunCli(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  Session session;
  session.out = &out;
  session.err = &err;
  CLI::App app("Plimsoll: how every Docker host of a fleet stands against its security baseline.",
               "plimsoll");
  app.set_version_flag("--version", std::string("plimsoll ") + support::kVersion);
  app.require_subcommand(1);
  app.fallthrough();
  Command top(&app);
  top.AddOption("--server", session.server, "API of the controller [from `plimsoll login`]")
      .TypeName("HOST:PORT")
      .EnvName("PLIMSOLL_SERVER");
  top.AddOption("--ca", session.ca_file, "Certificate (PEM) the controller is checked against")
      .TypeName("FILE")
      .EnvName("PLIMSOLL_CA");
  top.AddOption("--token-file", session.token_file, "File with the bearer token")
      .TypeName("FILE")
      .EnvName("PLIMSOLL_TOKEN_FILE");
  top.AddOption("--credentials", session.credentials_file,
                "Where `plimsoll login` keeps them [~/.config/plimsoll/credentials.yaml]")
      .TypeName("FILE")
      .EnvName("PLIMSOLL_CREDENTIALS");
  top.AddOption("--color", session.color, "auto or never")
      .OneOf({"auto", "never"})
      .TypeName("WHEN");
  AddLogin(top, session);
  AddLogout(top, session);
  AddWhoAmI(top, session);
  AddPassword(top, session);
  AddSummary(top, session);
  AddTrend(top, session);
  AddHosts(top, session);
  AddHost(top, session);
  AddHistory(top, session);
  AddFindings(top, session);
  AddConfigurations(top, session);
  AddRules(top, session);
  AddScan(top, session);
  AddSchedule(top, session);
  AddNotification(top, session);
  AddWaiver(top, session);
  AddTailoring(top, session);
  AddLabel(top, session);
  AddSelector(top, session);
  AddApply(top, session);
  AddToken(top, session);
  AddEnrollment(top, session);
  AddCa(top, session);
  AddUser(top, session);
  AddApiToken(top, session);
  AddActivity(top, session);
  AddBaseline(top, session);
  AddEvaluate(top, session);
  top.Footer(
      "Exit status: 0 done; 1 not compliant, where a judgement was asked for; 2 usage; 3 could not "
      "reach or not\n"
      "allowed. `plimsoll COMMAND --help` has the details and examples.");
  // Callbacks run after all options are known.
  app.parse_complete_callback([&session] {
    session.terminal = Choose(session, 1);
    session.error_terminal = Choose(session, 2);
    if (session.out != &std::cout) session.terminal = Terminal::Plain();
    if (session.err != &std::cerr) session.error_terminal = Terminal::Plain();
  });
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::RequiredError& error) {
    // Of a misspelt command CLI11 says only that there is none.
    const std::vector<std::string> unknown = app.remaining(true);
    if (unknown.empty()) return app.exit(error, out, err) == 0 ? kDone : kUsage;
    session.Fail(absl::InvalidArgumentError(
        absl::StrCat("\"", unknown[0], "\" is no ", unknown[0][0] == '-' ? "option" : "command",
                     " here; --help lists them")));
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error, out, err) == 0 ? kDone : kUsage;
  }
  out.flush();
  return session.exit_status;
}

}  // namespace plimsoll::cli
