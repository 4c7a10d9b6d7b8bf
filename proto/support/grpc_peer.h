// Who is at the other end of a call.
#pragma once

#include <string>

namespace plimsoll::support {

// The address in a peer as gRPC names it, without port: "ipv4:10.0.0.1:4711" is "10.0.0.1",
// "ipv6:%5B::1%5D:4711" is "::1". Others come back as they are. Pure.
std::string AddressOf(const std::string& peer);

}  // namespace plimsoll::support
