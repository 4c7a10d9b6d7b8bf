#include "controller/fleet/configuration_examples.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_format.h"
#include "controller/evaluate/failing_containers.h"

namespace plimsoll::fleet {
namespace {

constexpr size_t kHostsAtOnce = 100;

void Fill(const v1::HostFacts& facts, const std::vector<v1::FailingConfiguration*>& rows) {
  std::map<std::string, const v1::Container*> by_fingerprint;
  for (const v1::Container& container : facts.containers().containers()) {
    by_fingerprint.emplace(absl::StrFormat("%016x", evaluate::ContainerFingerprint(container)),
                           &container);
  }
  for (v1::FailingConfiguration* row : rows) {
    const auto container = by_fingerprint.find(row->fingerprint());
    if (container == by_fingerprint.end()) continue;
    row->set_image(container->second->image_ref());
    row->set_example_container(container->second->name());
  }
}

}  // namespace

absl::Status AddExamples(store::ReportStore& reports,
                         const std::vector<v1::FailingConfiguration*>& rows) {
  std::map<std::string, std::vector<v1::FailingConfiguration*>> by_host;
  for (v1::FailingConfiguration* row : rows) by_host[row->example_host_id()].push_back(row);
  std::vector<std::string> ids;
  for (auto it = by_host.begin(); it != by_host.end();) {
    ids.clear();
    for (; it != by_host.end() && ids.size() < kHostsAtOnce; ++it) ids.push_back(it->first);
    auto all = reports.GetFactsOf(ids);
    // Examples are not worth failing for.
    if (absl::IsDataLoss(all.status())) continue;
    if (!all.ok()) return all.status();
    for (const store::StoredFacts& stored : *all) Fill(stored.facts, by_host[stored.host_id]);
  }
  return absl::OkStatus();
}

}  // namespace plimsoll::fleet
