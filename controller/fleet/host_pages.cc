#include "controller/fleet/host_pages.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace plimsoll::fleet {
namespace {

// `lower` is in lower case.
bool ContainsIgnoringCase(std::string_view text, std::string_view lower) {
  const auto same = [](char a, char b) { return absl::ascii_tolower(a) == b; };
  return std::search(text.begin(), text.end(), lower.begin(), lower.end(), same) != text.end();
}

}  // namespace

HostPage ListHosts(const Fleet& fleet, const HostQuery& query) {
  const HostTable& hosts = fleet.hosts();
  Bitmap wanted = hosts.present();
  hosts.labels().Filter(query.selector, wanted);
  if (query.stale.has_value()) {
    *query.stale ? wanted.And(fleet.stale()) : wanted.AndNot(fleet.stale());
  }
  HostPage page;
  if (wanted.Empty()) return page;
  const std::string name = absl::AsciiStrToLower(query.name_contains);
  hosts.VisitByName(query.after_hostname, query.after_id, [&](Slot slot) {
    if (!wanted.Test(slot)) return true;
    if (!query.connections.empty() &&
        std::find(query.connections.begin(), query.connections.end(), hosts.connection(slot)) ==
            query.connections.end()) {
      return true;
    }
    if (!name.empty() && !ContainsIgnoringCase(hosts.hostname(slot), name)) return true;
    page.more = page.hosts.size() == query.limit;
    if (page.more) return false;
    page.hosts.push_back(fleet.Describe(slot));
    return true;
  });
  return page;
}

}  // namespace plimsoll::fleet
