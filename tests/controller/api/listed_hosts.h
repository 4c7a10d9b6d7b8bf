// What lists of hosts show, in one line.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {

// Names of the hosts that a viewer is shown for a selector, each followed by a space.
inline std::string ListedHosts(Parts& parts, const std::string& expression) {
  v1::ListHostsRequest request;
  request.set_selector(expression);
  std::string names;
  const auto hosts = parts.hosts.List(Viewer(), request);
  EXPECT_TRUE(hosts.ok()) << hosts.status();
  if (!hosts.ok()) return names;
  for (const v1::Host& host : hosts->hosts()) absl::StrAppend(&names, host.hostname(), " ");
  return names;
}

}  // namespace plimsoll::api
