#include "proto/support/logging.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::support {
namespace {

class LoggingTest : public ::testing::Test {
 protected:
  void SetUp() override { before_ = spdlog::default_logger(); }
  void TearDown() override {
    spdlog::set_default_logger(before_);
    spdlog::drop("logging-test");
  }
  std::shared_ptr<spdlog::logger> before_;
};

TEST_F(LoggingTest, UnknownLevelsAreNamed) {
  for (const char* level : {"loud", "", "INFO"}) {
    const absl::Status status = InitLogging("logging-test", level, LogFormat::kText);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << level;
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("\"", level, "\""))) << status;
  }
  EXPECT_EQ(spdlog::default_logger(), before_);
}

TEST_F(LoggingTest, JsonIsOneObjectALine) {
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(InitLogging("logging-test", "info", LogFormat::kJson).ok());
  spdlog::debug("not shown");
  spdlog::info("a \"quoted\\\" text\nand a second line\x01");
  spdlog::default_logger()->flush();
  const std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_FALSE(absl::StrContains(out, "not shown"));
  const std::vector<std::string> lines = absl::StrSplit(out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 1u) << out;
  EXPECT_TRUE(absl::StartsWith(lines[0], "{\"time\":\"20")) << out;
  EXPECT_TRUE(absl::EndsWith(
      lines[0],
      R"(Z","level":"info","program":"logging-test","message":"a \"quoted\\\" text\u000aand a second line\u0001"})"))
      << out;
}

TEST_F(LoggingTest, TextIsForPeople) {
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(InitLogging("logging-test", "warn", LogFormat::kText).ok());
  spdlog::info("not shown");
  spdlog::warn("shown");
  const std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_FALSE(absl::StrContains(out, "not shown")) << out;
  EXPECT_TRUE(absl::EndsWith(out, " shown\n")) << out;
}

TEST(LogSafeTest, HostileTextCannotForgeLines) {
  EXPECT_EQ(LogSafe("web-1"), "web-1");
  EXPECT_EQ(LogSafe("a\nb\x1b[31m\"c\""), "a\\nb\\x1b[31m\\\"c\\\"");
  EXPECT_LE(LogSafe(std::string(1000, 'x')).size(), 256u);
  EXPECT_LE(LogSafe(std::string(1000, '\n')).size(), 256u);
  EXPECT_EQ(LogSafe(std::string("\0x", 2)).find('\0'), std::string::npos);
}

}  // namespace
}  // namespace plimsoll::support
