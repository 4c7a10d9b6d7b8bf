#include <gtest/gtest.h>

#include <functional>

#include "controller/evaluate/check.h"

namespace plimsoll::evaluate {
namespace {

using v1::SourceOutcome;
using v1::Verdict;

constexpr ObjectRef kWeb{.name = "web (aaaaaaaaaaaa)", .id = "aaaaaaaaaaaa"};
constexpr ObjectRef kApi{.name = "api (bbbbbbbbbbbb)", .id = "bbbbbbbbbbbb"};
constexpr ObjectRef kDaemon{.name = "daemon", .id = ""};
constexpr Evidence kBad{.observed = "privileged", .expected = "not privileged"};

Verdict Judged(const std::function<void(Judge&)>& say) {
  Verdict verdict;
  Judge judge(verdict);
  say(judge);
  judge.Finish();
  return verdict;
}

struct JudgeCase {
  const char* name;
  std::function<void(Judge&)> say;
  Verdict::Status status;
  const char* reason;
  const char* message;
  int findings;
  int judged;
};

// rules.md section 1, items 4 and 5.
const JudgeCase kCases[] = {
    {"nothing said", [](Judge&) {}, Verdict::NOT_APPLICABLE, "no_objects", "nothing to judge", 0,
     0},
    {"all out of scope", [](Judge& j) { j.OutOfScope(); }, Verdict::NOT_APPLICABLE, "no_objects",
     "nothing to judge, 1 out of scope", 0, 0},
    {"passes are counted",
     [](Judge& j) {
       j.Pass();
       j.Pass();
       j.Exempt();
       j.OutOfScope();
     },
     Verdict::PASS, "", "2 judged, 1 exempt, 1 out of scope", 0, 2},
    {"one pass with evidence",
     [](Judge& j) { j.Pass(kDaemon, {.observed = "icc false", .expected = "icc false"}); },
     Verdict::PASS, "", "daemon: icc false", 1, 0},
    {"a fail beats an unknown, a manual and a pass",
     [](Judge& j) {
       j.Pass();
       j.Manual(kApi, {.observed = "journald"});
       j.Unknown(kApi, {.observed = "?", .reason = reason::kTimedOut});
       j.Fail(kWeb, kBad);
     },
     Verdict::FAIL, "", "1 of 4 fail", 3, 4},
    {"an unknown beats a manual and a pass",
     [](Judge& j) {
       j.Pass();
       j.Manual(kApi, {.observed = "journald"});
       j.Unknown(kWeb, {.observed = "?", .reason = reason::kTimedOut});
     },
     Verdict::UNKNOWN, "timed_out", "1 of 3 not known", 2, 3},
    {"a manual beats a pass",
     [](Judge& j) {
       j.Pass();
       j.Manual(kApi, {.observed = "journald"});
     },
     Verdict::MANUAL, "", "1 of 2 for a person to judge", 1, 2},
    {"an unknown always has a reason", [](Judge& j) { j.Unknown(kWeb, {.observed = "?"}); },
     Verdict::UNKNOWN, "not_collected", "web (aaaaaaaaaaaa): ?", 1, 1},
    {"the reason all violations share is the rule's",
     [](Judge& j) {
       j.Fail(kWeb, {.observed = "a", .expected = "b", .reason = "no_mac"});
       j.Fail(kApi, {.observed = "a", .expected = "b", .reason = "no_mac"});
     },
     Verdict::FAIL, "no_mac", "2 of 2 fail", 2, 2},
    {"one violation is told in full", [](Judge& j) { j.Fail(kWeb, kBad); }, Verdict::FAIL, "",
     "web (aaaaaaaaaaaa): privileged; expected not privileged", 1, 1},
    {"passing evidence is no offence",
     [](Judge& j) {
       j.Pass(kApi, {.observed = "0644", .expected = "0644"});
       j.Fail(kWeb, kBad);
     },
     Verdict::FAIL, "", "1 of 2 fail", 1, 2},
    {"decided not applicable",
     [](Judge& j) { j.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent, "no such file"); },
     Verdict::NOT_APPLICABLE, "file_absent", "no such file", 0, 0},
    {"a violation beats a later decision",
     [](Judge& j) {
       j.Fail(kWeb, kBad);
       j.Decide(Verdict::UNKNOWN, reason::kTimedOut, "too slow");
       j.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent, "no such file");
     },
     Verdict::FAIL, "", "web (aaaaaaaaaaaa): privileged; expected not privileged", 1, 1},
    {"a violation beats an earlier decision",
     [](Judge& j) {
       j.Decide(Verdict::UNKNOWN, reason::kTimedOut, "too slow");
       j.Fail(kWeb, kBad);
     },
     Verdict::FAIL, "", "web (aaaaaaaaaaaa): privileged; expected not privileged", 1, 1},
    {"an unknown object beats not applicable",
     [](Judge& j) {
       j.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent, "no such file");
       j.Unknown(kWeb, {.observed = "?", .reason = reason::kParseError});
     },
     Verdict::UNKNOWN, "parse_error", "web (aaaaaaaaaaaa): ?", 1, 1},
    {"of two decisions the stronger wins",
     [](Judge& j) {
       j.Decide(Verdict::PASS, "", "all is well");
       j.Decide(Verdict::MANUAL, "", "ask somebody");
       j.Decide(Verdict::UNKNOWN, reason::kTimedOut, "too slow");
       j.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent, "no such file");
     },
     Verdict::UNKNOWN, "timed_out", "too slow", 0, 0},
    {"of equal decisions the first wins",
     [](Judge& j) {
       j.Decide(Verdict::UNKNOWN, reason::kTimedOut, "too slow");
       j.Decide(Verdict::UNKNOWN, reason::kParseError, "garbled");
     },
     Verdict::UNKNOWN, "timed_out", "too slow", 0, 0},
    {"a pass without evidence is none", [](Judge& j) { j.Decide(Verdict::PASS, "", ""); },
     Verdict::UNKNOWN, "not_collected", "nothing was judged and no evidence was given", 0, 0},
    {"a decided pass says why", [](Judge& j) { j.Decide(Verdict::PASS, "", "no TCP endpoint"); },
     Verdict::PASS, "", "no TCP endpoint", 0, 0},
};

