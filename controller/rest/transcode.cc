#include "controller/rest/transcode.h"

#include <google/protobuf/util/json_util.h>

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "proto/support/field_errors.h"
#include "proto/support/utf8.h"

namespace plimsoll::rest {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using support::InvalidField;

// By JSON name or by its own; null: none.
const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  if (const FieldDescriptor* field = type.FindFieldByName(name)) return field;
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == name) return type.field(i);
  }
  return nullptr;
}

absl::Status ParseJson(const std::string& json, Message& message, const std::string& field) {
  google::protobuf::util::JsonParseOptions options;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &message, options);
  if (status.ok()) return absl::OkStatus();
  const std::string why(status.message().data(), status.message().size());
  return field.empty() ? absl::InvalidArgumentError(absl::StrCat("the request's body: ", why))
                       : InvalidField(field, why);
}

absl::Status SetInteger(const FieldDescriptor& field, const std::string& text,
                        const std::string& name, Message& message) {
  const Reflection& r = *message.GetReflection();
  absl::Status wrong = InvalidField(name, "expected a whole number in range");
  const bool many = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return wrong;
      many ? r.AddInt32(&message, &field, value) : r.SetInt32(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      int64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return wrong;
      many ? r.AddInt64(&message, &field, value) : r.SetInt64(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      uint32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return wrong;
      many ? r.AddUInt32(&message, &field, value) : r.SetUInt32(&message, &field, value);
      return absl::OkStatus();
    }
    default: {
      uint64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) return wrong;
      many ? r.AddUInt64(&message, &field, value) : r.SetUInt64(&message, &field, value);
      return absl::OkStatus();
    }
  }
}

absl::Status SetEnum(const FieldDescriptor& field, const std::string& text, const std::string& name,
                     Message& message) {
  const auto* value = field.enum_type()->FindValueByName(absl::AsciiStrToUpper(text));
  int number = 0;
  if (value == nullptr && absl::SimpleAtoi(text, &number)) {
    value = field.enum_type()->FindValueByNumber(number);
  }
  if (value == nullptr) {
    std::string known;
    for (int i = 0; i < field.enum_type()->value_count(); ++i) {
      absl::StrAppend(&known, i == 0 ? "" : ", ", field.enum_type()->value(i)->name());
    }
    return InvalidField(name, absl::StrCat("expected one of ", known));
  }
  const Reflection& r = *message.GetReflection();
  field.is_repeated() ? r.AddEnum(&message, &field, value) : r.SetEnum(&message, &field, value);
  return absl::OkStatus();
}

// One value, from text.
absl::Status SetScalar(const FieldDescriptor& field, const std::string& text,
                       const std::string& name, Message& message) {
  const Reflection& r = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) break;
      field.is_repeated() ? r.AddString(&message, &field, text)
                          : r.SetString(&message, &field, text);
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_BOOL: {
      if (text != "true" && text != "false") return InvalidField(name, "expected true or false");
      field.is_repeated() ? r.AddBool(&message, &field, text == "true")
                          : r.SetBool(&message, &field, text == "true");
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!absl::SimpleAtod(text, &value)) return InvalidField(name, "expected a number");
      field.is_repeated() ? r.AddDouble(&message, &field, value)
                          : r.SetDouble(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(field, text, name, message);
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return SetInteger(field, text, name, message);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (!field.is_repeated() && IsJsonScalar(*field.message_type())) {
        // A quoted string in JSON; quotes in it would end it.
        if (text.find_first_of("\"\\") != std::string::npos) break;
        return ParseJson(absl::StrCat("\"", text, "\""), *r.MutableMessage(&message, &field), name);
      }
      break;
    default:
      break;
  }
  return InvalidField(name, "cannot be given here");
}

absl::Status SetMapEntry(const FieldDescriptor& field, const std::string& key,
                         const std::string& text, const std::string& name, Message& message) {
  const Descriptor& entry_type = *field.message_type();
  const FieldDescriptor& value = *entry_type.map_value();
  if (entry_type.map_key()->cpp_type() != FieldDescriptor::CPPTYPE_STRING ||
      value.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return InvalidField(name, "cannot be given here");
  }
  Message& entry = *message.GetReflection()->AddMessage(&message, &field);
  entry.GetReflection()->SetString(&entry, entry_type.map_key(), key);
  return SetScalar(value, text, name, entry);
}

