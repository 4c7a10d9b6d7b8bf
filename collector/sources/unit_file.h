// Units of systemd as files: where they are, and what a socket unit says (rules.md S5).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"

namespace plimsoll::sources {

// Where systemd's search order finds a unit.
struct UnitFiles {
  // Path of the first hit. Empty: no directory holds the unit.
  std::string fragment;
  // `fragment` with links resolved; empty when it leads nowhere.
  std::string canonical;
  // The fragment is /dev/null or an empty file: systemd refuses to start such a unit.
  bool masked = false;
  // Drop-ins in the order systemd applies them: by file name, of equal names the one from the first
  // directory, without those that mask others. At most 256.
  std::vector<std::string> drop_ins;
};

// The search order of the system manager, first wins.
const std::vector<std::string>& UnitSearchPath();

// Follows the search order. `name` is a plain unit name. Errors: those of FileSystem; a directory
// that cannot be looked into fails the whole search, since it may hold the unit that counts.
absl::StatusOr<UnitFiles> FindUnitFiles(const host::FileSystem& files, absl::string_view name);

// What a socket unit tells, as far as facts name it.
struct SocketSettings {
  // (kind, address), kinds as systemd's D-Bus names them: "Stream", "Datagram", ...
  std::vector<std::pair<std::string, std::string>> listen;
  std::string user;
  std::string group;
  std::string mode;
};

// Applies one file, fragment or drop-in, on top of what came before. Only section [Socket] counts;
// an empty Listen...= takes back every address so far, another empty value its own setting. "%t"
// becomes /run, and a leading /var/run too; other specifiers stay as they are. Pure; any text is
// taken.
void ApplySocketFile(absl::string_view text, SocketSettings& settings);

}  // namespace plimsoll::sources
