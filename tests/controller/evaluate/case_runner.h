// Table-driven cases of rules: facts in, verdict out.
//
// A test file states its cases at namespace scope:
//
//   const RuleCases kOwner({"azure-docker/3.05", "edge-docker/8.05"}, {
//       {.name = "root", .status = v1::Verdict::PASS},
//       {.name = "another owner", .facts = R"pb(files { files { path: "/etc/docker" uid: 7 } })pb",
//        .status = v1::Verdict::FAIL, .findings = 1},
//       {.name = "unreadable", .facts = "files { outcome { state: PERMISSION_DENIED } }",
//        .status = v1::Verdict::UNKNOWN, .reason = "permission_denied"},
//   });
//
// rule_cases_test.cc runs every table (one test a rule) and holds the meta-test over all of them,
// so a --gtest_filter changes nothing about what is known to be covered.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "plimsoll/v1/check.pb.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/verdict.pb.h"

namespace plimsoll::evaluate {

// What a case starts from.
enum class Base {
  // tests/fixtures/facts/compliant.textproto: passes whatever a host can pass.
  kCompliant,
  // The same with noncompliant.textproto laid over it: fails whatever a host can fail.
  kNoncompliant,
  // No facts at all: every source NOT_COLLECTED.
  kEmpty,
};

struct Case {
  std::string name;
  // What is taken away from the base first: dotted fields, "daemon.config_file.settings.icc", or
  // one keyed member, "files.files[/etc/docker]", "containers.containers[*]" (all) and below it:
  // "containers.containers[web].pids_limit".
  std::vector<std::string> clear = {};
  // Textproto of HostFacts laid over the base by MergeText.
  std::string facts = {};
  // Textproto of the rule's own arguments, laid over those of the baseline by MergeText:
  // "minimum: '24.0'".
  std::string args = {};
  Base base = Base::kCompliant;
  v1::Verdict::Status status = v1::Verdict::UNKNOWN;
  // The verdict's reason code; empty: none. "*": whatever.
  std::string reason = "*";
  // Findings of the verdict; -1: not looked at.
  int findings = -1;
  // Part of the first finding's `observed`, of the verdict's message, and a note's code on the
  // verdict or on any finding; empty: not looked at.
  std::string observed = {};
  std::string message = {};
  std::string note = {};
};

// Cases of one or several rules (the same recommendation in both baselines), each
// "<baseline>/<rule id>". Static storage only.
class RuleCases {
 public:
  RuleCases(std::vector<std::string> rules, std::vector<Case> cases);

  const std::vector<std::string>& rules() const { return rules_; }
  const std::vector<Case>& cases() const { return cases_; }

  // Every table of the binary.
  static const std::vector<const RuleCases*>& All();

 private:
  std::vector<std::string> rules_;
  std::vector<Case> cases_;
};

// Runs cases now, inside the current test. Failures name rule and case.
void RunCases(absl::string_view baseline, absl::string_view rule_id,
              const std::vector<Case>& cases);

// A base fixture.
const v1::HostFacts& BaseFacts(Base base);

// Lays the textproto `patch` over `message`: members of keyed lists (files by path, containers and
// images by id, ...) are merged with the member of the same key, or added; any other list that
// `patch` gives replaces the old one; every scalar it names is set, zero or not. A container, image
// or network may be named by `name` alone. Test failure when it does not parse.
void MergeText(absl::string_view patch, google::protobuf::Message& message);

// Removes what `path` names; see Case::clear. Test failure when there is nothing of the name.
void ClearPath(absl::string_view path, google::protobuf::Message& message);

// The facts of a case, ready to be judged.
v1::HostFacts FactsOf(const Case& c);

}  // namespace plimsoll::evaluate
