#include "controller/cli/command.h"

#include <google/protobuf/util/json_util.h>

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

void AddOutputOption(CLI::App& command, Session& session) {
  command.add_option("-o,--output", session.output, "Print a table, or the API's own JSON [table]")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"table", "json"}));
}

std::string NotEmpty(const std::string& text) { return text.empty() ? "is empty" : ""; }

void AddLabelOption(CLI::App& command, std::map<std::string, std::string>& labels,
                    const std::string& help) {
  command
      .add_option_function<std::vector<std::string>>(
          "--label",
          [&labels](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              const size_t equals = text.find('=');
              if (equals == std::string::npos || equals == 0) {
                throw CLI::ValidationError("--label",
                                           absl::StrCat("\"", text, "\": expected KEY=VALUE"));
              }
              labels[text.substr(0, equals)] = text.substr(equals + 1);
            }
          },
          help)
      ->type_name("KEY=VALUE");
}

CLI::Option* AddSeverityOption(CLI::App& command, const std::string& name, const std::string& help,
                               std::function<void(v1::Severity)> set) {
  return command
      .add_option_function<std::string>(
          name,
          [name, set = std::move(set)](const std::string& text) {
            v1::Severity severity;
            if (!ParseSeverity(text, severity)) {
              throw CLI::ValidationError(name, "expected info, low, medium, high or critical");
            }
            set(severity);
          },
          help)
      ->type_name("SEVERITY");
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
  app.add_option("--server", session.server, "API of the controller [from `plimsoll login`]")
      ->type_name("HOST:PORT")
      ->envname("PLIMSOLL_SERVER");
  app.add_option("--ca", session.ca_file, "Certificate (PEM) the controller is checked against")
      ->type_name("FILE")
      ->envname("PLIMSOLL_CA");
  app.add_option("--token-file", session.token_file, "File with the bearer token")
      ->type_name("FILE")
      ->envname("PLIMSOLL_TOKEN_FILE");
  app.add_option("--credentials", session.credentials_file,
                 "Where `plimsoll login` keeps them [~/.config/plimsoll/credentials.yaml]")
      ->type_name("FILE")
      ->envname("PLIMSOLL_CREDENTIALS");
  app.add_option("--color", session.color, "auto or never")
      ->check(CLI::IsMember({"auto", "never"}))
      ->type_name("WHEN");
  AddLogin(app, session);
  AddLogout(app, session);
  AddWhoAmI(app, session);
  AddPassword(app, session);
  AddSummary(app, session);
  AddTrend(app, session);
  AddHosts(app, session);
  AddHost(app, session);
  AddHistory(app, session);
  AddFindings(app, session);
  AddConfigurations(app, session);
  AddRules(app, session);
  AddScan(app, session);
  AddSchedule(app, session);
  AddNotification(app, session);
  AddWaiver(app, session);
  AddTailoring(app, session);
  AddLabel(app, session);
  AddSelector(app, session);
  AddApply(app, session);
  AddToken(app, session);
  AddEnrollment(app, session);
  AddCa(app, session);
  AddUser(app, session);
  AddApiToken(app, session);
  AddActivity(app, session);
  AddBaseline(app, session);
  AddEvaluate(app, session);
  app.footer(
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
