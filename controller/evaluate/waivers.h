// Marking failures that somebody answers for.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "controller/evaluate/fact_index.h"
#include "plimsoll/v1/verdict.pb.h"

namespace plimsoll::evaluate {

// What a waiver covers, apart from hosts and times, which are the caller's to judge. Immutable once
// made.
struct WaiverTerms {
  // Baseline id and rule id.
  using Rule = std::pair<std::string, std::string>;

  std::string id;
  absl::flat_hash_set<Rule> rules;
  // Waiver.object_pattern. Empty: every object.
  std::string object_pattern;
  // Covers only what is among HostWaiver::approved.
  bool bound = false;
};

// A waiver that is in effect for one host. Borrows.
struct HostWaiver {
  const WaiverTerms* terms = nullptr;
  // ObjectFingerprint of what was approved on this host, ascending. Null: nothing. Looked at only
  // where the terms are bound.
  const std::vector<uint64_t>* approved = nullptr;
};

// What a bound waiver remembers of a finding's object (Waiver.bound_to_facts lists it): the
// settings of a container, which one alike shares; otherwise the rule, the object and what was
// observed. First 8 bytes, big endian, of a SHA-256. Pure; equal on every machine.
uint64_t ObjectFingerprint(const FactIndex& index, absl::string_view baseline_id,
                           absl::string_view rule_id, const v1::Finding& finding);

// Whether the object of `finding` is meant by a pattern: by its whole name, by the name in front of
// a "(id)", or by its id. A pattern is a glob as fnmatch(3) reads it, without escapes.
bool MatchesObject(const std::string& pattern, const v1::Finding& finding);

// The finding that stands for a verdict without any: the host itself, and what the verdict says.
v1::Finding FindingOfVerdict(const v1::Verdict& verdict);

// Marks what `waivers` accept of a verdict that is FAIL: Finding.waiver_id, lapsed_waiver_id,
// Verdict.waived, waiver_id. The first waiver that covers a finding has it. Changes nothing else,
// the status least of all; other verdicts are left alone. Pure; thread-safe.
void ApplyWaivers(const FactIndex& index, absl::string_view baseline_id,
                  absl::Span<const HostWaiver> waivers, v1::Verdict& verdict);

}  // namespace plimsoll::evaluate
