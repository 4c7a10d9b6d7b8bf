#include "controller/store/postgres/sql_values.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace plimsoll::store {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the valid UTF-8 character at the front of `text`, 0 if there is none.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return lead == 0 ? 0 : 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char next = byte(1);
  const bool overlong = (lead == 0xE0 && next < 0xA0) || (lead == 0xF0 && next < 0x90);
  const bool surrogate = lead == 0xED && next > 0x9F;
  const bool beyond = lead == 0xF4 && next > 0x8F;
  return overlong || surrogate || beyond ? 0 : length;
}

// An element of an array literal.
void AppendQuoted(std::string* out, absl::string_view text) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out->push_back('\\');
    out->push_back(c);
  }
  out->push_back('"');
}

}  // namespace

std::string Text(absl::string_view text, size_t max_bytes) {
  const auto plain = [](char c) { return (c & 0x80) == 0 && c != 0; };
  if (text.size() <= max_bytes && std::all_of(text.begin(), text.end(), plain)) {
    return std::string(text);
  }
  std::string clean;
  clean.reserve(std::min(text.size(), max_bytes));
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const absl::string_view piece = length == 0 ? kReplacement : text.substr(0, length);
    if (clean.size() + piece.size() > max_bytes) break;
    absl::StrAppend(&clean, piece);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return clean;
}

std::string TextArray(const std::vector<std::string>& values) {
  std::string array = "{";
  for (const std::string& value : values) {
    if (array.size() > 1) array.push_back(',');
    AppendQuoted(&array, Text(value));
  }
  array.push_back('}');
  return array;
}

std::string IntArray(const std::vector<int64_t>& values) {
  return absl::StrCat("{", absl::StrJoin(values, ","), "}");
}

void BytesColumn::Add(absl::string_view bytes) {
  begins_.push_back(static_cast<int64_t>(all_.size()) + 1);
  sizes_.push_back(static_cast<int64_t>(bytes.size()));
  all_.append(bytes.data(), bytes.size());
}

std::string KeyArray(const std::map<std::string, std::string>& values) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values) keys.push_back(key);
  return TextArray(keys);
}

std::string ValueArray(const std::map<std::string, std::string>& values) {
  std::vector<std::string> texts;
  for (const auto& [key, value] : values) texts.push_back(value);
  return TextArray(texts);
}

std::string Time(absl::Time time) {
  static const absl::Time first = absl::FromCivil(absl::CivilSecond(1, 1, 1), absl::UTCTimeZone());
  static const absl::Time last =
      absl::FromCivil(absl::CivilSecond(9999, 12, 31), absl::UTCTimeZone());
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E6SZ", std::clamp(time, first, last),
                          absl::UTCTimeZone());
}

absl::Time TimeOf(const pqxx::field& field) {
  return field.is_null() ? absl::InfinitePast() : absl::FromUnixMicros(field.as<int64_t>());
}

google::protobuf::Timestamp TimestampOf(absl::Time time) {
  google::protobuf::Timestamp proto;
  const int64_t micros = absl::ToUnixMicros(time);
  int64_t seconds = micros / 1000000;
  int64_t rest = micros % 1000000;
  if (rest < 0) {
    rest += 1000000;
    --seconds;
  }
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<int32_t>(rest * 1000));
  return proto;
}

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string BytesOf(const pqxx::field& field) {
  return field.is_null() ? std::string() : pqxx::binarystring(field).str();
}

}  // namespace plimsoll::store
