#include "controller/cli/options.h"

#include <CLI/CLI.hpp>
#include <utility>

namespace plimsoll::cli {

Option Option::Required() { return Option(option_->required()); }

Option Option::TypeName(const std::string& name) { return Option(option_->type_name(name)); }

Option Option::ShowDefault() { return Option(option_->capture_default_str()); }

Option Option::EnvName(const std::string& name) { return Option(option_->envname(name)); }

Option Option::Expected(int least, int most) { return Option(option_->expected(least, most)); }

Option Option::Delimiter(char delimiter) { return Option(option_->delimiter(delimiter)); }

Option Option::Excludes(Option other) { return Option(option_->excludes(other.option_)); }

Option Option::Check(std::function<std::string(const std::string&)> check) {
  return Option(option_->check(std::move(check)));
}

Option Option::OneOf(const std::vector<std::string>& words) {
  return Option(option_->check(CLI::IsMember(words)));
}

Option Option::Between(int least, int most) {
  return Option(option_->check(CLI::Range(least, most)));
}

Option Option::NotNegative() { return Option(option_->check(CLI::NonNegativeNumber)); }

Command Command::AddSubcommand(const std::string& name, const std::string& help) {
  return Command(app_->add_subcommand(name, help));
}

Option Command::AddOption(const std::string& name, std::string& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Command::AddOption(const std::string& name, std::vector<std::string>& values,
                          const std::string& help) {
  return Option(app_->add_option(name, values, help));
}

Option Command::AddOption(const std::string& name, int& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Command::AddOptionCall(const std::string& name, std::function<void(const std::string&)> call,
                              const std::string& help) {
  return Option(app_->add_option_function<std::string>(name, call, help));
}

Option Command::AddOptionCall(const std::string& name,
                              std::function<void(const std::vector<std::string>&)> call,
                              const std::string& help) {
  return Option(app_->add_option_function<std::vector<std::string>>(name, call, help));
}

Option Command::AddOptionCall(const std::string& name, std::function<void(const int&)> call,
                              const std::string& help) {
  return Option(app_->add_option_function<int>(name, call, help));
}

Option Command::AddFlag(const std::string& name, bool& value, const std::string& help) {
  return Option(app_->add_flag(name, value, help));
}

Option Command::AddFlagCall(const std::string& name, std::function<void()> call,
                            const std::string& help) {
  return Option(app_->add_flag_callback(name, std::move(call), help));
}

void Command::Footer(const std::string& text) { app_->footer(text); }

void Command::RequireSubcommand(int least, int most) {
  app_->require_subcommand(static_cast<size_t>(least), static_cast<size_t>(most));
}

bool Command::HasSubcommand() const { return !app_->get_subcommands().empty(); }

void Command::OnRun(std::function<void()> run) { app_->final_callback(std::move(run)); }

void RefuseOption(const std::string& name, const std::string& why) {
  throw CLI::ValidationError(name, why);
}

}  // namespace plimsoll::cli
