#include "controller/evaluate/baseline_loader.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/evaluate/check.h"
#include "controller/evaluate/yaml_decode.h"
#include "proto/support/digest.h"

namespace plimsoll::evaluate {
namespace {

using v1::Baseline;
using v1::Rule;

bool IsKebabCase(absl::string_view text) {
  const auto allowed = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  bool letter = false;
  for (const char c : text) {
    if (c == '-' ? !letter : !allowed(c)) return false;
    letter = c != '-';
  }
  return letter;
}

absl::string_view SectionOf(absl::string_view rule_id) {
  return rule_id.substr(0, rule_id.find('.'));
}

// What the types alone cannot say of a document; aliases get the check of their rule.
class Validator {
 public:
  Validator(Baseline& baseline, absl::string_view file, YamlDecoding& decoding)
      : baseline_(baseline), file_(file), decoding_(decoding) {}

  void Run() {
    Require("id", IsKebabCase(baseline_.id()), "expected a kebab-case name such as azure-docker");
    Require("version", !baseline_.version().empty(), "expected a version such as \"1.0.0\"");
    Require("title", !baseline_.title().empty(), "expected a title");
    Require("rules", baseline_.rules_size() > 0, "expected at least one rule");
    for (int i = 0; i < baseline_.sections_size(); ++i) {
      Unique(sections_, absl::StrCat("sections[", i, "].id"), baseline_.sections(i).id());
    }
    for (int i = 0; i < baseline_.rules_size(); ++i) Alias(i);
    for (int i = 0; i < baseline_.rules_size(); ++i) RuleAlone(i);
  }

 private:
  void Problem(const std::string& place, absl::string_view what) {
    // The nearest thing around `place` that is in the document.
    absl::string_view at = place;
    auto it = decoding_.lines.find(at);
    while (it == decoding_.lines.end() && !at.empty()) {
      at = at.substr(0, std::max<size_t>(at.rfind('.') + 1, 1) - 1);
      it = decoding_.lines.find(at);
    }
    const int line = it == decoding_.lines.end() ? 1 : it->second;
    decoding_.problems.push_back(absl::StrCat(file_, ":", line, ": ", place, ": ", what));
  }

  void Require(const std::string& place, bool holds, absl::string_view what) {
    if (!holds) Problem(place, what);
  }

  void Unique(absl::flat_hash_map<std::string, std::string>& seen, const std::string& place,
              const std::string& value) {
    const auto [it, inserted] = seen.emplace(value, place);
    if (inserted) return;
    Problem(place,
            absl::StrCat("duplicate \"", value, "\"; first at line ", decoding_.lines[it->second]));
  }

  void RuleAlone(int i) {
    const Rule& rule = baseline_.rules(i);
    const std::string place = absl::StrCat("rules[", i, "]");
    Require(place + ".id", rule.id().find('.') != std::string::npos,
            "expected the baseline's own number, such as \"5.04\"");
    Unique(ids_, place + ".id", rule.id());
    const std::string section(SectionOf(rule.id()));
    Require(place + ".id", sections_.contains(section),
            absl::StrCat("no section \"", section, "\"; expected one of: ", SectionNames()));
    Require(place + ".slug", IsKebabCase(rule.slug()), "expected a kebab-case name");
    Unique(slugs_, place + ".slug", rule.slug());
    Require(place + ".title", !rule.title().empty(), "expected a title");
    Require(place + ".severity", rule.severity() != v1::SEVERITY_UNSPECIFIED,
            "expected one of: info, low, medium, high, critical");
    Require(place + ".scope", rule.scope() != v1::SCOPE_UNSPECIFIED,
            "expected one of: host, daemon, image, container, swarm");
    Require(place + ".description", !rule.description().empty(), "expected a description");
    Require(place + ".remediation", !rule.remediation().empty(), "expected a remediation");
    if (!rule.has_check() && rule.alias_of().empty()) {
      Problem(place + ".check", "expected exactly one check with its arguments");
    } else if (rule.check().kind_case() != v1::Check::KIND_NOT_SET &&
               FindCheck(rule.check().kind_case()) == nullptr) {
      Problem(place + ".check", "this program has no such check");
    }
  }

  void Alias(int i) {
    Rule& rule = *baseline_.mutable_rules(i);
    if (rule.alias_of().empty()) return;
    const std::string place = absl::StrCat("rules[", i, "].alias_of");
    const auto target = std::find_if(baseline_.rules().begin(), baseline_.rules().end(),
                                     [&](const Rule& r) { return r.id() == rule.alias_of(); });
    if (target == baseline_.rules().end()) {
      Problem(place, absl::StrCat("no rule \"", rule.alias_of(), "\" in this document"));
    } else if (!target->alias_of().empty()) {
      Problem(place, absl::StrCat("\"", rule.alias_of(), "\" is itself an alias; expected \"",
                                  target->alias_of(), "\""));
    } else if (rule.has_check()) {
      Problem(place, "an alias has the check of its rule; leave check out");
    } else {
      *rule.mutable_check() = target->check();
    }
  }

  std::string SectionNames() const {
    return absl::StrJoin(baseline_.sections(), ", ", [](std::string* out, const v1::Section& s) {
      absl::StrAppend(out, s.id());
    });
  }

  Baseline& baseline_;
  absl::string_view file_;
  YamlDecoding& decoding_;
  absl::flat_hash_map<std::string, std::string> sections_, ids_, slugs_;
};

}  // namespace

std::string BaselineDigest(const Baseline& baseline) {
  if (!baseline.digest().empty()) {
    Baseline bare = baseline;
    bare.clear_digest();
    return BaselineDigest(bare);
  }
  return support::Sha256Hex(support::SerializeStable(baseline));
}

absl::StatusOr<Baseline> LoadBaseline(absl::string_view yaml, absl::string_view file_name) {
  Baseline baseline;
  YamlDecoding decoding = DecodeYaml(yaml, file_name, baseline);
  if (decoding.problems.empty()) {
    for (const char* key : {"digest", "tailored_from", "tailoring_ids"}) {
      if (!decoding.lines.contains(key)) continue;
      decoding.problems.push_back(absl::StrCat(file_name, ":", decoding.lines[key], ": ", key,
                                               ": computed by the loader; leave it out"));
    }
    Validator(baseline, file_name, decoding).Run();
  }
  if (!decoding.problems.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(decoding.problems, "\n"));
  }
  baseline.set_digest(BaselineDigest(baseline));
  return baseline;
}

}  // namespace plimsoll::evaluate
