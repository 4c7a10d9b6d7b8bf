// Commands and options, so that the files of the commands do not need CLI11: its header alone
// would be most of what a command costs to build.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace plimsoll::cli {

// An option or flag of a command. A handle: copies mean the same option, which lives as long as its
// command. Each method returns the handle.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option Required();
  // What stands for the value in the help, such as "FILE".
  Option TypeName(const std::string& name);
  // The help says the value that it has now.
  Option ShowDefault();
  // Takes its value from this environment variable when it is not given.
  Option EnvName(const std::string& name);
  // Takes from `least` to `most` words.
  Option Expected(int least, int most);
  // One word gives several values, with this between them.
  Option Delimiter(char delimiter);
  Option Excludes(Option other);
  // `check` says what is wrong with a word; empty: nothing.
  Option Check(std::function<std::string(const std::string&)> check);
  Option OneOf(const std::vector<std::string>& words);
  // A number.
  Option Between(int least, int most);
  Option NotNegative();

 private:
  CLI::Option* option_;
};

// A command, or the program itself. A handle, as Option; the program outlives it.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  Command AddSubcommand(const std::string& name, const std::string& help);
  // `value` is set while the command line is parsed, and outlives that; so do the functions, which
  // may call RefuseOption. Names without dashes are positional.
  Option AddOption(const std::string& name, std::string& value, const std::string& help);
  Option AddOption(const std::string& name, std::vector<std::string>& values,
                   const std::string& help);
  Option AddOption(const std::string& name, int& value, const std::string& help);
  Option AddOptionCall(const std::string& name, std::function<void(const std::string&)> call,
                       const std::string& help);
  Option AddOptionCall(const std::string& name,
                       std::function<void(const std::vector<std::string>&)> call,
                       const std::string& help);
  Option AddOptionCall(const std::string& name, std::function<void(const int&)> call,
                       const std::string& help);
  Option AddFlag(const std::string& name, bool& value, const std::string& help);
  Option AddFlagCall(const std::string& name, std::function<void()> call, const std::string& help);

  // Text below the help.
  void Footer(const std::string& text);
  // From `least` to `most` subcommands have to follow.
  void RequireSubcommand(int least, int most);
  bool HasSubcommand() const;
  // What the command does, once the command line is parsed.
  void OnRun(std::function<void()> run);

 private:
  CLI::App* app_;
};

// Ends the parse: what was given for the option `name` cannot be taken, and why.
[[noreturn]] void RefuseOption(const std::string& name, const std::string& why);

}  // namespace plimsoll::cli
