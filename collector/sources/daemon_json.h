// daemon.json, parsed on the host into the closed list of settings (rules.md S2).
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "plimsoll/v1/daemon_facts.pb.h"

namespace plimsoll::sources {

// Parses `content`, which may begin with a byte order mark (UTF-8, UTF-16 little or big endian),
// and fills `settings`, `size_bytes`, `sha256` (of the bytes as they are), `other_key_count` and
// `mistyped_keys` of `file`; its other fields are left alone. Blank content is "{}", as it is to
// the engine. A key with null is not set. A list with one element of a wrong type is mistyped as a
// whole.
//
// Errors: DATA_LOSS, when it is no JSON object, with the byte offset and nothing of the content;
// size and digest are filled even then. Pure; any bytes are safe.
absl::Status ParseDaemonJson(absl::string_view content, v1::DaemonFacts::ConfigFile* file);

}  // namespace plimsoll::sources
