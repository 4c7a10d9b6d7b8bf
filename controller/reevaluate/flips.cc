#include "controller/reevaluate/flips.h"

#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace plimsoll::reevaluate {
namespace {

using v1::Verdict;

struct State {
  Verdict::Status status = Verdict::NOT_APPLICABLE;
  bool waived = false;
  bool operator!=(const State& other) const {
    return std::tie(status, waived) != std::tie(other.status, other.waived);
  }
};

// Object name and id; several findings of one object count by the worst.
using Objects = std::map<std::pair<std::string, std::string>, State>;

bool Worse(const State& a, const State& b) {
  if (a.status == b.status) return !a.waived && b.waived;
  return a.status == Verdict::FAIL || (a.status == Verdict::UNKNOWN && b.status != Verdict::FAIL);
}

Objects ObjectsOf(const Verdict* verdict) {
  Objects objects;
  if (verdict == nullptr) return objects;
  for (const v1::Finding& finding : verdict->findings()) {
    const State state{finding.status(), !finding.waiver_id().empty()};
    const auto [known, is_new] =
        objects.try_emplace({finding.object(), finding.object_id()}, state);
    if (!is_new && Worse(state, known->second)) known->second = state;
  }
  return objects;
}

State WholeOf(const Verdict* verdict) {
  return verdict == nullptr ? State() : State{verdict->status(), verdict->waived()};
}

// Of an object that the verdict does not name.
State UnnamedOf(const Verdict* verdict) {
  if (verdict == nullptr) return State();
  const bool speaks_for_all =
      verdict->status() == Verdict::NOT_APPLICABLE || verdict->status() == Verdict::MANUAL ||
      (verdict->status() == Verdict::UNKNOWN && verdict->findings().empty());
  return {speaks_for_all ? verdict->status() : Verdict::PASS, false};
}

// Verdicts by rule id.
std::map<std::string, const Verdict*> VerdictsOf(const Judged& judged) {
  std::map<std::string, const Verdict*> verdicts;
  if (judged.report == nullptr) return verdicts;
  for (const Verdict& verdict : judged.report->verdicts()) {
    verdicts.emplace(verdict.rule_id(), &verdict);
  }
  return verdicts;
}

}  // namespace

std::vector<v1::Flip> FlipsOf(const Judged& before, const Judged& after) {
  std::vector<v1::Flip> flips;
  const std::map<std::string, const Verdict*> old_verdicts = VerdictsOf(before);
  const std::map<std::string, const Verdict*> new_verdicts = VerdictsOf(after);
  std::set<std::string> seen;
  for (const Judged& judged : {after, before}) {
    if (judged.document == nullptr) continue;
    for (const v1::Rule& rule : judged.document->rules()) {
      if (!seen.insert(rule.id()).second) continue;
      const auto find = [&rule](const auto& verdicts) {
        const auto found = verdicts.find(rule.id());
        return found == verdicts.end() ? nullptr : found->second;
      };
      const Verdict* from = find(old_verdicts);
      const Verdict* to = find(new_verdicts);
      const auto add = [&](const std::string& object, const State& a, const State& b) {
        v1::Flip& flip = flips.emplace_back();
        flip.set_baseline_id(judged.document->id());
        flip.set_rule_id(rule.id());
        flip.set_severity(rule.severity());
        flip.set_object(object);
        flip.set_from(a.status);
        flip.set_from_waived(a.waived);
        flip.set_to(b.status);
        flip.set_to_waived(b.waived);
      };
      const Objects old_objects = ObjectsOf(from);
      const Objects new_objects = ObjectsOf(to);
      Objects all = old_objects;
      all.insert(new_objects.begin(), new_objects.end());
      const size_t first = flips.size();
      for (const auto& [object, ignored] : all) {
        const auto a = old_objects.find(object);
        const auto b = new_objects.find(object);
        const State was = a == old_objects.end() ? UnnamedOf(from) : a->second;
        const State will = b == new_objects.end() ? UnnamedOf(to) : b->second;
        if (was != will) add(object.first, was, will);
      }
      if (flips.size() == first && WholeOf(from) != WholeOf(to)) {
        add("", WholeOf(from), WholeOf(to));
      }
    }
  }
  return flips;
}

}  // namespace plimsoll::reevaluate
