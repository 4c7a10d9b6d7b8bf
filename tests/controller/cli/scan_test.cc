#include <gmock/gmock.h>

#include <csignal>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "controller/cli/client.h"
#include "tests/controller/cli/cli_run.h"
#include "tests/controller/cli/fake_scans.h"

namespace plimsoll::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kEvil[] = "\x1b]0;owned\x07\xe2\x80\xae\xe2\x81\xa6\r";

class ScanTest : public ServedTest<FakeScans> {
 protected:
  ScanTest() {
    v1::Scan& scan = fake_.scans[0];
    scan.set_id("s-1");
    scan.set_state(v1::Scan::RUNNING);
    scan.set_created_by("otto");
    scan.set_reason(absl::StrCat("release", kEvil));
    scan.mutable_create_time()->set_seconds(1800000000);
    scan.mutable_deadline()->set_seconds(1800000600);
    scan.mutable_selector()->set_expression("env in (prod)");
    scan.mutable_progress()->set_targeted(2);
    scan.mutable_progress()->set_offline(1);
  }
  // Streams this end after the beginning: both hosts evaluated, unless the test changes it.
  v1::Scan& End() {
    v1::Scan scan = fake_.scans[0];
    scan.set_state(v1::Scan::DONE);
    scan.mutable_end_time()->set_seconds(1800000300);
    scan.mutable_progress()->set_offline(0);
    scan.mutable_progress()->set_evaluated(2);
    for (const char* id : {"h-1", "h-2"}) {
      v1::ScanHost& host = *scan.add_hosts();
      host.set_host_id(id);
      host.set_hostname(absl::StrCat(id, kEvil));
      host.set_state(v1::ScanHost::EVALUATED);
    }
    for (const char* baseline : {"azure-docker", "edge-docker"}) {
      v1::StatusCounts& counts = (*scan.mutable_counts())[baseline];
      counts.set_pass(90);
      (*scan.mutable_failing())[baseline];
    }
    fake_.scans.resize(1);
    fake_.scans.push_back(scan);
    return fake_.scans[1];
  }
  // One host is evaluated, one is missed.
  v1::Scan& EndWithMissed() {
    v1::Scan& scan = End();
    scan.mutable_progress()->set_evaluated(1);
    scan.mutable_progress()->set_missed(1);
    scan.mutable_hosts(1)->set_state(v1::ScanHost::MISSED);
    return scan;
  }
};

