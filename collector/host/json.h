// JSON of the engine and of its state files, read with care: bounded, typed, and with every
// surprise recorded instead of passed over.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace boost::json {
class array;
class monotonic_resource;
class object;
class value;
}  // namespace boost::json

namespace plimsoll::host {

class JsonObject;

// The first surprise met while reading one document: which field, what was expected, what was
// there. Never holds a value. Thread-compatible.
class JsonErrors {
 public:
  // Keeps the first.
  void Add(absl::string_view path, absl::string_view problem);
  // DATA_LOSS naming the first surprise, or OK.
  absl::Status status() const { return status_; }

 private:
  absl::Status status_;
};

// A parsed document; owns its memory, which views into it borrow. Movable.
class JsonDocument {
 public:
  // At most 64 levels deep; bytes that are not UTF-8 are let through (see CleanText). The last of
  // equal keys counts. Error: DATA_LOSS, with the kind of mistake and never a piece of the text.
  static absl::StatusOr<JsonDocument> Parse(absl::string_view text);

  ~JsonDocument();
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;

  // The document as an object; a surprise, and an object without members, when it is none.
  JsonObject Object(JsonErrors& errors) const;
  // The elements of a document that is an array of objects; null counts as an empty one, as Go
  // writes it. Anything else is a surprise.
  std::vector<JsonObject> Objects(JsonErrors& errors) const;

 private:
  JsonDocument();
  // Declared first: what `root_` holds lives in it.
  std::unique_ptr<boost::json::monotonic_resource> memory_;
  std::unique_ptr<boost::json::value> root_;
};

// A view of one object of a document, or of none at all: reading from no object is like reading
// from an empty one. Each getter returns "nothing" for a field that is absent or null, and for one
// of the wrong type too, which it also records in the errors. Borrows document and errors.
class JsonObject {
 public:
  enum class Presence { kAbsent, kNull, kPresent };

  JsonObject(const boost::json::object* object, std::string path, JsonErrors* errors)
      : object_(object), path_(std::move(path)), errors_(errors) {}

  // Whether there is an object at all.
  bool exists() const { return object_ != nullptr; }
  Presence Has(absl::string_view key) const;

  // Empty when absent or null.
  absl::string_view String(absl::string_view key) const;
  std::optional<bool> Bool(absl::string_view key) const;
  // Whole numbers that fit the type; others are of the wrong type.
  std::optional<int64_t> Int(absl::string_view key) const;
  std::optional<uint64_t> Uint(absl::string_view key) const;

  JsonObject Object(absl::string_view key) const;
  // The same, but absence and null are surprises too.
  JsonObject RequiredObject(absl::string_view key) const;

  // Elements in order; those of another type are surprises and left out.
  std::vector<JsonObject> Objects(absl::string_view key) const;
  std::vector<absl::string_view> Strings(absl::string_view key) const;
  // An array of arrays of strings.
  std::vector<std::vector<absl::string_view>> StringLists(absl::string_view key) const;

  // Keys in the document's order, and for each its value where that is a string / an object / an
  // array of objects; of null, nothing.
  std::vector<absl::string_view> Keys() const;
  std::vector<std::pair<absl::string_view, absl::string_view>> StringMembers() const;
  std::vector<std::pair<absl::string_view, JsonObject>> ObjectMembers() const;
  std::vector<std::pair<absl::string_view, std::vector<JsonObject>>> ObjectListMembers() const;

 private:
  friend class JsonDocument;
  const boost::json::value* Find(absl::string_view key) const;
  std::string PathOf(absl::string_view key) const;
  void Surprise(absl::string_view key, absl::string_view expected,
                const boost::json::value& value) const;

  const boost::json::object* object_;
  std::string path_;
  JsonErrors* errors_;
};

// The boolean under `key` of the object that `text` holds; absent when there is no such key or it
// is null. Reads as a stream: nothing else of the text is kept. Errors: DATA_LOSS.
absl::StatusOr<std::optional<bool>> ReadTopLevelBool(absl::string_view text, absl::string_view key);

}  // namespace plimsoll::host
