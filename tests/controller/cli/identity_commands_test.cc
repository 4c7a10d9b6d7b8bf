// login by password, logout, whoami and activity against a controller that answers from memory.
#include "absl/strings/match.h"
#include "controller/cli/client.h"
#include "proto/support/activity_hash.h"
#include "tests/controller/cli/cli_run.h"
#include "tests/controller/cli/fake_controller.h"

namespace plimsoll::cli {
namespace {

class IdentityCommandsTest : public CliTest {
 protected:
  IdentityCommandsTest() {
    answers_.sign_in.set_secret("plb_good");
    answers_.self.set_name("ann");
    answers_.self.set_role(v1::ROLE_OPERATOR);
    answers_.self.set_kind(v1::Self::USER);
    answers_.self.add_permissions("read");
  }
  Ran Login(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "--server", controller_.address(), "--ca",   ca_, "login", "--user",
        "ann",      "--password-file",     password_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Plimsoll(arguments);
  }
  // With what login saved.
  Ran Ask(const std::vector<std::string>& arguments) { return Plimsoll(arguments); }

  FakeController controller_;
  Answers& answers_ = controller_.answers;
  const std::string ca_ = Write("ca.pem", controller_.ca_pem());
  const std::string password_ = Write("password", "correct horse battery\n");
};

TEST_F(IdentityCommandsTest, LoginKeepsTheSessionAndLogoutEndsIt) {
  Ran ran = Login();
  ASSERT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "as ann (operator)")) << ran.out;
  EXPECT_FALSE(absl::StrContains(ran.out + ran.err, "plb_good"));
  const std::string file = Path("plimsoll/credentials.yaml");
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_FALSE(absl::StrContains(ReadFile(file), "horse"));
  ran = Ask({"whoami"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "role: operator")) << ran.out;
  EXPECT_TRUE(absl::StrContains(ran.out, "all hosts")) << ran.out;
  ran = Ask({"whoami", "-o", "json"});
  EXPECT_TRUE(absl::StrContains(ran.out, "\"ROLE_OPERATOR\"")) << ran.out;
  ran = Ask({"logout"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(answers_.sign_outs, 1);
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(Ask({"whoami"}).exit_status, kUsage);
}

TEST_F(IdentityCommandsTest, AWrongPasswordSavesNothing) {
  answers_.password = "another";
  const Ran ran = Login();
  EXPECT_EQ(ran.exit_status, kFailed);
  EXPECT_FALSE(std::filesystem::exists(Path("plimsoll/credentials.yaml")));
}

TEST_F(IdentityCommandsTest, AOneTimePasswordIsChangedAtOnce) {
  answers_.sign_in.mutable_user()->set_must_change_password(true);
  const Ran ran = Login({"--new-password-file", Write("new", "a better one by far")});
  ASSERT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(answers_.asked_password.old_password(), "correct horse battery");
  EXPECT_EQ(answers_.asked_password.new_password(), "a better one by far");
}

TEST_F(IdentityCommandsTest, PasswordFilesMustBePrivate) {
  const Ran ran = Plimsoll({"--server", controller_.address(), "--ca", ca_, "login", "--user",
                            "ann", "--password-file", Write("open", "x", 0644)});
  EXPECT_EQ(ran.exit_status, kUsage);
  EXPECT_TRUE(absl::StrContains(ran.err, "chmod")) << ran.err;
}

TEST_F(IdentityCommandsTest, VerifyChecksWhatTheControllerSays) {
  ASSERT_EQ(Login().exit_status, kDone);
  answers_.activity_pages.resize(2);
  answers_.activity_pages[0].set_next_page_token("1");
  std::string previous = support::kNoActivityHash;
  std::vector<v1::Activity> chain(4);
  for (int i = 0; i < 4; ++i) {
    chain[i].set_sequence(i + 1);
    chain[i].set_actor_name("ann\x1b[2J");
    chain[i].set_actor_kind(v1::Activity::USER);
    chain[i].set_previous_hash(previous);
    chain[i].set_hash(support::ActivityHash(chain[i]));
    previous = chain[i].hash();
  }
  for (int i = 3; i >= 0; --i) *answers_.activity_pages[i >= 2 ? 0 : 1].add_entries() = chain[i];
  answers_.head.set_sequence(4);
  answers_.head.set_hash(previous);
  answers_.head.set_dropped_hash(support::kNoActivityHash);
  Ran ran = Ask({"activity", "verify"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.out << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "whole: 4 rows")) << ran.out;
  ran = Ask({"activity", "verify", "-o", "json"});
  EXPECT_TRUE(absl::StrContains(ran.out, "\"whole\": true")) << ran.out;
  ran = Ask({"activity", "head"});
  EXPECT_EQ(ran.out, absl::StrCat("4:", previous, "\n"));
  EXPECT_EQ(Ask({"activity", "verify", "--head", absl::StrCat("4:", previous)}).exit_status, kDone);
  ran = Ask({"activity", "verify", "--head", absl::StrCat("5:", previous)});
  EXPECT_EQ(ran.exit_status, kNotCompliant);
  EXPECT_TRUE(absl::StrContains(ran.out, "row 5, which was noted down, is missing")) << ran.out;
  EXPECT_EQ(Ask({"activity", "verify", "--head", "5"}).exit_status, kUsage);
  ran = Ask({"activity", "list"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  ExpectHarmless(ran.out);

  answers_.activity_pages[1].mutable_entries(0)->set_actor_name("bob");
  ran = Ask({"activity", "verify"});
  EXPECT_EQ(ran.exit_status, kNotCompliant);
  EXPECT_TRUE(absl::StrContains(ran.out, "row 2 was altered")) << ran.out;
  answers_.head.set_hash("\x1b]0;owned\x07");
  for (const char* command : {"head", "verify"}) ExpectHarmless(Ask({"activity", command}).out);
}

}  // namespace
}  // namespace plimsoll::cli