// Sets the field that `path` names, below `message`. `owned`: fields that the path of the URL has
// set already, by full name. `seen`: what was set so far and can be once only, by the names of the
// protos, for a field has two.
absl::Status Set(const std::string& path, const std::string& text,
                 const std::set<std::string>& owned, std::set<std::string>& seen,
                 Message& message) {
  Message* at = &message;
  absl::string_view rest = path;
  std::string name;
  for (;;) {
    const std::pair<std::string, absl::string_view> parts =
        absl::StrSplit(rest, absl::MaxSplits('.', 1));
    const FieldDescriptor* field = FindField(*at->GetDescriptor(), parts.first);
    if (field == nullptr) return InvalidField(path, "there is no such parameter");
    const bool more = rest.size() > parts.first.size();
    absl::StrAppend(&name, name.empty() ? "" : ".", field->name());
    if (field->is_map()) {
      if (!more || parts.second.empty()) {
        return InvalidField(path, absl::StrCat("expected ", parts.first, ".KEY=VALUE"));
      }
      if (!seen.insert(absl::StrCat(name, ".", parts.second)).second) {
        return InvalidField(path, "is given twice");
      }
      return SetMapEntry(*field, std::string(parts.second), text, path, *at);
    }
    if (more) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) {
        return InvalidField(path, "there is no such parameter");
      }
      at = at->GetReflection()->MutableMessage(at, field);
      rest = parts.second;
      continue;
    }
    const std::string& id = field->full_name();
    if (owned.contains(id)) return InvalidField(path, "is given by the path");
    if (!field->is_repeated() && !seen.insert(name).second) {
      return InvalidField(path, "is given twice");
    }
    return SetScalar(*field, text, path, *at);
  }
}

absl::Status DecodeBody(const HttpRequest& request, const std::string& body_field,
                        Message& message) {
  if (request.body.empty()) return absl::OkStatus();
  const std::string& type = request.Header("content-type");
  if (!type.empty() && !absl::StartsWithIgnoreCase(type, "application/json")) {
    return absl::InvalidArgumentError("the request's body must be application/json");
  }
  if (!support::IsPlainUtf8(
          absl::StrReplaceAll(request.body, {{"\n", ""}, {"\r", ""}, {"\t", ""}}))) {
    return absl::InvalidArgumentError("the request's body is not UTF-8 text");
  }
  Message* target = &message;
  if (!body_field.empty()) {
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(body_field);
    target = message.GetReflection()->MutableMessage(&message, field);
  }
  return ParseJson(request.body, *target, "");
}

}  // namespace

absl::Status DecodeRequest(const HttpRequest& request,
                           const std::map<std::string, std::string>& path_variables,
                           const std::string& body_field, Message& message) {
  const bool has_body =
      request.method != "GET" && request.method != "HEAD" && request.method != "DELETE";
  if (has_body) {
    if (auto status = DecodeBody(request, body_field, message); !status.ok()) return status;
  } else if (!request.body.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(request.method, " takes no body"));
  }
  std::set<std::string> seen, owned;
  const std::set<std::string> none;
  for (const auto& [path, text] : path_variables) {
    if (auto status = Set(path, text, none, seen, message); !status.ok()) return status;
    // Path variables are fields of the message itself, or of the one field that is the body.
    const std::string name =
        path.substr(path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1);
    owned.insert(absl::StrCat(message.GetDescriptor()->full_name(), ".", name));
  }
  for (const auto& [path, text] : request.target.query) {
    // Beside a body that is one field, the others may stand in the query.
    const bool in_body =
        has_body && (body_field.empty() || path.substr(0, path.find('.')) == body_field);
    if (in_body) return InvalidField(path, "parameters go into the body here");
    if (auto status = Set(path, text, owned, seen, message); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool IsJsonScalar(const google::protobuf::Descriptor& type) {
  return type.full_name() == "google.protobuf.Timestamp" ||
         type.full_name() == "google.protobuf.Duration";
}

absl::StatusOr<std::string> EncodeJson(const Message& message) {
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InternalError("a message cannot be written as JSON");
  return json;
}

}  // namespace plimsoll::rest
