// JSON from outside, by Jansson, which libjose speaks.
#pragma once

#include <jansson.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace plimsoll::access {

struct JsonFree {
  void operator()(json_t* value) const { json_decref(value); }
};
using JsonPtr = std::unique_ptr<json_t, JsonFree>;

// Null: not a JSON object, or one with a member twice.
inline JsonPtr ParseObject(absl::string_view text) {
  JsonPtr value(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, nullptr));
  return json_is_object(value.get()) ? std::move(value) : nullptr;
}

// A member that is text; empty: there is none.
inline std::string TextAt(const json_t* object, const char* name) {
  const char* text = json_string_value(json_object_get(object, name));
  return text == nullptr ? "" : text;
}

}  // namespace plimsoll::access
