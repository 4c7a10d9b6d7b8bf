// Short ways to state cases about containers. The containers of the base are taken away, so that a
// case shows everything its verdict rests on.
#pragma once

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {

// Textproto of one container that runs and was inspected; `fields` add to it, and replace its state
// or `privileged: false` where they name them. The id is the name's letters repeated.
inline std::string AContainer(const std::string& name, const std::string& fields) {
  std::string id;
  while (id.size() < 64) absl::StrAppend(&id, "0", name.size(), "a");
  id.resize(64 - name.size());
  for (const char c : name) id += "0123456789abcdef"[static_cast<unsigned char>(c) % 16];
  const bool state = absl::StartsWith(fields, "status:") || absl::StrContains(fields, " status:");
  const bool privileged = absl::StrContains(fields, "privileged:");
  const bool outcome = absl::StrContains(fields, "inspect_failed");
  return absl::StrCat(
      "containers { id: '", id, "' name: '", name, "' ", outcome ? "" : "outcome { state: OK } ",
      state ? "" : "status: RUNNING ", privileged ? "" : "privileged: false ",
      outcome ? "outcome { state: TIMED_OUT message: 'no answer in time' }" : fields, " }\n");
}

// Facts with these containers and no others.
inline std::string Containers(const std::string& containers) {
  return absl::StrCat("containers { outcome { state: OK } ", containers, " }\n");
}

// A case about a single container named "it".
inline Case One(std::string name, const std::string& fields, v1::Verdict::Status status,
                std::string observed = {}) {
  return {.name = std::move(name),
          .clear = {"containers.containers[*]"},
          .facts = Containers(AContainer("it", fields)),
          .status = status,
          .observed = std::move(observed)};
}

// The same with arguments of the rule.
inline Case OneWith(std::string name, std::string args, const std::string& fields,
                    v1::Verdict::Status status, std::string observed = {}) {
  Case c = One(std::move(name), fields, status, std::move(observed));
  c.args = std::move(args);
  return c;
}

// Facts beside the container's.
inline Case Given(Case c, const std::string& facts) {
  absl::StrAppend(&c.facts, facts);
  return c;
}
inline Case Without(Case c, const std::string& path) {
  c.clear.push_back(path);
  return c;
}
inline Case Because(Case c, std::string reason) {
  c.reason = std::move(reason);
  return c;
}
inline Case Noting(Case c, std::string note) {
  c.note = std::move(note);
  return c;
}

// What every rule over containers owes: nothing to judge is no pass, and nothing read is none.
inline std::vector<Case> CommonCases() {
  return {
      {.name = "no containers",
       .clear = {"containers.containers[*]"},
       .status = v1::Verdict::NOT_APPLICABLE,
       .reason = "no_objects"},
      {.name = "the engine refused the listing",
       .facts = "containers { outcome { state: PERMISSION_DENIED } }",
       .status = v1::Verdict::UNKNOWN,
       .reason = "engine_denied"},
      {.name = "the inspect timed out",
       .clear = {"containers.containers[*]"},
       .facts = Containers(AContainer("it", "inspect_failed")),
       .status = v1::Verdict::UNKNOWN,
       .reason = "timed_out",
       .findings = 1,
       .observed = "no answer in time"},
      {.name = "nothing was collected", .base = Base::kEmpty, .status = v1::Verdict::UNKNOWN},
  };
}

inline std::vector<Case> WithCommon(std::vector<Case> cases) {
  for (Case& c : CommonCases()) cases.push_back(std::move(c));
  return cases;
}

}  // namespace plimsoll::evaluate
