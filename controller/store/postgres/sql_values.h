// C++ values as statement parameters, and columns as C++ values.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <map>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace plimsoll::store {

// `text` as PostgreSQL can keep it: NUL and bytes that are not UTF-8 become U+FFFD; cut to at most
// `max_bytes` at a character.
std::string Text(absl::string_view text, size_t max_bytes = 1 << 20);

// A parameter of type bytea.
inline pqxx::binarystring Bytes(const std::string& bytes) { return pqxx::binarystring(bytes); }

// Array literals for unnest($n::text[]), ::bigint[]. Texts pass through Text().
std::string TextArray(const std::vector<std::string>& values);
std::string IntArray(const std::vector<int64_t>& values);

// A column of byte strings that may be long, as three parameters: `all` ($n::bytea), `begins` and
// `sizes` ($m::integer[]); an element is substring($n FROM begin FOR size). Spares PostgreSQL
// parsing what an array literal spells in hex.
class BytesColumn {
 public:
  void Add(absl::string_view bytes);
  pqxx::binarystring all() const { return pqxx::binarystring(all_); }
  std::string begins() const { return IntArray(begins_); }
  std::string sizes() const { return IntArray(sizes_); }

 private:
  std::string all_;
  std::vector<int64_t> begins_;
  std::vector<int64_t> sizes_;
};

// Keys and values of a map, for jsonb_object($n::text[], $m::text[]).
std::string KeyArray(const std::map<std::string, std::string>& values);
std::string ValueArray(const std::map<std::string, std::string>& values);

// A parameter of type timestamptz, to the microsecond; held within the years 1 to 9999.
std::string Time(absl::Time time);

// A column made by micros(). NULL: InfinitePast.
absl::Time TimeOf(const pqxx::field& field);
google::protobuf::Timestamp TimestampOf(absl::Time time);
absl::Time TimeOf(const google::protobuf::Timestamp& time);

inline std::string TextOf(const pqxx::field& field) { return field.as<std::string>(std::string()); }
// A bytea column; NULL: empty.
std::string BytesOf(const pqxx::field& field);

}  // namespace plimsoll::store
