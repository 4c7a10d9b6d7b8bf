#include "collector/host/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>

#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

namespace json = boost::json;

constexpr size_t kMaxDepth = 64;

json::parse_options Options() {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  options.allow_invalid_utf8 = true;
  return options;
}

absl::string_view View(json::string_view text) { return {text.data(), text.size()}; }
json::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

absl::string_view KindName(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
  }
  return "something else";
}

std::string Expected(absl::string_view expected, const json::value& value) {
  return absl::StrCat("expected ", expected, ", got ", KindName(value));
}

absl::Status NotJson(const boost::system::error_code& error) {
  return absl::DataLossError(absl::StrCat("not JSON: ", error.message()));
}

std::vector<JsonObject> ObjectsOf(const json::array& array, const std::string& path,
                                  JsonErrors& errors) {
  std::vector<JsonObject> objects;
  objects.reserve(array.size());
  for (size_t i = 0; i < array.size(); ++i) {
    std::string at = absl::StrCat(path, "[", i, "]");
    if (const json::object* object = array[i].if_object()) {
      objects.emplace_back(object, std::move(at), &errors);
    } else {
      errors.Add(at, Expected("an object", array[i]));
    }
  }
  return objects;
}

// Keeps one boolean of the whole document.
struct OneBool {
  static constexpr size_t max_object_size = size_t(-1);
  static constexpr size_t max_array_size = size_t(-1);
  static constexpr size_t max_key_size = size_t(-1);
  static constexpr size_t max_string_size = size_t(-1);
  using Error = boost::system::error_code;

  explicit OneBool(absl::string_view wanted) : wanted(wanted) {}

  absl::string_view wanted;
  std::string key;
  size_t depth = 0;
  bool is_object = false;
  bool at_key = false;
  bool wrong_type = false;
  std::optional<bool> found;

  bool Scalar() {
    if (at_key) wrong_type = true;
    at_key = false;
    return true;
  }
  bool Open(bool object) {
    if (depth == 0) is_object = object;
    Scalar();
    ++depth;
    return true;
  }
  bool Close() {
    --depth;
    return true;
  }
  bool KeyPart(json::string_view part) {
    if (depth == 1 && key.size() <= wanted.size()) key.append(part.data(), part.size());
    return true;
  }

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) { return Open(true); }
  bool on_object_end(size_t, Error&) { return Close(); }
  bool on_array_begin(Error&) { return Open(false); }
  bool on_array_end(size_t, Error&) { return Close(); }
  bool on_key_part(json::string_view part, size_t, Error&) { return KeyPart(part); }
  bool on_key(json::string_view part, size_t, Error&) {
    KeyPart(part);
    if (depth == 1) {
      at_key = key == wanted;
      key.clear();
    }
    return true;
  }
  bool on_string_part(json::string_view, size_t, Error&) { return true; }
  bool on_string(json::string_view, size_t, Error&) { return Scalar(); }
  bool on_number_part(json::string_view, Error&) { return true; }
  bool on_int64(int64_t, json::string_view, Error&) { return Scalar(); }
  bool on_uint64(uint64_t, json::string_view, Error&) { return Scalar(); }
  bool on_double(double, json::string_view, Error&) { return Scalar(); }
  bool on_null(Error&) {
    at_key = false;
    return true;
  }
  bool on_bool(bool value, Error&) {
    if (at_key) found = value;
    at_key = false;
    return true;
  }
  bool on_comment_part(json::string_view, Error&) { return true; }
  bool on_comment(json::string_view, Error&) { return true; }
};

}  // namespace

void JsonErrors::Add(absl::string_view path, absl::string_view problem) {
  if (status_.ok()) status_ = absl::DataLossError(absl::StrCat(path, ": ", problem));
}

JsonDocument::JsonDocument() = default;
JsonDocument::~JsonDocument() = default;
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&& other) noexcept {
  root_ = std::move(other.root_);
  memory_ = std::move(other.memory_);
  return *this;
}

absl::StatusOr<JsonDocument> JsonDocument::Parse(absl::string_view text) {
  JsonDocument document;
  document.memory_ = std::make_unique<json::monotonic_resource>(text.size() + 1024);
  boost::system::error_code error;
  try {
    document.root_ = std::make_unique<json::value>(
        json::parse(View(text), error, json::storage_ptr(document.memory_.get()), Options()));
  } catch (const std::exception&) {
    return absl::DataLossError("not JSON that fits into memory");
  }
  if (error) return NotJson(error);
  return document;
}

JsonObject JsonDocument::Object(JsonErrors& errors) const {
  const json::object* object = root_->if_object();
  if (object == nullptr) errors.Add("reply", Expected("an object", *root_));
  return JsonObject(object, "", &errors);
}

std::vector<JsonObject> JsonDocument::Objects(JsonErrors& errors) const {
  if (root_->is_null()) return {};
  if (const json::array* array = root_->if_array()) return ObjectsOf(*array, "", errors);
  errors.Add("reply", Expected("an array", *root_));
  return {};
}

