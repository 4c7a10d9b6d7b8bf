#include "controller/cli/client.h"

#include "absl/strings/match.h"
#include "tests/controller/cli/cli_run.h"
#include "tests/controller/cli/fake_controller.h"

namespace plimsoll::cli {
namespace {

class ClientTest : public ServedTest<FakeController> {
 protected:
  FakeController& controller_ = fake_;
  Answers& answers_ = fake_.answers;
};

constexpr char kEvil[] = "\x1b]0;owned\x07\xe2\x80\xae\xe2\x81\xa6\r";

TEST_F(ClientTest, LoginKeepsWhatWorks) {
  const std::string saved = Path("config/credentials.yaml");
  Ran ran = Plimsoll({"--credentials", saved, "--server", controller_.address(), "--ca", ca_,
                      "--token-file", token_, "login"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_FALSE(absl::StrContains(ran.out + ran.err, "plb_good"));
  struct stat status {};
  ASSERT_EQ(stat(saved.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  answers_.host_pages.resize(1);
  ran = Plimsoll({"--credentials", saved, "hosts"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "plimsoll token create")) << ran.out;
}

TEST_F(ClientTest, LoginRefusesABadTokenAndAStrangersCertificate) {
  const std::string saved = Path("credentials.yaml");
  const SelfSigned stranger;
  const struct {
    std::string ca;
    std::string token;
    const char* complaint;
  } cases[] = {
      {ca_, Write("bad", "plb_bad\n"), "token is not valid"},
      {Write("other.pem", stranger.certificate_pem), token_, "--ca its certificate authority"},
  };
  for (const auto& c : cases) {
    const Ran ran = Plimsoll({"--credentials", saved, "--server", controller_.address(), "--ca",
                              c.ca, "--token-file", c.token, "login"});
    EXPECT_EQ(ran.exit_status, kFailed) << c.complaint;
    EXPECT_TRUE(absl::StrContains(ran.err, c.complaint)) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(saved)) << c.complaint;
  }
}

TEST_F(ClientTest, ErrorsOfTheApiBecomeExitStatuses) {
  answers_.host_pages.resize(1);
  const struct {
    grpc::StatusCode code;
    int exit_status;
  } cases[] = {
      {grpc::StatusCode::NOT_FOUND, kUsage},        {grpc::StatusCode::INVALID_ARGUMENT, kUsage},
      {grpc::StatusCode::ALREADY_EXISTS, kUsage},   {grpc::StatusCode::PERMISSION_DENIED, kFailed},
      {grpc::StatusCode::UNAUTHENTICATED, kFailed}, {grpc::StatusCode::INTERNAL, kFailed},
      {grpc::StatusCode::UNAVAILABLE, kFailed},
  };
  for (const auto& c : cases) {
    answers_.status = grpc::Status(c.code, absl::StrCat("why ", kEvil));
    const Ran ran = Ask({"hosts"});
    EXPECT_EQ(ran.exit_status, c.exit_status) << c.code;
    EXPECT_EQ(ran.out, "") << c.code;
    EXPECT_TRUE(absl::StrContains(ran.err, "why ")) << ran.err;
    ExpectHarmless(ran.err);
  }
}

TEST_F(ClientTest, WhatTheControllerSaysItselfIsNoUnreachableController) {
  answers_.host_pages.resize(1);
  answers_.status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the change was made");
  EXPECT_TRUE(absl::StrContains(Ask({"hosts"}).err, "cannot reach"));
  answers_.reason = "NOT_RECORDED";
  const Ran ran = Ask({"hosts"});
  EXPECT_EQ(ran.exit_status, kFailed);
  EXPECT_TRUE(absl::StrContains(ran.err, "the change was made")) << ran.err;
  EXPECT_FALSE(absl::StrContains(ran.err, "cannot reach")) << ran.err;
}

TEST_F(ClientTest, HostsReadsAllPagesOrAsManyAsAsked) {
  answers_.host_pages.resize(2);
  for (int page = 0; page < 2; ++page) {
    v1::Host& host = *answers_.host_pages[page].add_hosts();
    host.set_id(absl::StrCat("h-", page));
    host.set_hostname(absl::StrCat("web-", page, kEvil));
    host.set_connection(v1::Host::CONNECTED);
    (*host.mutable_labels())["env"] = kEvil;
    (*host.mutable_counts())["azure-docker"].set_fail(7);
  }
  answers_.host_pages[0].set_next_page_token("1");
  Ran ran = Ask({"hosts"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "h-0") && absl::StrContains(ran.out, "h-1")) << ran.out;
  EXPECT_TRUE(absl::StrContains(ran.out, "never")) << ran.out;
  ExpectHarmless(ran.out);
  ran = Ask({"hosts", "--limit", "1"});
  EXPECT_FALSE(absl::StrContains(ran.out, "h-1")) << ran.out;
  EXPECT_TRUE(absl::StrContains(ran.out, "--limit 0 lists all")) << ran.out;
  ran = Ask({"hosts", "-o", "json"});
  EXPECT_TRUE(absl::StrContains(ran.out, "\"connection\": \"CONNECTED\"")) << ran.out;
  ExpectHarmless(ran.out);
}

TEST_F(ClientTest, HostShowsItsReport) {
  answers_.report.mutable_host()->set_hostname("web-1");
  answers_.report.mutable_observed_time()->set_seconds(1772366405);
  v1::Verdict& verdict = *answers_.report.add_verdicts();
  verdict.set_rule_id("5.04");
  verdict.set_status(v1::Verdict::FAIL);
  v1::Rule& rule = *answers_.baseline.add_rules();
  rule.set_id("5.04");
  rule.set_title("No container is privileged");
  const Ran ran = Ask({"host", "web-1"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "No container is privileged")) << ran.out;
  EXPECT_TRUE(absl::StrContains(ran.out, "observed 2026-03-01 12:00:05Z")) << ran.out;
}

TEST_F(ClientTest, FindingsPassesItsFiltersOn) {
  v1::FleetFinding& finding = *answers_.findings.add_findings();
  finding.set_hostname(absl::StrCat("web", kEvil));
  finding.mutable_finding()->set_object(absl::StrCat("object", kEvil));
  finding.mutable_finding()->set_observed(absl::StrCat("observed", kEvil));
  const Ran ran = Ask({"findings", "--rule", "5.04,x", "--status", "fail", "--severity", "high",
                       "--host", "web-1", "--label", "env=a=b", "--baseline", "azure-docker"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  ExpectHarmless(ran.out);
  const v1::ListFindingsRequest& asked = answers_.asked_findings;
  ASSERT_EQ(asked.rules_size(), 2);
  EXPECT_EQ(asked.rules(1), "x");
  EXPECT_EQ(asked.statuses(0), v1::Verdict::FAIL);
  EXPECT_EQ(asked.minimum_severity(), v1::HIGH);
  EXPECT_EQ(asked.host(), "web-1");
  EXPECT_EQ(asked.labels().at("env"), "a=b");
  EXPECT_EQ(asked.baseline(), "azure-docker");
  answers_.findings.Clear();
  EXPECT_EQ(Ask({"findings"}).out, "No findings match.\n");
}

TEST_F(ClientTest, SummaryShowsTheInterval) {
  answers_.summary.set_host_count(3);
  answers_.summary.set_evaluated_host_count(2);
  EXPECT_TRUE(absl::StrContains(Ask({"summary"}).out, "Nothing evaluated yet"));
  answers_.summary.set_compliance_lower(0.25);
  answers_.summary.set_compliance_upper(0.5);
  v1::RuleSummary& rule = *answers_.summary.add_rules();
  rule.set_rule_id("5.04");
  rule.mutable_counts()->set_fail(2);
  answers_.summary.mutable_baseline()->set_version(kEvil);
  const Ran ran = Ask({"summary"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "2 of 3 hosts evaluated, compliance 25.0 to 50.0 %"))
      << ran.out;
  EXPECT_TRUE(absl::StrContains(ran.out, "5.04")) << ran.out;
  ExpectHarmless(ran.out);
}

TEST_F(ClientTest, TokenSecretsGoWhereTheyAreSent) {
  answers_.token.set_secret("plt_secret");
  answers_.token.set_ca_bundle_pem("the ca\n");
  answers_.token.mutable_token()->set_max_uses(1);
  Ran ran = Ask({"token", "create"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(ran.out, "plt_secret\n");
  EXPECT_FALSE(absl::StrContains(ran.err, "plt_secret")) << ran.err;
  ran = Ask({"token", "create", "--out", Path("enrol"), "--ca-out", Path("out.pem")});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_FALSE(absl::StrContains(ran.out + ran.err, "plt_secret"));
  EXPECT_EQ(ReadFile(Path("enrol")), "plt_secret\n");
  EXPECT_EQ(ReadFile(Path("out.pem")), "the ca\n");
  struct stat status {};
  ASSERT_EQ(stat(Path("enrol").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  // Where it cannot be written, what was made is there all the same, and nothing else is printed.
  ran = Ask({"token", "create", "--out", Path("none/enrol"), "--ca-out", Path("late.pem")});
  EXPECT_NE(ran.exit_status, kDone);
  EXPECT_TRUE(absl::StrContains(ran.err, "is there all the same")) << ran.err;
  EXPECT_FALSE(absl::StrContains(ran.out + ran.err, "plt_secret"));
  EXPECT_FALSE(std::filesystem::exists(Path("late.pem")));
  // The secret is not lost with the certificate.
  ran = Ask({"token", "create", "--ca-out", Path("none/ca.pem")});
  EXPECT_NE(ran.exit_status, kDone);
  EXPECT_EQ(ran.out, "plt_secret\n");
}

TEST_F(ClientTest, ListsSayThatTheyAreCutOff) {
  answers_.host_pages.resize(1);
  v1::Host& host = *answers_.host_pages[0].add_hosts();
  host.set_hostname("web-1");
  (*host.mutable_labels())["env"] = "prod";
  EXPECT_FALSE(absl::StrContains(Ask({"label", "list"}).out, "more"));
  answers_.host_pages[0].set_next_page_token("0");
  const Ran ran = Ask({"label", "list", "--limit", "1"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "… more; --limit 0 lists all")) << ran.out;
}

}  // namespace
}  // namespace plimsoll::cli
