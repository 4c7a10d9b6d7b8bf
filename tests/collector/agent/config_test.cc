#include "collector/agent/config.h"

#include <gmock/gmock.h>

#include <CLI/CLI.hpp>

namespace plimsoll::agent {
namespace {

using ::testing::HasSubstr;

// What parsing complains about; empty: nothing.
std::string Parse(const std::string& arguments, Config& config) {
  CLI::App app;
  AddOptions(app, config);
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

TEST(Config, ServiceOptionsHaveDefaultsAndBounds) {
  Config config;
  EXPECT_EQ(Parse("--controller c:1", config), "");
  EXPECT_EQ(config.spool_max_mib, 64);
  EXPECT_EQ(config.nice, 0);
  EXPECT_EQ(config.reconnect_max, absl::Minutes(2));
  EXPECT_FALSE(config.no_watch);
  EXPECT_EQ(
      Parse("--controller c:1 --spool-max-mib 8 --nice 5 --reconnect-max 30s --no-watch", config),
      "");
  EXPECT_EQ(config.spool_max_mib, 8);
  EXPECT_EQ(config.nice, 5);
  EXPECT_EQ(config.reconnect_max, absl::Seconds(30));
  EXPECT_TRUE(config.no_watch);
  EXPECT_THAT(Parse("--spool-max-mib 0", config), HasSubstr("--spool-max-mib"));
  EXPECT_THAT(Parse("--nice 20", config), HasSubstr("--nice"));
  EXPECT_THAT(Parse("--nice -5", config), HasSubstr("--nice"));
  EXPECT_THAT(Parse("--reconnect-max 10ms", config), HasSubstr("between 1s and 24h"));
  EXPECT_THAT(Parse("--reconnect-max never", config), HasSubstr("between 1s and 24h"));
}

TEST(Config, LabelsAreWhatTheControllerTakes) {
  Config config;
  EXPECT_EQ(Parse("--label env=prod --label note= --label city=M\xc3\xbcnchen", config), "");
  EXPECT_EQ(config.labels.at("env"), "prod");
  EXPECT_EQ(config.labels.at("note"), "");
  EXPECT_EQ(config.labels.at("city"), "M\xc3\xbcnchen");
  EXPECT_THAT(Parse("--label foo", config), HasSubstr("label \"foo\": expected key=value"));
  EXPECT_THAT(Parse("--label city=M\xfcnchen", config), HasSubstr("UTF-8"));
}

TEST(Config, EnrollingAgainNeedsAToken) {
  Config config;
  EXPECT_EQ(Parse("--controller c:1 --enroll-again", config), "");
  EXPECT_TRUE(config.enroll_again);
  EXPECT_THAT(std::string(Validate(config).message()), HasSubstr("--enroll-token-file"));
  config.enroll_token_file = "token";
  EXPECT_TRUE(Validate(config).ok());
}

TEST(Config, TheHelpStatesTheCost) {
  Config config;
  CLI::App app;
  AddOptions(app, config);
  EXPECT_THAT(app.help(), HasSubstr("0.1 % of a core and 24 MiB"));
  EXPECT_THAT(app.help(), HasSubstr("MemoryMax="));
}

}  // namespace
}  // namespace plimsoll::agent
