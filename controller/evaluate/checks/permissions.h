// Comparing owner and mode with what a rule asks (rules.md S4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "plimsoll/v1/file_facts.pb.h"

namespace plimsoll::evaluate {

// Octal digits as a mode of at most 07777; nothing for any other text.
std::optional<uint32_t> ParseMode(absl::string_view octal);

// The bits of the file's mode that `allowed` does not contain; 0 means "allowed or stricter".
// Masks, never numbers. A directory may be sticky.
uint32_t ExtraBits(const v1::FileFact& file, uint32_t allowed);

// "mode 0644".
std::string ModeText(uint32_t mode);
// "uid 0, gid 998".
std::string OwnerText(const v1::FileFact& file);

}  // namespace plimsoll::evaluate
