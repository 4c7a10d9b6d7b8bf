// Version of all three programs.
#pragma once

namespace plimsoll::support {
inline constexpr char kVersion[] = "0.1.0";
// Newest version of the collector stream this build speaks; it speaks the one before as well.
inline constexpr unsigned kProtocolVersion = 2;
}  // namespace plimsoll::support
