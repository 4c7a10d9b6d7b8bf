// What every command of `plimsoll` shares.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/cli/options.h"
#include "controller/cli/terminal.h"

namespace plimsoll::cli {

// Exit statuses, stable: scripts rely on them.
enum Exit {
  kDone = 0,
  // The answer is "not compliant", where a judgement was asked for.
  kNotCompliant = 1,
  kUsage = 2,
  // Could not reach, not allowed, or stopped half-way.
  kFailed = 3,
};

// Options before the command, and where output goes. One for the whole run; not thread-safe.
struct Session {
  // Overrides of the saved credentials.
  std::string server;
  std::string ca_file;
  std::string token_file;
  std::string credentials_file;
  // "table" or "json".
  std::string output = "table";
  std::string color = "auto";

  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  Terminal terminal = Terminal::Plain();
  Terminal error_terminal = Terminal::Plain();
  int exit_status = kDone;

  bool json() const { return output == "json"; }
  // Prints what went wrong and sets the exit status that belongs to it.
  void Fail(const absl::Status& status);
  // Prints `message` as the API's own JSON, keys as in the proto's JSON mapping.
  void PrintJson(const google::protobuf::Message& message);
};

// Adds -o to a command (each command takes it, so that it may stand behind the command's name).
void AddOutputOption(Command command, Session& session);

// A check of options where nothing would mean that they are not given: complains of an empty text.
std::string NotEmpty(const std::string& text);

// Adds --label KEY=VALUE (repeatable) into `labels`.
void AddLabelOption(Command command, std::map<std::string, std::string>& labels,
                    const std::string& help);

// Adds an option that is a severity; `set` is called with what was given.
Option AddSeverityOption(Command command, const std::string& name, const std::string& help,
                         std::function<void(v1::Severity)> set);

// Each adds one command to `app`. `session` outlives the parse.
void AddLogin(Command app, Session& session);
void AddLogout(Command app, Session& session);
void AddWhoAmI(Command app, Session& session);
void AddPassword(Command app, Session& session);
void AddUser(Command app, Session& session);
void AddApiToken(Command app, Session& session);
void AddActivity(Command app, Session& session);
void AddHosts(Command app, Session& session);
void AddHost(Command app, Session& session);
void AddRules(Command app, Session& session);
void AddFindings(Command app, Session& session);
void AddSummary(Command app, Session& session);
void AddTrend(Command app, Session& session);
void AddHistory(Command app, Session& session);
void AddConfigurations(Command app, Session& session);
void AddScan(Command app, Session& session);
void AddSchedule(Command app, Session& session);
void AddNotification(Command app, Session& session);
void AddWaiver(Command app, Session& session);
void AddTailoring(Command app, Session& session);
void AddLabel(Command app, Session& session);
void AddSelector(Command app, Session& session);
void AddApply(Command app, Session& session);
void AddToken(Command app, Session& session);
void AddEnrollment(Command app, Session& session);
void AddCa(Command app, Session& session);
void AddBaseline(Command app, Session& session);
void AddEvaluate(Command app, Session& session);

// The program without main: parses `arguments` (without the program's name), runs the command,
// returns the exit status. Writes to `out` and `err` only.
int RunCli(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace plimsoll::cli
