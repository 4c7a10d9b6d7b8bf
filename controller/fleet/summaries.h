// Counts over selections of hosts. Pure functions of a Fleet; nothing here waits for anything.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controller/fleet/fleet.h"
#include "plimsoll/v1/summary_service.pb.h"

namespace plimsoll::fleet {

// The compliance of counts as an interval; false: nothing was judged.
bool Compliance(const v1::StatusCounts& counts, double& lower, double& upper);
// Sets both bounds of a message of the API, or none.
template <class Message>
void SetCompliance(const v1::StatusCounts& counts, Message& message) {
  double lower = 0;
  double upper = 0;
  if (!Compliance(counts, lower, upper)) return;
  message.set_compliance_lower(lower);
  message.set_compliance_upper(upper);
}

// As SummaryService.GetSummary.
v1::Summary Summarize(const Fleet& fleet, const BaselineColumns& baseline,
                      const Selection& selection, absl::Time as_of);

// One line for each value of the label, and one for hosts without it (last in a tie): most failing
// verdicts first, then by value.
std::vector<v1::LabelSummary> SummarizeByLabel(const Fleet& fleet, const BaselineColumns& baseline,
                                               const Selection& selection,
                                               const std::string& label);

// The order of the lines above.
bool LabelBefore(const v1::LabelSummary& a, const v1::LabelSummary& b);

// As SummaryService.ListWorstHosts, at most `limit`.
v1::ListWorstHostsResponse WorstHosts(const Fleet& fleet, const BaselineColumns& baseline,
                                      const Selection& selection, size_t limit);

// A configuration over the selected hosts.
struct ConfigurationSum {
  uint64_t fingerprint = 0;
  int64_t containers = 0;
  int32_t hosts = 0;
  // Places of rules that containers of it fail, ascending.
  std::vector<uint16_t> rules;
  // One of the hosts: the one with the lowest slot.
  std::string example_host_id;
};

// Configurations of containers that fail `rule` (its place; negative: any rule) on counted hosts;
// most containers first, then by fingerprint.
std::vector<ConfigurationSum> FailingConfigurations(const Fleet& fleet,
                                                    const BaselineColumns& baseline,
                                                    const Selection& selection, int rule);

}  // namespace plimsoll::fleet
