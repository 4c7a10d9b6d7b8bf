// YAML into typed messages, with every mistake named by file and line.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace YAML {
class Node;
}

namespace plimsoll::evaluate {

// What became of a document.
struct YamlDecoding {
  // "file:line: what is wrong; what was expected", in the order of the document. Empty: all is
  // well.
  std::vector<std::string> problems;
  // 1-based line of every value, by its place: "rules[3].slug". Whole messages and lists included.
  absl::flat_hash_map<std::string, int> lines;
};

// Decodes the one document in `yaml` into `out`: keys are field names, enumerators are written in
// lower case ("critical", "on-failure"), with or without the enum's own prefix. Integers may be
// octal (0644) or hexadecimal. Arguments that are not given get their ParameterOptions default,
// also inside messages that are not given.
//
// Refused: unknown and duplicate keys, wrong types, values out of range or not allowed, more than
// one member of a oneof, anchors and aliases, tags, several documents, more than 1 MiB, deep
// nesting. All problems are collected; `out` is meaningless if there are any. Pure; throws nothing.
YamlDecoding DecodeYaml(absl::string_view yaml, absl::string_view file_name,
                        google::protobuf::Message& out);

// Decodes one value of a document that YamlScreen found nothing in, named `place` in problems.
// Spelt as the JSON mapping of protos has it: keys may be "timeZone" as well as "time_zone",
// enumerators are in any case, times are "2026-12-31T00:00:00Z" and durations "600s". May throw
// YAML::Exception.
YamlDecoding DecodeYamlNode(const YAML::Node& node, absl::string_view file_name,
                            const std::string& place, google::protobuf::Message& out);

}  // namespace plimsoll::evaluate
