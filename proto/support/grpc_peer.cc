#include "proto/support/grpc_peer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"

namespace plimsoll::support {

std::string AddressOf(const std::string& peer) {
  const size_t begin = peer.find(':');
  const size_t end = peer.rfind(':');
  if (!absl::StartsWith(peer, "ipv4:") && !absl::StartsWith(peer, "ipv6:")) return peer;
  if (end <= begin) return peer;
  return absl::StrReplaceAll(peer.substr(begin + 1, end - begin - 1),
                             {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
}

}  // namespace plimsoll::support
