// Pages of hosts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/fleet/fleet.h"
#include "plimsoll/v1/host_service.pb.h"

namespace plimsoll::fleet {

// Which hosts, and where the page begins. All conditions must hold.
struct HostQuery {
  Selector selector = {};
  // Part of the name, case-insensitively (ASCII); empty: any.
  std::string name_contains = {};
  // Empty: any.
  std::vector<v1::Host::Connection> connections = {};
  // Absent: both.
  std::optional<bool> stale = {};
  // The page holds hosts behind this one; both empty: from the first.
  std::string after_hostname = {};
  std::string after_id = {};
  size_t limit = 100;
};

struct HostPage {
  // By host name, then id.
  std::vector<v1::Host> hosts;
  // There is another host behind the last one.
  bool more = false;
};

// Pages hold each host once that is there throughout, whatever comes and goes meanwhile.
HostPage ListHosts(const Fleet& fleet, const HostQuery& query);

}  // namespace plimsoll::fleet
