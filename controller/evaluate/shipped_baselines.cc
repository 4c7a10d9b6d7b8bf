#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/evaluate/baseline_loader.h"

namespace plimsoll::evaluate {
namespace {

// controller/baselines/*.yaml as text, by file name without its ending.
struct Document {
  const char* id;
  const char* yaml;
};
constexpr Document kDocuments[] = {
#include "shipped_baselines.inc"
};

using Loaded = std::map<std::string, absl::StatusOr<v1::Baseline>, std::less<>>;

const Loaded& LoadAll() {
  static const Loaded* const loaded = [] {
    auto* all = new Loaded;
    for (const Document& d : kDocuments) {
      all->emplace(d.id, LoadBaseline(d.yaml, absl::StrCat(d.id, ".yaml")));
    }
    return all;
  }();
  return *loaded;
}

}  // namespace

std::vector<std::string> ShippedBaselineIds() {
  std::vector<std::string> ids;
  for (const Document& d : kDocuments) ids.push_back(d.id);
  return ids;
}

absl::StatusOr<v1::Baseline> ShippedBaseline(absl::string_view id) {
  const auto it = LoadAll().find(std::string(id));
  if (it != LoadAll().end()) return it->second;
  return absl::NotFoundError(absl::StrCat(
      "no shipped baseline \"", id, "\"; there are: ", absl::StrJoin(ShippedBaselineIds(), ", ")));
}

}  // namespace plimsoll::evaluate
