// Version of all three programs.
#pragma once

namespace plimsoll::support {
inline constexpr char kVersion[] = "0.1.0";
// Version of the collector stream this build speaks.
inline constexpr unsigned kProtocolVersion = 1;
}  // namespace plimsoll::support
