// Configuration files in YAML for programs whose options are CLI11's.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace plimsoll::support {

// Reads a flat YAML mapping whose keys are the long option names without dashes ("controller:
// host:7443", a list for options given more than once, a mapping for `label`). Flags on the command
// line override it. Unknown keys and nested values are errors with the line (thrown as
// CLI::ConfigError: CLI11 passes over a CLI::FileError of the default file).
class YamlConfig : public CLI::Config {
 public:
  // `app` has the options that a file may name; borrowed.
  explicit YamlConfig(const CLI::App& app) : app_(app) {}

  std::string to_config(const CLI::App* app, bool default_also, bool write_description,
                        std::string prefix) const override;
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

 private:
  const CLI::App& app_;
};

// Adds --config FILE with that format to `app`. `default_path` is read when it exists.
void AddYamlConfig(CLI::App& app, const std::string& default_path);

}  // namespace plimsoll::support