TEST(Judge, SaysWhatTheStrongestWordWas) {
  for (const JudgeCase& c : kCases) {
    SCOPED_TRACE(c.name);
    const Verdict verdict = Judged(c.say);
    EXPECT_EQ(Verdict::Status_Name(verdict.status()), Verdict::Status_Name(c.status));
    EXPECT_EQ(verdict.reason(), c.reason);
    EXPECT_EQ(verdict.message(), c.message);
    EXPECT_EQ(verdict.findings_size(), c.findings);
    EXPECT_EQ(verdict.judged_count(), c.judged);
  }
}

TEST(Judge, SortsFindingsByObject) {
  const Verdict verdict = Judged([](Judge& j) {
    j.Fail(kWeb, {.observed = "b"});
    j.Fail(kApi, {.observed = "x"});
    j.Fail(kWeb, {.observed = "a"});
  });
  ASSERT_EQ(verdict.findings_size(), 3);
  EXPECT_EQ(verdict.findings(0).object(), kApi.name);
  EXPECT_EQ(verdict.findings(1).observed(), "a");
  EXPECT_EQ(verdict.findings(2).observed(), "b");
}

struct ReasonCase {
  Source source;
  SourceOutcome::State state;
  const char* reason;
};

const ReasonCase kReasons[] = {
    {Source::kContainers, SourceOutcome::OK, ""},
    {Source::kContainers, SourceOutcome::UNAVAILABLE, "engine_unreachable"},
    {Source::kContainers, SourceOutcome::PERMISSION_DENIED, "engine_denied"},
    {Source::kEngineInfo, SourceOutcome::PERMISSION_DENIED, "engine_denied"},
    {Source::kContainers, SourceOutcome::TRUNCATED, "partial_listing"},
    {Source::kCommandLine, SourceOutcome::UNAVAILABLE, "engine_unreachable"},
    {Source::kCommandLine, SourceOutcome::PERMISSION_DENIED, "permission_denied"},
    {Source::kDaemon, SourceOutcome::AMBIGUOUS, "ambiguous_daemon"},
    {Source::kMounts, SourceOutcome::UNAVAILABLE, "engine_unreachable"},
    {Source::kListeners, SourceOutcome::UNAVAILABLE, "engine_unreachable"},
    {Source::kAudit, SourceOutcome::UNAVAILABLE, "permission_denied"},
    {Source::kAudit, SourceOutcome::PERMISSION_DENIED, "permission_denied"},
    {Source::kAudit, SourceOutcome::UNSUPPORTED, "source_unsupported"},
    {Source::kConfigFile, SourceOutcome::MALFORMED, "parse_error"},
    {Source::kConfigFile, SourceOutcome::NOT_PRESENT, "file_absent"},
    {Source::kUsers, SourceOutcome::TIMED_OUT, "timed_out"},
    {Source::kUsers, SourceOutcome::NOT_PRESENT, "not_collected"},
    {Source::kUsers, SourceOutcome::NOT_COLLECTED, "not_collected"},
};

TEST(Judge, MapsOutcomesToReasons) {
  for (const ReasonCase& c : kReasons) {
    SourceOutcome outcome;
    outcome.set_state(c.state);
    EXPECT_EQ(ReasonFor(c.source, outcome), c.reason)
        << static_cast<int>(c.source) << " " << SourceOutcome::State_Name(c.state);
    const Verdict verdict = Judged([&](Judge& j) {
      EXPECT_EQ(j.UnknownFrom(c.source, outcome), c.state != SourceOutcome::OK);
      j.Pass();
    });
    EXPECT_EQ(verdict.status(), c.state == SourceOutcome::OK ? Verdict::PASS : Verdict::UNKNOWN);
    EXPECT_EQ(verdict.reason(), c.reason);
  }
}

TEST(Judge, AnOutcomesMessageIsTheVerdicts) {
  SourceOutcome outcome;
  outcome.set_state(SourceOutcome::TIMED_OUT);
  const auto say = [&](Judge& j) { j.UnknownFrom(Source::kContainers, outcome); };
  EXPECT_EQ(Judged(say).message(), "the containers could not be read");
  outcome.set_message("no answer within 5 s");
  EXPECT_EQ(Judged(say).message(), "no answer within 5 s");
}

TEST(Judge, APartThatWasNeverTriedHasTheWholeToBlame) {
  v1::HostFacts facts;
  facts.mutable_daemon()->mutable_outcome()->set_state(SourceOutcome::AMBIGUOUS);
  facts.mutable_engine()->mutable_outcome()->set_state(SourceOutcome::UNAVAILABLE);
  EXPECT_EQ(OutcomeOf(facts, Source::kCommandLine).state(), SourceOutcome::AMBIGUOUS);
  EXPECT_EQ(OutcomeOf(facts, Source::kConfigFile).state(), SourceOutcome::AMBIGUOUS);
  EXPECT_EQ(OutcomeOf(facts, Source::kEngineInfo).state(), SourceOutcome::UNAVAILABLE);
  facts.mutable_daemon()->mutable_command_line()->mutable_outcome()->set_state(SourceOutcome::OK);
  EXPECT_EQ(OutcomeOf(facts, Source::kCommandLine).state(), SourceOutcome::OK);
}

}  // namespace
}  // namespace plimsoll::evaluate
