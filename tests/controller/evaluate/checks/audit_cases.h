// Facts about audit rules, as cases lay them over a host.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"

namespace plimsoll::evaluate {

// A block "audit { }" with lists of rules, which replace the host's.
inline std::string Kernel(const std::string& rules, const std::string& more = "") {
  return absl::StrCat("audit { ", rules, more, " }");
}

// One loaded rule of kind "path" or "dir" that records wa; `more` is laid over it.
inline std::string Rule(const std::string& kind, const std::string& path,
                        const std::string& more = "") {
  return absl::StrCat("kernel_rules { list: EXIT action: ALWAYS all_syscalls: true ", kind, ": '",
                      path, "' canonical_form: '", path, "' device: '8:1' permissions: 10 ", more,
                      " } ");
}

// A block with this one rule.
inline std::string Watch(const std::string& path) { return Kernel(Rule("path", path)); }
inline std::string Recursive(const std::string& path) { return Kernel(Rule("dir", path)); }

// For use inside "files { }".
inline std::string Absent(const std::string& path) {
  return absl::StrCat("files { path: '", path, "' outcome { state: NOT_PRESENT } } ");
}

}  // namespace plimsoll::evaluate
