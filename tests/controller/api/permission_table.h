// The table of who may call what, for every skin of the API.
#pragma once

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::api {

// Callers of the table, nobody first.
inline const std::vector<std::string>& TableCallers() {
  static const auto& callers =
      *new std::vector<std::string>{"nobody", "viewer", "auditor", "operator", "admin"};
  return callers;
}

// "HostService.ListHosts" -> who may. Empty: the table cannot be read.
inline std::map<std::string, std::set<std::string>> PermissionTable() {
  std::map<std::string, std::set<std::string>> table;
  std::ifstream file(
      absl::StrCat(PLIMSOLL_SOURCE_DIR, "/tests/controller/api/permission_table.txt"));
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    table[words[0]] = std::set<std::string>(words.begin() + 1, words.end());
  }
  return table;
}

}  // namespace plimsoll::api
