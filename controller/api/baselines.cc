#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/api/api.h"

namespace plimsoll::api {

absl::StatusOr<v1::ListBaselinesResponse> Baselines::List(const Principal& who,
                                                          const v1::ListBaselinesRequest&) {
  v1::ListBaselinesResponse response;
  for (const policy::Document& baseline : all()) {
    v1::Baseline* listed = response.add_baselines();
    *listed = *baseline;
    listed->clear_rules();
  }
  return response;
}

absl::StatusOr<v1::Baseline> Baselines::Get(const Principal& who,
                                            const v1::GetBaselineRequest& request) {
  auto baseline = Find(request.id());
  if (!baseline.ok()) return baseline.status();
  return **baseline;
}

absl::StatusOr<v1::Rule> Baselines::GetRule(const Principal& who,
                                            const v1::GetRuleRequest& request) {
  auto baseline = Find(request.baseline());
  if (!baseline.ok()) return baseline.status();
  auto rule = FindRule(**baseline, request.rule());
  if (!rule.ok()) return rule.status();
  return **rule;
}

absl::StatusOr<policy::Document> Baselines::Find(const std::string& id) const {
  const std::vector<policy::Document> active = all();
  for (const policy::Document& baseline : active) {
    if (baseline->id() == id) return baseline;
  }
  return absl::NotFoundError(absl::StrCat(
      "no baseline \"", id.substr(0, 64), "\"; there are: ",
      absl::StrJoin(active, ", ", [](std::string* out, const policy::Document& baseline) {
        out->append(baseline->id());
      })));
}

absl::StatusOr<const v1::Rule*> Baselines::FindRule(const v1::Baseline& baseline,
                                                    const std::string& rule) {
  for (const v1::Rule& candidate : baseline.rules()) {
    if (candidate.id() == rule || candidate.slug() == rule) return &candidate;
  }
  return absl::NotFoundError(absl::StrCat("baseline ", baseline.id(), " has no rule \"",
                                          rule.substr(0, 64), "\"; `plimsoll rules` lists them"));
}

std::vector<std::pair<std::string, std::string>> Baselines::FindRules(
    const std::string& baseline, const std::string& rule) const {
  std::vector<std::pair<std::string, std::string>> found;
  for (const policy::Document& document : all()) {
    if (!baseline.empty() && document->id() != baseline) continue;
    const auto named = FindRule(*document, rule);
    if (named.ok()) found.emplace_back(document->id(), (*named)->id());
  }
  return found;
}

}  // namespace plimsoll::api
