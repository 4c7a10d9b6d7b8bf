// Tables of TCP sockets, as /proc/<pid>/net shows them.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plimsoll/v1/listener_facts.pb.h"

namespace plimsoll::sources {

// One line of a table.
struct ListeningSocket {
  v1::Listener listener;
  uint64_t inode = 0;
};

// Listening sockets of /proc/<pid>/net/tcp (IPV4) or tcp6 (IPV6), in the table's order; sockets in
// other states are skipped. Errors: DATA_LOSS names the line. Pure; any bytes are safe.
absl::StatusOr<std::vector<ListeningSocket>> ParseTcpTable(absl::string_view text,
                                                           v1::Listener::Family family);

}  // namespace plimsoll::sources
