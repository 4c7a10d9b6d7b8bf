// States on which other scanners are wrong, by number, and what must be said of them here.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {

// Numbers go from 1 to 52. Three are half the collector's: 13 and 50 (flags with a space, bare
// booleans) and 44 (which process is the daemon).
struct Defect {
  int number;
  // Rule of azure-docker, or "edge-docker/...".
  const char* rule;
  Case c;
};

// Numbers 1 to 22, and 23 to 52.
std::vector<Defect> HostDefects();
std::vector<Defect> ContainerDefects();

// --- Words for the tables. Each is one patch of HostFacts; a section can be given once only.

inline constexpr auto kPass = v1::Verdict::PASS;
inline constexpr auto kFail = v1::Verdict::FAIL;
inline constexpr auto kUnknown = v1::Verdict::UNKNOWN;
inline constexpr auto kManual = v1::Verdict::MANUAL;
inline constexpr auto kNone = v1::Verdict::NOT_APPLICABLE;

inline std::string Watch(absl::string_view what, absl::string_view path,
                         absl::string_view more = "") {
  return absl::StrCat("kernel_rules { list: EXIT action: ALWAYS all_syscalls: true ", what, ": \"",
                      path, "\" canonical_form: \"", path, "\" permissions: 10 device: \"8:1\" ",
                      more, " } ");
}

inline std::string Audit(absl::string_view rules) { return absl::StrCat("audit { ", rules, " }"); }

inline std::string Web(absl::string_view fields) {
  return absl::StrCat("containers { containers { name: 'web' ", fields, " } }");
}

inline std::string Mode(absl::string_view path, absl::string_view mode) {
  return absl::StrCat("files { files { path: '", path, "' mode: ", mode, " } }");
}

inline std::string Bind(absl::string_view source, absl::string_view destination,
                        bool writable = true, absl::string_view more = "") {
  return Web(absl::StrCat("mounts { type: 'bind' source: '", source, "' real_source: '", source,
                          "' resolution: RESOLVED source_type: DIRECTORY destination: '",
                          destination, "' read_write: ", writable ? "true " : "false ", more,
                          " }"));
}

inline std::string Certificate(absl::string_view name, absl::string_view fields) {
  const std::string path = absl::StrCat("/etc/docker/certs.d/r/", name);
  return absl::StrCat("files { registry_certificates { path: '", path, "' canonical_path: '", path,
                      "' outcome { state: OK } type: REGULAR ", fields, " } }");
}

inline std::string Old(absl::string_view more) {
  return absl::StrCat("engine { version: '20.10.24' security_options { name: 'seccomp' } } ", more);
}

inline const std::vector<std::string> kNoDefault = {
    "engine.security_options", "daemon.config_file.settings.no_new_privileges"};
inline const std::vector<std::string> kNothingRuns = {"containers.containers"};
inline const std::vector<std::string> kNoOptions = {"containers.containers[web].security_options"};

}  // namespace plimsoll::evaluate