TEST_F(ScanTest, AsksForWhatTheOptionsSay) {
  Ran ran = Ask({"scan", "--all"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(fake_.asked_scan.all());
  EXPECT_EQ(fake_.asked_scan.timeout().seconds(), 600);
  EXPECT_THAT(fake_.asked, ElementsAre("CreateScan"));
  EXPECT_THAT(ran.out, HasSubstr("plimsoll scan --show s-1 --wait"));
  ExpectHarmless(ran.out + ran.err);

  ran = Ask({"scan", "--host", "web-1", "--host", "web-2", "--label", "env=prod", "-l", "!canary",
             "--deadline", "90s", "--reason", "why", "--idempotency-key", "k"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_FALSE(fake_.asked_scan.all());
  EXPECT_THAT(fake_.asked_scan.hosts(), ElementsAre("web-1", "web-2"));
  EXPECT_EQ(fake_.asked_scan.labels().at("env"), "prod");
  EXPECT_EQ(fake_.asked_scan.selector(), "!canary");
  EXPECT_EQ(fake_.asked_scan.timeout().seconds(), 90);
  EXPECT_EQ(fake_.asked_scan.reason(), "why");
  EXPECT_EQ(fake_.asked_scan.idempotency_key(), "k");

  ran = Ask({"scan"});
  EXPECT_EQ(ran.exit_status, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("--all, --host HOST"));
}

TEST_F(ScanTest, WaitsAndShowsHowFarItIs) {
  EndWithMissed();
  const Ran ran = Ask({"scan", "--all", "--wait"});
  EXPECT_EQ(ran.exit_status, kDone) << "no judgement was asked for";
  EXPECT_EQ(ran.err,
            "scan: 0 of 2 hosts evaluated, 1 offline\nscan: 1 of 2 hosts evaluated, 1 missed\n");
  ExpectGolden("scan.txt", ran.out);
  ExpectHarmless(ran.out + ran.err);
}

TEST_F(ScanTest, TheAnswersOfTheScanAreTheExitStatus) {
  const struct {
    const char* name;
    std::function<void(v1::Scan&)> change;
    std::vector<std::string> options;
    int exit_status;
    const char* says;
  } cases[] = {
      {"all is well", [](v1::Scan&) {}, {}, kDone, ""},
      {"a failure as severe as asked",
       [](v1::Scan& s) { (*s.mutable_failing())["edge-docker"].set_high(3); },
       {},
       kNotCompliant,
       "3 rule(s) of severity high or worse fail"},
      {"a worse one",
       [](v1::Scan& s) { (*s.mutable_failing())["edge-docker"].set_critical(1); },
       {},
       kNotCompliant,
       "1 rule(s)"},
      {"a lesser one",
       [](v1::Scan& s) { (*s.mutable_failing())["edge-docker"].set_medium(9); },
       {},
       kDone,
       ""},
      {"under another baseline",
       [](v1::Scan& s) { (*s.mutable_failing())["edge-docker"].set_high(3); },
       {"--baseline", "azure-docker"},
       kDone,
       ""},
      {"under this baseline",
       [](v1::Scan& s) { (*s.mutable_failing())["edge-docker"].set_high(3); },
       {"--baseline", "edge-docker"},
       kNotCompliant,
       "3 rule(s)"},
      {"under a baseline nobody judges by",
       [](v1::Scan&) {},
       {"--baseline", "azure"},
       kUsage,
       "was judged by baseline \"azure\" but by azure-docker, edge-docker"},
      {"of no account, by the least severity",
       [](v1::Scan& s) { (*s.mutable_counts())["edge-docker"].set_fail(2); },
       {"--fail-on", "info"},
       kNotCompliant,
       "2 rule(s) of severity info or worse fail"},
      {"of no account, and waived",
       [](v1::Scan& s) {
         (*s.mutable_counts())["edge-docker"].set_fail(2);
         (*s.mutable_counts())["edge-docker"].set_waived(2);
       },
       {"--fail-on", "info"},
       kDone,
       ""},
      {"what is unknown is said",
       [](v1::Scan& s) { (*s.mutable_counts())["edge-docker"].set_unknown(4); },
       {},
       kDone,
       "4 verdict(s) are unknown"},
      {"cancelled meanwhile",
       [](v1::Scan& s) { s.set_state(v1::Scan::CANCELLED); },
       {"--allow-missed"},
       kNotCompliant,
       "was cancelled"},
  };
  for (const auto& c : cases) {
    c.change(End());
    std::vector<std::string> command = {"scan", "--all"};
    command.insert(command.end(), c.options.begin(), c.options.end());
    if (!absl::c_linear_search(c.options, "--fail-on")) {
      command.insert(command.end(), {"--fail-on", "high"});
    }
    const Ran ran = Ask(command);
    EXPECT_EQ(ran.exit_status, c.exit_status) << c.name << ": " << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(c.says)) << c.name;
    ExpectHarmless(ran.out + ran.err);
  }
}

TEST_F(ScanTest, HostsWithoutAnAnswerAreNoPass) {
  EndWithMissed();
  Ran ran = Ask({"scan", "--all", "--fail-on", "critical"});
  EXPECT_EQ(ran.exit_status, kNotCompliant);
  EXPECT_THAT(ran.err, HasSubstr("1 host(s) gave no answer: no evidence is no pass"));
  EXPECT_THAT(ran.out, HasSubstr("did not answer in time"));
  ran = Ask({"scan", "--all", "--fail-on", "critical", "--allow-missed"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("1 host(s) gave no answer, which --allow-missed allows"));
  // What did answer is judged all the same.
  (*EndWithMissed().mutable_failing())["azure-docker"].set_critical(1);
  ran = Ask({"scan", "--all", "--fail-on", "critical", "--allow-missed"});
  EXPECT_EQ(ran.exit_status, kNotCompliant);
  // Nobody at all is no pass in any case.
  v1::Scan& scan = EndWithMissed();
  scan.mutable_progress()->set_evaluated(0);
  scan.mutable_progress()->set_failed(1);
  scan.clear_counts();
  ran = Ask({"scan", "--all", "--fail-on", "critical", "--allow-missed", "--baseline", "x"});
  EXPECT_EQ(ran.exit_status, kNotCompliant) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("no host answered"));
}

TEST_F(ScanTest, AControllerThatGoesAwayIsAskedAgain) {
  fake_.scans[0].mutable_deadline()->set_seconds(4000000000);
  End();
  fake_.watch_ends = {grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down")};
  Ran ran = Ask({"scan", "--all", "--fail-on", "high"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.watches, 2);
  // Not for ever, and not after what will not change.
  fake_.watches = 0;
  fake_.watch_ends = {grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "the token is not valid")};
  ran = Ask({"scan", "--all", "--wait"});
  EXPECT_EQ(ran.exit_status, kFailed);
  EXPECT_EQ(fake_.watches, 1);
  fake_.watches = 0;
  fake_.scans[0].mutable_deadline()->set_seconds(1500000000);
  fake_.watch_ends = {grpc::Status(grpc::StatusCode::UNAVAILABLE, "down")};
  ran = Ask({"scan", "--all", "--wait"});
  EXPECT_EQ(ran.exit_status, kFailed);
  EXPECT_EQ(fake_.watches, 1);
}

TEST_F(ScanTest, CtrlCLeavesTheScanRunning) {
  // The stream stays open until the command gives it up.
  fake_.watching = [](grpc::ServerContext& context) {
    std::raise(SIGINT);
    while (!context.IsCancelled()) std::this_thread::yield();
  };
  const Ran ran = Ask({"scan", "--all", "--fail-on", "high"});
  EXPECT_EQ(ran.exit_status, 130);
  EXPECT_THAT(ran.err, HasSubstr("plimsoll scan --show s-1 --wait"));
  EXPECT_THAT(ran.err, HasSubstr("plimsoll scan --cancel s-1"));
  EXPECT_THAT(fake_.asked, ElementsAre("CreateScan")) << "nothing was cancelled";
  struct sigaction now = {};
  sigaction(SIGINT, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL) << "as it was before";
}

TEST_F(ScanTest, FollowsOneThatExists) {
  End();
  const Ran ran = Ask({"scan", "--show", "s-1", "--fail-on", "high"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_THAT(fake_.asked, ElementsAre("GetScan"));
  EXPECT_EQ(fake_.watches, 1);
  // One that is done is not waited for.
  fake_.scans.erase(fake_.scans.begin());
  EXPECT_EQ(Ask({"scan", "--show", "s-1", "--wait"}).exit_status, kDone);
  EXPECT_EQ(fake_.watches, 1);
  EXPECT_EQ(Ask({"scan", "--cancel", "s-1"}).exit_status, kDone);
  EXPECT_EQ(fake_.asked.back(), "CancelScan");
  const Ran both = Ask({"scan", "--cancel", "s-1", "--list"});
  EXPECT_EQ(both.exit_status, kUsage);
  EXPECT_THAT(both.err, HasSubstr("exclude each other"));
}

TEST_F(ScanTest, ListsComePageByPage) {
  End();
  fake_.scan_pages.resize(2);
  *fake_.scan_pages[0].add_scans() = fake_.scans[1];
  fake_.scan_pages[0].set_next_page_token("1");
  *fake_.scan_pages[1].add_scans() = fake_.scans[0];
  Ran ran = Ask({"scan", "--list", "--state", "running", "--state", "Done"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_THAT(fake_.asked_scans.states(), ElementsAre(v1::Scan::RUNNING, v1::Scan::DONE));
  ExpectGolden("scan-list.txt", ran.out);
  ExpectHarmless(ran.out);
  EXPECT_THAT(Ask({"scan", "--list", "--limit", "1"}).out,
              HasSubstr("… more; --limit 0 lists all"));
  EXPECT_EQ(Ask({"scan", "--list", "--state", "missed"}).exit_status, kUsage);
  EXPECT_EQ(Ask({"scan", "--list", "--state", "state_unspecified"}).exit_status, kUsage);

  fake_.host_pages.resize(2);
  v1::ScanHost& host = *fake_.host_pages[0].add_hosts();
  host = fake_.scans[1].hosts(0);
  host.mutable_observed_time()->set_seconds(1800000100);
  (*host.mutable_counts())["azure-docker"].set_fail(7);
  (*host.mutable_counts())["edge-docker"].set_fail(8);
  fake_.host_pages[0].set_next_page_token("1");
  v1::ScanHost& failed = *fake_.host_pages[1].add_hosts();
  failed = fake_.scans[1].hosts(1);
  failed.set_state(v1::ScanHost::FAILED);
  failed.set_message(absl::StrCat("no engine", kEvil));
  ran = Ask({"scan", "--hosts", "s-1", "--state", "failed", "--limit", "0"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.asked_hosts.scan_id(), "s-1");
  EXPECT_THAT(fake_.asked_hosts.states(), ElementsAre(v1::ScanHost::FAILED));
  ExpectGolden("scan-hosts.txt", ran.out);
  ExpectHarmless(ran.out);
  ran = Ask({"scan", "--hosts", "s-1", "--limit", "1"});
  EXPECT_THAT(ran.out, HasSubstr("--limit 0 lists all"));
}

TEST_F(ScanTest, ReportsSayUnderWhichVersion) {
  fake_.report.mutable_baseline()->set_digest("old");
  fake_.report.mutable_baseline()->set_version("1.0.0");
  fake_.baseline.set_digest("new");
  fake_.baseline.set_version("2.0.0");
  const Ran ran = Ask({"scan", "--report", "s-1", "--host", "web-1", "--baseline", "edge-docker"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.asked_report.scan_id(), "s-1");
  EXPECT_EQ(fake_.asked_report.host(), "web-1");
  EXPECT_EQ(fake_.asked_report.baseline(), "edge-docker");
  EXPECT_THAT(ran.out, HasSubstr("Judged by version 1.0.0; the texts are those of 2.0.0."));
  EXPECT_EQ(Ask({"scan", "--report", "s-1"}).exit_status, kUsage);
}

}  // namespace
}  // namespace plimsoll::cli