const json::value* JsonObject::Find(absl::string_view key) const {
  if (object_ == nullptr) return nullptr;
  const json::value* value = object_->if_contains(View(key));
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string JsonObject::PathOf(absl::string_view key) const {
  return path_.empty() ? std::string(key) : absl::StrCat(path_, ".", key);
}

void JsonObject::Surprise(absl::string_view key, absl::string_view expected,
                          const json::value& value) const {
  errors_->Add(PathOf(key), Expected(expected, value));
}

JsonObject::Presence JsonObject::Has(absl::string_view key) const {
  if (object_ == nullptr) return Presence::kAbsent;
  const json::value* value = object_->if_contains(View(key));
  if (value == nullptr) return Presence::kAbsent;
  return value->is_null() ? Presence::kNull : Presence::kPresent;
}

absl::string_view JsonObject::String(absl::string_view key) const {
  const json::value* value = Find(key);
  if (value == nullptr) return "";
  if (const json::string* text = value->if_string()) return {text->data(), text->size()};
  Surprise(key, "a string", *value);
  return "";
}

std::optional<bool> JsonObject::Bool(absl::string_view key) const {
  const json::value* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (const bool* flag = value->if_bool()) return *flag;
  Surprise(key, "a boolean", *value);
  return std::nullopt;
}

std::optional<int64_t> JsonObject::Int(absl::string_view key) const {
  const json::value* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (const int64_t* number = value->if_int64()) return *number;
  Surprise(key, "a whole number of 64 bits", *value);
  return std::nullopt;
}

std::optional<uint64_t> JsonObject::Uint(absl::string_view key) const {
  const json::value* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (const uint64_t* number = value->if_uint64()) return *number;
  if (const int64_t* number = value->if_int64(); number != nullptr && *number >= 0) {
    return static_cast<uint64_t>(*number);
  }
  Surprise(key, "a whole number of 64 bits, not negative", *value);
  return std::nullopt;
}

JsonObject JsonObject::Object(absl::string_view key) const {
  const json::value* value = Find(key);
  const json::object* object = value == nullptr ? nullptr : value->if_object();
  if (value != nullptr && object == nullptr) Surprise(key, "an object", *value);
  return JsonObject(object, PathOf(key), errors_);
}

JsonObject JsonObject::RequiredObject(absl::string_view key) const {
  if (Find(key) == nullptr) errors_->Add(PathOf(key), "expected an object, got none");
  return Object(key);
}

std::vector<JsonObject> JsonObject::Objects(absl::string_view key) const {
  const json::value* value = Find(key);
  if (value == nullptr) return {};
  if (const json::array* array = value->if_array()) return ObjectsOf(*array, PathOf(key), *errors_);
  Surprise(key, "an array", *value);
  return {};
}

std::vector<absl::string_view> JsonObject::Strings(absl::string_view key) const {
  std::vector<absl::string_view> strings;
  const json::value* value = Find(key);
  if (value == nullptr) return strings;
  const json::array* array = value->if_array();
  if (array == nullptr) {
    Surprise(key, "an array", *value);
    return strings;
  }
  for (const json::value& element : *array) {
    if (const json::string* text = element.if_string()) {
      strings.emplace_back(text->data(), text->size());
    } else {
      Surprise(key, "strings", element);
    }
  }
  return strings;
}

std::vector<std::vector<absl::string_view>> JsonObject::StringLists(absl::string_view key) const {
  std::vector<std::vector<absl::string_view>> lists;
  const json::value* value = Find(key);
  if (value == nullptr) return lists;
  const json::array* outer = value->if_array();
  if (outer == nullptr) {
    Surprise(key, "an array", *value);
    return lists;
  }
  for (const json::value& element : *outer) {
    const json::array* inner = element.if_array();
    if (inner == nullptr) {
      Surprise(key, "arrays", element);
      continue;
    }
    std::vector<absl::string_view>& list = lists.emplace_back();
    for (const json::value& word : *inner) {
      if (const json::string* text = word.if_string()) {
        list.emplace_back(text->data(), text->size());
      } else {
        Surprise(key, "arrays of strings", word);
      }
    }
  }
  return lists;
}

std::vector<absl::string_view> JsonObject::Keys() const {
  std::vector<absl::string_view> keys;
  if (object_ == nullptr) return keys;
  for (const auto& member : *object_) keys.push_back(View(member.key()));
  return keys;
}

std::vector<std::pair<absl::string_view, absl::string_view>> JsonObject::StringMembers() const {
  std::vector<std::pair<absl::string_view, absl::string_view>> members;
  for (const absl::string_view key : Keys()) {
    if (Find(key) != nullptr) members.emplace_back(key, String(key));
  }
  return members;
}

std::vector<std::pair<absl::string_view, JsonObject>> JsonObject::ObjectMembers() const {
  std::vector<std::pair<absl::string_view, JsonObject>> members;
  for (const absl::string_view key : Keys()) {
    if (Find(key) != nullptr) members.emplace_back(key, Object(key));
  }
  return members;
}

std::vector<std::pair<absl::string_view, std::vector<JsonObject>>> JsonObject::ObjectListMembers()
    const {
  std::vector<std::pair<absl::string_view, std::vector<JsonObject>>> members;
  for (const absl::string_view key : Keys()) members.emplace_back(key, Objects(key));
  return members;
}

absl::StatusOr<std::optional<bool>> ReadTopLevelBool(absl::string_view text,
                                                     absl::string_view key) {
  json::basic_parser<OneBool> parser(Options(), key);
  boost::system::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::make_error_code(json::error::extra_data);
  if (error) return NotJson(error);
  const OneBool& reader = parser.handler();
  if (!reader.is_object) return absl::DataLossError("expected an object");
  if (reader.wrong_type) return absl::DataLossError(absl::StrCat(key, ": expected a boolean"));
  return reader.found;
}

}  // namespace plimsoll::host
