#include "proto/support/yaml_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace plimsoll::support {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A program with one option of each kind, and its configuration file.
class YamlConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/plimsoll-yaml-XXXXXX";
    ASSERT_NE(mkdtemp(dir), nullptr);
    dir_ = dir;
    app_.add_option("--controller", controller_);
    app_.add_option("--port", port_);
    app_.add_flag("--log-json", log_json_);
    app_.add_option("--baseline", baselines_);
    app_.add_option("--label", labels_);
    AddYamlConfig(app_, dir_ + "/default.yaml");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // "" or the error of parsing `flags` with `yaml` as configuration file.
  std::string Parse(const std::string& yaml, std::vector<std::string> flags = {},
                    const std::string& name = "default.yaml") {
    std::ofstream(dir_ + "/" + name) << yaml;
    std::reverse(flags.begin(), flags.end());
    try {
      app_.parse(flags);
      return "";
    } catch (const CLI::Error& error) {
      EXPECT_NE(error.get_exit_code(), 0);
      return error.what();
    }
  }

  std::string dir_;
  CLI::App app_;
  std::string controller_ = "none";
  int port_ = 0;
  bool log_json_ = false;
  std::vector<std::string> baselines_;
  std::vector<std::string> labels_;
};

TEST_F(YamlConfigTest, ReadsValuesListsAndMappings) {
  EXPECT_EQ(Parse("# comment\n"
                  "controller: plimsoll.example:7443\n"
                  "port: 7443\n"
                  "log-json: true\n"
                  "baseline: [azure-docker, 'a b']\n"
                  "label:\n"
                  "  env: prod\n"
                  "  note: a=b\n"),
            "");
  EXPECT_EQ(controller_, "plimsoll.example:7443");
  EXPECT_EQ(port_, 7443);
  EXPECT_TRUE(log_json_);
  EXPECT_THAT(baselines_, ElementsAre("azure-docker", "a b"));
  EXPECT_THAT(labels_, ElementsAre("env=prod", "note=a=b"));
}

TEST_F(YamlConfigTest, FlagsOverrideTheFile) {
  EXPECT_EQ(Parse("controller: file\nport: 1\n", {"--controller", "flag"}), "");
  EXPECT_EQ(controller_, "flag");
  EXPECT_EQ(port_, 1);
}

TEST_F(YamlConfigTest, AFlagNamesTheFile) {
  EXPECT_EQ(Parse("port: 2\n", {"--config", dir_ + "/other.yaml"}, "other.yaml"), "");
  EXPECT_EQ(port_, 2);
}

TEST_F(YamlConfigTest, TheDefaultFileNeedNotBeThereANamedOneMust) {
  EXPECT_NO_THROW(app_.parse(std::vector<std::string>{}));
  EXPECT_EQ(controller_, "none");
  EXPECT_THROW(app_.parse(std::vector<std::string>{dir_ + "/none.yaml", "--config"}),
               CLI::FileError);
}

TEST_F(YamlConfigTest, AnEmptyFileSaysNothing) {
  for (const char* yaml : {"", "# only a comment\n", "---\n"}) EXPECT_EQ(Parse(yaml), "") << yaml;
  EXPECT_THAT(baselines_, IsEmpty());
}

TEST_F(YamlConfigTest, MistakesAreShownWithTheirLine) {
  const struct {
    const char* yaml;
    const char* line;
    const char* words;
  } cases[] = {
      {"port: 1\nprot: 2\n", "line 2", "no option \"prot\""},
      {"port: 1\n\nconfig: other.yaml\n", "line 3", "no option \"config\""},
      {"label:\n  env:\n    nested: 1\n", "line 3", "plain value"},
      {"baseline:\n  - a\n  - [b]\n", "line 3", "plain value"},
      {"- a\n- b\n", "line 1", "option: value"},
      {"just text\n", "line 1", "option: value"},
      {"port: 1\n[a]: b\n", "line 2", "plain value"},
  };
  for (const auto& c : cases) {
    const std::string error = Parse(c.yaml);
    EXPECT_THAT(error, HasSubstr(c.line)) << c.yaml;
    EXPECT_THAT(error, HasSubstr(c.words)) << c.yaml;
  }
}

TEST_F(YamlConfigTest, AValueOfTheWrongTypeIsRefused) {
  EXPECT_THAT(Parse("port: many\n"), HasSubstr("port"));
}

}  // namespace
}  // namespace plimsoll::support
