#include "controller/cli/command.h"

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "controller/cli/client.h"
#include "tests/controller/cli/cli_run.h"

namespace plimsoll::cli {
namespace {

using Arguments = std::vector<std::string>;

// Every command there is; HelpOfEveryCommand fails when one is missing here.
const std::vector<Arguments>& Commands() {
  static const auto& commands = *new std::vector<Arguments>{
      {},
      {"login"},
      {"logout"},
      {"whoami"},
      {"password"},
      {"user"},
      {"user", "create"},
      {"user", "list"},
      {"user", "update"},
      {"user", "reset-password"},
      {"user", "delete"},
      {"api-token"},
      {"api-token", "create"},
      {"api-token", "list"},
      {"api-token", "revoke"},
      {"activity"},
      {"activity", "list"},
      {"activity", "verify"},
      {"activity", "head"},
      {"summary"},
      {"trend"},
      {"hosts"},
      {"host"},
      {"history"},
      {"configurations"},
      {"findings"},
      {"rules"},
      {"rule"},
      {"scan"},
      {"schedule"},
      {"schedule", "create"},
      {"schedule", "list"},
      {"schedule", "show"},
      {"schedule", "update"},
      {"schedule", "pause"},
      {"schedule", "resume"},
      {"schedule", "delete"},
      {"schedule", "runs"},
      {"schedule", "preview"},
      {"notification"},
      {"notification", "create"},
      {"notification", "list"},
      {"notification", "show"},
      {"notification", "update"},
      {"notification", "pause"},
      {"notification", "resume"},
      {"notification", "delete"},
      {"notification", "test"},
      {"notification", "deliveries"},
      {"notification", "retry"},
      {"waiver"},
      {"waiver", "list"},
      {"waiver", "show"},
      {"waiver", "propose"},
      {"waiver", "preview"},
      {"waiver", "approve"},
      {"waiver", "reject"},
      {"waiver", "renew"},
      {"waiver", "revoke"},
      {"waiver", "history"},
      {"tailoring"},
      {"tailoring", "list"},
      {"tailoring", "show"},
      {"tailoring", "set"},
      {"tailoring", "what-if"},
      {"tailoring", "delete"},
      {"label"},
      {"label", "set"},
      {"label", "remove"},
      {"label", "list"},
      {"selector"},
      {"selector", "list"},
      {"selector", "show"},
      {"selector", "save"},
      {"selector", "delete"},
      {"apply"},
      {"token"},
      {"token", "create"},
      {"token", "list"},
      {"token", "revoke"},
      {"enrollment"},
      {"enrollment", "list"},
      {"enrollment", "approve"},
      {"enrollment", "reject"},
      {"ca"},
      {"ca", "show"},
      {"ca", "rotate"},
      {"baseline"},
      {"baseline", "list"},
      {"baseline", "show"},
      {"baseline", "validate"},
      {"baseline", "upload"},
      {"baseline", "versions"},
      {"baseline", "activate"},
      {"baseline", "rollback"},
      {"baseline", "what-if"},
      {"evaluate"},
  };
  return commands;
}

// The names under "Subcommands:" of a help text.
std::vector<std::string> Subcommands(const std::string& help) {
  std::vector<std::string> names;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(help, '\n')) {
    if (absl::StartsWith(line, "Subcommands:")) {
      inside = true;
    } else if (inside && (line.size() < 3 || line[0] != ' ')) {
      inside = false;
    } else if (inside && line[2] != ' ') {
      names.emplace_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  return names;
}

class CommandTest : public CliTest {};

TEST_F(CommandTest, HelpOfEveryCommand) {
  for (Arguments command : Commands()) {
    std::string name = "plimsoll";
    for (const std::string& word : command) absl::StrAppend(&name, "-", word);
    Arguments with_help = command;
    with_help.push_back("--help");
    const Ran ran = Plimsoll(with_help);
    EXPECT_EQ(ran.exit_status, kDone) << name;
    EXPECT_EQ(ran.err, "") << name;
    ExpectGolden(absl::StrCat("help/", name, ".txt"), ran.out);
    for (const std::string& sub : Subcommands(ran.out)) {
      Arguments listed = command;
      listed.push_back(sub);
      EXPECT_EQ(std::count(Commands().begin(), Commands().end(), listed), 1)
          << name << " " << sub << " is not in Commands()";
    }
  }
}

TEST_F(CommandTest, SaysItsVersion) {
  const Ran ran = Plimsoll({"--version"});
  EXPECT_EQ(ran.exit_status, kDone);
  EXPECT_TRUE(absl::StartsWith(ran.out, "plimsoll ")) << ran.out;
}

TEST_F(CommandTest, RefusesWhatItDoesNotKnow) {
  const struct {
    Arguments arguments;
    const char* complaint;
  } cases[] = {
      {{}, "subcommand"},
      {{"host-s"}, "\"host-s\" is no command"},
      {{"token", "make"}, "\"make\" is no command"},
      {{"host", "--no-such-option"}, "\"--no-such-option\" is no option"},
      {{"hosts", "--no-such-option"}, "--no-such-option"},
      {{"--no-such-option", "hosts"}, "--no-such-option"},
      {{"hosts", "-o", "xml"}, "xml"},
      {{"hosts", "--label", "prod"}, "KEY=VALUE"},
      {{"hosts", "--label", "=prod"}, "KEY=VALUE"},
      {{"hosts", "--limit", "-1"}, "--limit"},
      {{"hosts", "--limit", "many"}, "--limit"},
      {{"--color", "always", "hosts"}, "always"},
      {{"host"}, "host is required"},
      {{"hosts", "--revoke", ""}, "--revoke: is empty"},
      {{"hosts", "--remove", ""}, "--remove: is empty"},
      {{"hosts", "--release="}, "--release"},
      {{"scan", "--all", "--show", ""}, "--show: is empty"},
      {{"scan", "--hosts", ""}, "--hosts: is empty"},
      {{"scan", "--report", "", "--host", "web-1"}, "--report: is empty"},
      {{"scan", "--all", "--cancel", ""}, "--cancel: is empty"},
      {{"rule"}, "rule is required"},
      {{"findings", "--status", "fail,bad"}, "bad"},
      {{"findings", "--severity", "urgent"}, "critical"},
      {{"scan", "--all", "--fail-on", "urgent"}, "critical"},
      {{"scan", "--all", "--deadline", "soon"}, "10m"},
      {{"label", "set"}, "labels is required"},
      {{"selector", "save", "live"}, "selector is required"},
      {{"apply"}, "--file is required"},
      {{"apply", "-f", "x", "--prune", "--set", ""}, "--set: expected 1 to 63 of a-z"},
      {{"apply", "-f", "x", "--set", "My Set"}, "--set: expected 1 to 63 of a-z"},
      {{"token"}, "subcommand"},
      {{"token", "create", "--lifetime", "long"}, "--lifetime: expected a duration"},
      {{"token", "create", "--lifetime", "inf"}, "--lifetime: expected a duration"},
      {{"token", "create", "--lifetime", "0s"}, "--lifetime: expected a duration"},
      {{"api-token", "create", "ci", "--lifetime", "-1h"}, "--lifetime: expected a duration"},
      {{"schedule", "update", "nightly", "--jitter", "inf"}, "--jitter: expected a duration"},
      {{"notification", "update", "a", "--severity", "urgent"}, "critical"},
      {{"token", "revoke"}, "id is required"},
      {{"baseline"}, "subcommand"},
      {{"evaluate", "--baseline", "azure-docker"}, "--facts"},
      {{"evaluate", "--facts", "x"}, "--baseline"},
  };
  for (const auto& c : cases) {
    const Ran ran = Plimsoll(c.arguments);
    const std::string asked = testing::PrintToString(c.arguments);
    EXPECT_EQ(ran.exit_status, kUsage) << asked;
    EXPECT_EQ(ran.out, "") << asked;
    EXPECT_TRUE(absl::StrContains(ran.err, c.complaint)) << asked << ": " << ran.err;
  }
}

// A command for every kind of call.
const std::vector<Arguments>& ServerCommands() {
  static const auto& commands = *new std::vector<Arguments>{
      {"hosts"},
      {"hosts", "--revoke", "web-1"},
      {"host", "web-1"},
      {"findings"},
      {"summary"},
      {"rules"},
      {"rule", "5.04"},
      {"scan", "--all"},
      {"scan", "--all", "--wait", "--fail-on", "high"},
      {"token", "create"},
      {"token", "list"},
      {"token", "revoke", "t-1"},
      {"label", "set", "web-1", "tier=web"},
      {"label", "list"},
      {"selector", "list"},
      {"schedule", "list"},
      {"notification", "list"},
      {"waiver", "list"},
      {"tailoring", "list"},
      {"apply", "-f", PLIMSOLL_SOURCE_DIR "/deploy/examples/policy"},
      {"user", "list"},
      {"api-token", "list"},
      {"enrollment", "list"},
      {"ca", "show"},
      {"activity"},
      {"history", "web-1"},
      {"trend"},
      {"configurations"},
      {"baseline", "upload", PLIMSOLL_SOURCE_DIR "/controller/baselines/azure-docker.yaml"},
      {"whoami"},
  };
  return commands;
}

TEST_F(CommandTest, WithoutCredentialsSaysHowToLogIn) {
  for (const Arguments& command : ServerCommands()) {
    const Ran ran = Plimsoll(command);
    EXPECT_EQ(ran.exit_status, kUsage) << command[0];
    EXPECT_EQ(ran.out, "") << command[0];
    EXPECT_TRUE(absl::StrContains(ran.err, "plimsoll login --server")) << ran.err;
  }
}

TEST_F(CommandTest, AnUnreachableServerIsNamed) {
  const std::string token = Write("token", "plb_secret\n");
  // Port 1 of this machine: nobody listens.
  for (Arguments command : ServerCommands()) {
    command.insert(command.begin(), {"--server", "127.0.0.1:1", "--token-file", token});
    const Ran ran = Plimsoll(command);
    EXPECT_EQ(ran.exit_status, kFailed) << command[4];
    EXPECT_EQ(ran.out, "") << command[4];
    EXPECT_TRUE(absl::StrContains(ran.err, "cannot reach the controller at 127.0.0.1:1"))
        << ran.err;
    EXPECT_FALSE(absl::StrContains(ran.err, "plb_secret")) << ran.err;
  }
}

TEST_F(CommandTest, LoginKeepsNothingThatDoesNotWork) {
  const std::string token = Write("token", "plb_secret\n");
  const std::string ca = Write("ca.pem", "not a certificate\n");
  const std::string saved = Path("saved.yaml");
  const struct {
    Arguments arguments;
    int exit_status;
    const char* complaint;
  } cases[] = {
      {{}, kUsage, "--server HOST:PORT"},
      {{"--server", "127.0.0.1:1", "--ca", ca}, kUsage, "--token-file FILE"},
      {{"--server", "127.0.0.1", "--ca", ca, "--token-file", token}, kUsage, "has no port"},
      {{"--server", "127.0.0.1:1", "--ca", Path("none"), "--token-file", token}, kUsage, "none"},
      {{"--server", "127.0.0.1:1", "--ca", ca, "--token-file", token}, kFailed, "cannot reach"},
  };
  for (const auto& c : cases) {
    Arguments arguments = {"--credentials", saved, "login"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    const Ran ran = Plimsoll(arguments);
    EXPECT_EQ(ran.exit_status, c.exit_status) << c.complaint << ": " << ran.err;
    EXPECT_TRUE(absl::StrContains(ran.err, c.complaint)) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(saved)) << c.complaint;
  }
}

TEST_F(CommandTest, CredentialsAreForTheirOwnerOnly) {
  Session session;
  session.credentials_file = Path("new/folder/credentials.yaml");
  const Credentials credentials{"controller.example:7444", "-----BEGIN\nx: \"y\"\n-----END\n",
                                "plb_a:b#c"};
  ASSERT_TRUE(SaveCredentials(session.credentials_file, credentials).ok());
  struct stat status {};
  ASSERT_EQ(stat(session.credentials_file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_EQ(stat(Path("new/folder").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  auto loaded = LoadCredentials(session);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->server, credentials.server);
  EXPECT_EQ(loaded->token, credentials.token);
  EXPECT_EQ(loaded->ca_pem, credentials.ca_pem);

  // The command line comes before what was saved.
  session.server = "other:1";
  session.token_file = Write("token", "  plb_other \n");
  loaded = LoadCredentials(session);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->server, "other:1");
  EXPECT_EQ(loaded->token, "plb_other");
  EXPECT_EQ(loaded->ca_pem, credentials.ca_pem);
}

TEST_F(CommandTest, CredentialsInTheCurrentFolder) {
  const std::string before = std::filesystem::current_path();
  std::filesystem::current_path(Path(""));
  EXPECT_TRUE(SaveCredentials("here.yaml", {"a:1", "", "t"}).ok());
  EXPECT_TRUE(std::filesystem::is_regular_file("here.yaml"));
  std::filesystem::current_path(before);
}

TEST_F(CommandTest, RefusesSecretsThatOthersMayRead) {
  const std::string good = "server: 127.0.0.1:1\ntoken: plb_x\n";
  const struct {
    Arguments arguments;
    const char* complaint;
  } cases[] = {
      {{"--credentials", Write("open.yaml", good, 0640), "hosts"}, "chmod 600"},
      {{"--server", "a:1", "--token-file", Write("open", "t", 0604), "hosts"}, "chmod 600"},
      {{"--credentials", Write("bad.yaml", "server: [", 0600), "hosts"}, "is damaged"},
      {{"--credentials", Write("list.yaml", "- a\n- b\n", 0600), "hosts"}, "plimsoll login"},
      {{"--credentials", Write("empty.yaml", "", 0600), "hosts"}, "plimsoll login"},
  };
  for (const auto& c : cases) {
    const Ran ran = Plimsoll(c.arguments);
    EXPECT_EQ(ran.exit_status, kUsage) << c.arguments[1];
    EXPECT_TRUE(absl::StrContains(ran.err, c.complaint)) << ran.err;
    EXPECT_FALSE(absl::StrContains(ran.err, "plb_x")) << ran.err;
  }
}

TEST(SessionTest, FailureSetsTheStatusThatScriptsRelyOn) {
  const struct {
    absl::Status status;
    int exit_status;
  } cases[] = {
      {absl::InvalidArgumentError("x"), kUsage},    {absl::NotFoundError("x"), kUsage},
      {absl::AlreadyExistsError("x"), kUsage},      {absl::FailedPreconditionError("x"), kUsage},
      {absl::UnavailableError("x"), kFailed},       {absl::UnauthenticatedError("x"), kFailed},
      {absl::PermissionDeniedError("x"), kFailed},  {absl::DeadlineExceededError("x"), kFailed},
      {absl::ResourceExhaustedError("x"), kFailed}, {absl::InternalError("x"), kFailed},
  };
  for (const auto& c : cases) {
    std::ostringstream err;
    Session session;
    session.err = &err;
    session.Fail(c.status);
    EXPECT_EQ(session.exit_status, c.exit_status) << c.status;
    EXPECT_EQ(err.str(), "plimsoll: x\n");
  }
}

TEST(SessionTest, FailureKeepsLinesAndNothingElse) {
  std::ostringstream err;
  Session session;
  session.err = &err;
  session.Fail(absl::InvalidArgumentError("a.yaml:1: one\na.yaml:2: \x1b]0;two\x07"));
  EXPECT_EQ(err.str(), "plimsoll: a.yaml:1: one\na.yaml:2: \\x1b]0;two\\x07\n");
}

}  // namespace
}  // namespace plimsoll::cli
