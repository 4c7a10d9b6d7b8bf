#include "collector/sources/daemon_json.h"

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/sources/settings.h"
#include "proto/support/digest.h"

namespace plimsoll::sources {
namespace {

namespace json = boost::json;

absl::string_view View(json::string_view text) { return {text.data(), text.size()}; }

void AppendUtf8(uint32_t point, std::string* out) {
  if (point < 0x80) {
    out->push_back(static_cast<char>(point));
    return;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  static constexpr uint32_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out->push_back(static_cast<char>(kLead[more] | (point >> (6 * more))));
  for (int i = more - 1; i >= 0; --i) {
    out->push_back(static_cast<char>(0x80 | ((point >> (6 * i)) & 0x3F)));
  }
}

// Unpaired surrogates and an odd last byte become U+FFFD.
std::string Utf16ToUtf8(absl::string_view bytes, bool big_endian) {
  const auto unit = [&](size_t i) -> uint32_t {
    const auto first = static_cast<uint8_t>(bytes[i]);
    const auto second = static_cast<uint8_t>(bytes[i + 1]);
    return big_endian ? (first << 8) | second : (second << 8) | first;
  };
  std::string text;
  text.reserve(bytes.size());
  size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) {
    uint32_t point = unit(i);
    if (point >= 0xD800 && point < 0xDC00 && i + 3 < bytes.size() && (unit(i + 2) >> 10) == 0x37) {
      point = 0x10000 + ((point - 0xD800) << 10) + (unit(i + 2) - 0xDC00);
      i += 2;
    } else if (point >= 0xD800 && point < 0xE000) {
      point = 0xFFFD;
    }
    AppendUtf8(point, &text);
  }
  if (i < bytes.size()) AppendUtf8(0xFFFD, &text);
  return text;
}

std::string ToUtf8(absl::string_view content) {
  if (absl::StartsWith(content, "\xEF\xBB\xBF")) return std::string(content.substr(3));
  if (absl::StartsWith(content, "\xFF\xFE")) return Utf16ToUtf8(content.substr(2), false);
  if (absl::StartsWith(content, "\xFE\xFF")) return Utf16ToUtf8(content.substr(2), true);
  return std::string(content);
}

std::optional<int64_t> Integer(const json::value& value) {
  if (const int64_t* number = value.if_int64(); number != nullptr) return *number;
  return std::nullopt;
}

bool IsListKind(SettingKind kind) {
  return kind == SettingKind::kList || kind == SettingKind::kAddressList ||
         kind == SettingKind::kStorageOptions;
}

bool StoreList(const SettingSpec& spec, const json::value& value, v1::Settings* settings) {
  const json::array* array = value.if_array();
  if (array == nullptr) return false;
  for (const json::value& element : *array) {
    if (!element.is_string()) return false;
  }
  TouchListSetting(spec, settings);
  bool taken = true;
  for (const json::value& element : *array) {
    taken = AddSetting(spec, View(*element.if_string()), settings) && taken;
  }
  return taken;
}

bool StoreLogOptions(const SettingSpec& spec, const json::value& value, v1::Settings* settings) {
  const json::object* options = value.if_object();
  if (options == nullptr) return false;
  for (const auto& option : *options) {
    if (!option.value().is_string()) return false;
  }
  TouchListSetting(spec, settings);
  bool taken = true;
  for (const auto& option : *options) {
    taken = AddLogOption(View(option.key()), View(*option.value().if_string()), settings) && taken;
  }
  return taken;
}

// {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}; the inner keys in any case, as in Go.
bool StoreUlimits(const SettingSpec& spec, const json::value& value, v1::Settings* settings) {
  const json::object* limits = value.if_object();
  if (limits == nullptr) return false;
  TouchListSetting(spec, settings);
  bool taken = true;
  for (const auto& limit : *limits) {
    const json::object* members = limit.value().if_object();
    std::optional<int64_t> soft = 0;
    std::optional<int64_t> hard = 0;
    if (members == nullptr) return false;
    for (const auto& member : *members) {
      if (absl::EqualsIgnoreCase(View(member.key()), "soft")) soft = Integer(member.value());
      if (absl::EqualsIgnoreCase(View(member.key()), "hard")) hard = Integer(member.value());
    }
    taken = soft && hard && AddUlimit(View(limit.key()), *soft, *hard, settings) && taken;
  }
  return taken;
}

bool Store(const SettingSpec& spec, const json::value& value, v1::Settings* settings) {
  if (IsListKind(spec.kind)) return StoreList(spec, value, settings);
  switch (spec.kind) {
    case SettingKind::kBool:
      if (!value.is_bool()) return false;
      SetBoolSetting(spec, *value.if_bool(), settings);
      return true;
    case SettingKind::kInteger:
      if (!Integer(value)) return false;
      SetIntegerSetting(spec, *Integer(value), settings);
      return true;
    case SettingKind::kLogOptions:
      return StoreLogOptions(spec, value, settings);
    case SettingKind::kUlimits:
      return StoreUlimits(spec, value, settings);
    default:
      return value.is_string() && AddSetting(spec, View(*value.if_string()), settings);
  }
}

absl::StatusOr<json::value> Parse(absl::string_view text) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  size_t read = parser.write_some(text.data(), text.size(), error);
  if (!error && read < text.size()) {
    return absl::DataLossError(absl::StrCat("daemon.json: more after its end, at byte ", read));
  }
  if (!error) parser.finish(error);
  if (error) return absl::DataLossError(absl::StrCat("daemon.json: not JSON, at byte ", read));
  return parser.release();
}

}  // namespace

absl::Status ParseDaemonJson(absl::string_view content, v1::DaemonFacts::ConfigFile* file) {
  file->set_size_bytes(static_cast<int64_t>(content.size()));
  file->set_sha256(support::Sha256Hex(content));
  const std::string text = ToUtf8(content);
  if (absl::StripAsciiWhitespace(text).empty()) {
    file->mutable_settings();
    return absl::OkStatus();
  }
  absl::StatusOr<json::value> document = Parse(text);
  if (!document.ok()) return document.status();
  const json::object* keys = document->if_object();
  if (keys == nullptr) return absl::DataLossError("daemon.json: not a JSON object");
  v1::Settings* settings = file->mutable_settings();
  for (const auto& entry : *keys) {
    const SettingSpec* spec = FindSettingByKey(View(entry.key()));
    if (spec == nullptr) {
      file->set_other_key_count(file->other_key_count() + 1);
    } else if (!entry.value().is_null() && !Store(*spec, entry.value(), settings)) {
      file->add_mistyped_keys(std::string(spec->key));
    }
  }
  return absl::OkStatus();
}

}  // namespace plimsoll::sources
