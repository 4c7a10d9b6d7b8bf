#include "proto/support/yaml_config.h"

#include <yaml-cpp/yaml.h>

#include <iterator>

#include "absl/strings/str_cat.h"

namespace plimsoll::support {
namespace {

[[noreturn]] void Refuse(const YAML::Mark& mark, const std::string& why) {
  throw CLI::ConfigError(absl::StrCat("configuration file, line ", mark.line + 1, ": ", why));
}

std::string Scalar(const YAML::Node& node, const std::string& key) {
  if (!node.IsScalar()) Refuse(node.Mark(), absl::StrCat("\"", key, "\" wants a plain value here"));
  return node.Scalar();
}

CLI::ConfigItem ToItem(const std::string& key, const YAML::Node& value) {
  CLI::ConfigItem item;
  item.name = key;
  if (value.IsSequence()) {
    for (const YAML::Node& element : value) item.inputs.push_back(Scalar(element, key));
  } else if (value.IsMap()) {
    for (const auto& pair : value) {
      item.inputs.push_back(absl::StrCat(Scalar(pair.first, key), "=", Scalar(pair.second, key)));
    }
  } else {
    item.inputs.push_back(Scalar(value, key));
  }
  return item;
}

}  // namespace

std::string YamlConfig::to_config(const CLI::App*, bool, bool, std::string) const { return ""; }

std::vector<CLI::ConfigItem> YamlConfig::from_config(std::istream& input) const {
  const std::string text(std::istreambuf_iterator<char>(input), {});
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    Refuse(error.mark, error.msg);
  }
  std::vector<CLI::ConfigItem> items;
  if (root.IsNull()) return items;
  if (!root.IsMap()) Refuse(root.Mark(), "expected \"option: value\" lines");
  for (const auto& pair : root) {
    const std::string key = Scalar(pair.first, "option");
    const CLI::Option* option = app_.get_option_no_throw(absl::StrCat("--", key));
    if (option == nullptr || !option->get_configurable()) {
      Refuse(pair.first.Mark(), absl::StrCat("there is no option \"", key, "\""));
    }
    items.push_back(ToItem(key, pair.second));
  }
  return items;
}

void AddYamlConfig(CLI::App& app, const std::string& default_path) {
  app.set_config("--config", default_path,
                 "YAML file with the same options, without the dashes; flags override it");
  app.config_formatter(std::make_shared<YamlConfig>(app));
  app.allow_config_extras(false);
}

}  // namespace plimsoll::support
