// Files of policy: what `plimsoll apply` reads.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace plimsoll::cli {

// Whether objects, and sets of files, may have this name; what is said where they may not.
bool IsName(absl::string_view text);
inline constexpr char kExpectedName[] = "expected 1 to 63 of a-z, 0-9 and -";

// A kind of object that files may hold. Its spec is a message of the API, in the JSON mapping.
struct PolicyKind {
  const char* name;
  // The message, and those of its members that a file may give.
  const google::protobuf::Message* spec;
  std::vector<std::string> members;
};

// All kinds, in the order in which they are applied: what names another comes behind it.
const std::vector<PolicyKind>& PolicyKinds();

// One document of a file.
struct PolicyObject {
  const PolicyKind* kind = nullptr;
  std::string name;
  std::string file;
  // Where it begins, from 1.
  int line = 1;
  std::unique_ptr<google::protobuf::Message> spec;
  // Of a notification channel: what its secretFile holds. Never printed.
  std::string secret;
  // Lines of members of the spec, by place, e.g. "spec.rules[0].rule", as the file spells it.
  absl::flat_hash_map<std::string, int> lines;

  // "file:line: Kind/name: what", with the line of a member that `what` begins with as the API's
  // errors do ("rules[0].severity: ..."), else the object's own.
  std::string Problem(absl::string_view what) const;
};

struct PolicyFiles {
  std::vector<PolicyObject> objects;
  // "file:line: what is wrong", in the order of the files. Empty: all is well.
  std::vector<std::string> problems;
};

// Reads files, the files *.yaml and *.yml below folders in the order of their names, and standard
// input for "-". Hostile content is refused and bounded: see evaluate/yaml_decode.h; at most 1 MiB
// a file and 5000 objects in all. Secrets that files name are read as well.
PolicyFiles ReadPolicy(const std::vector<std::string>& paths);

}  // namespace plimsoll::cli
