// The closed list of daemon settings: how each is spelled as a flag and as a key of daemon.json,
// and how its value enters v1::Settings. Nothing outside this list has a way into the facts.
//
// Pure functions; thread-safe. Text is made valid UTF-8 and cut to kMaxPathBytes; addresses lose
// their user info; of options that can hold secrets only names and what is derived here are kept.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "plimsoll/v1/daemon_facts.pb.h"

namespace plimsoll::sources {

enum class SettingKind {
  kBool,
  kInteger,
  kText,
  // A file name from which the engine takes one pair of surrounding quotes.
  kQuotedPath,
  // A text that may name a host: user info is cut.
  kAddress,
  // Repeatable flag, array in the file.
  kList,
  kAddressList,
  // Names only, but for "dm.basesize=...".
  kStorageOptions,
  // Names, and what kind of address "*-address" options hold.
  kLogOptions,
  // "name=soft[:hard]"; an object in the file.
  kUlimits,
};

struct SettingSpec {
  // Long flag without dashes. Empty: no such flag.
  absl::string_view flag;
  // Short flag; 0 when there is none.
  char shorthand;
  // Key of daemon.json. Empty: the file cannot hold it, and the engine refuses the key.
  absl::string_view key;
  SettingKind kind;
  // Field number in v1::Settings.
  int field;
};

// Null when the name is outside the closed list. Case matters, as it does to the engine.
const SettingSpec* FindSettingByFlag(absl::string_view flag);
const SettingSpec* FindSettingByShorthand(char letter);
const SettingSpec* FindSettingByKey(absl::string_view key);

// strconv.ParseBool: 1 t T TRUE true True, 0 f F FALSE false False. Absent for anything else.
std::optional<bool> ParseGoBool(absl::string_view text);

// Store a scalar. REQUIRES: `spec.kind` is kBool, or kInteger.
void SetBoolSetting(const SettingSpec& spec, bool value, v1::Settings* settings);
void SetIntegerSetting(const SettingSpec& spec, int64_t value, v1::Settings* settings);

// Stores a text, or adds one value of a list: one occurrence of the flag, one element of the array.
// Texts replace, lists accumulate, an ulimit replaces one of its name. False: the engine would
// refuse the value, and nothing is stored. REQUIRES: `spec.kind` is neither kBool nor kInteger.
bool AddSetting(const SettingSpec& spec, absl::string_view value, v1::Settings* settings);

// Makes the list of `spec` present without a value: "hosts": []. REQUIRES: a list, options or
// ulimits.
void TouchListSetting(const SettingSpec& spec, v1::Settings* settings);

// Adds a log option by name and value, as "name=value" of the flag does. False: not a name.
bool AddLogOption(absl::string_view name, absl::string_view value, v1::Settings* settings);

// Adds or replaces a default ulimit. False: not a name.
bool AddUlimit(absl::string_view name, int64_t soft, int64_t hard, v1::Settings* settings);

}  // namespace plimsoll::sources
