#include "controller/evaluate/yaml_decode.h"

#include <google/protobuf/util/time_util.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <sstream>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "controller/evaluate/yaml_screen.h"
#include "plimsoll/v1/check_options.pb.h"

namespace plimsoll::evaluate {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;

constexpr size_t kMaxBytes = 1 << 20;

std::string KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return absl::StrCat("\"", node.Scalar(), "\"");
  return "nothing";
}

bool IsQuoted(const YAML::Node& node) { return node.Tag() == "!"; }

std::string PrefixOf(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(c);
  }
  return prefix + "_";
}

// What a person writes for an enumerator; empty for the one that stands for "not set".
std::string Spelling(const EnumValueDescriptor& value) {
  absl::string_view name = value.name();
  if (absl::EndsWith(name, "UNSPECIFIED")) return "";
  const std::string prefix = PrefixOf(*value.type());
  absl::ConsumePrefix(&name, prefix);
  return absl::AsciiStrToLower(absl::StrReplaceAll(name, {{"_", "-"}}));
}

const v1::ParameterOptions& OptionsOf(const FieldDescriptor& field) {
  return field.options().GetExtension(v1::parameter);
}

// A message all of whose fields are members of one oneof: v1::Check.
bool IsUnion(const Descriptor& type) {
  return type.real_oneof_decl_count() == 1 &&
         type.oneof_decl(0)->field_count() == type.field_count();
}

bool HasDefaults(const Descriptor& type, int depth = 0) {
  for (int i = 0; i < type.field_count() && depth < kMaxYamlDepth; ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!OptionsOf(field).default_yaml().empty()) return true;
    if (field.message_type() != nullptr && !field.is_repeated() &&
        field.real_containing_oneof() == nullptr && HasDefaults(*field.message_type(), depth + 1)) {
      return true;
    }
  }
  return false;
}

class Decoder {
 public:
  Decoder(absl::string_view file, YamlDecoding& result, bool json = false)
      : file_(file), json_(json), result_(result) {}

  void Problem(int line, absl::string_view what) {
    // One line each, whatever the keys of a document hold.
    result_.problems.push_back(absl::StrCat(file_, ":", line, ": ",
                                            absl::StrReplaceAll(what, {{"\n", " "}, {"\t", " "}})));
  }

  void DecodeMessage(const YAML::Node& node, const std::string& place, Message& out) {
    const Descriptor& type = *out.GetDescriptor();
    if (!node.IsMap()) {
      Expected(node, place, "a mapping");
      return;
    }
    absl::flat_hash_set<std::string> seen;
    for (const auto& entry : node) DecodeEntry(entry.first, entry.second, place, seen, out);
    for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
      CheckOneof(*type.oneof_decl(i), Line(node), place, seen);
    }
    FillDefaults(node, place, seen, out);
  }

 private:
  int Line(const YAML::Node& node) const {
    if (default_line_ > 0) return default_line_;
    // Nothing has no place of its own in the document.
    return node.IsNull() ? key_line_ : std::max(node.Mark().line, 0) + 1;
  }

  void Expected(const YAML::Node& node, const std::string& place, absl::string_view what) {
    Problem(Line(node), absl::StrCat(place.empty() ? "document" : place, ": expected ", what,
                                     ", got ", KindOf(node)));
  }

  // Of members that exclude each other the last would win.
  void CheckOneof(const OneofDescriptor& oneof, int line, const std::string& place,
                  const absl::flat_hash_set<std::string>& seen) {
    std::vector<std::string> given;
    for (int i = 0; i < oneof.field_count(); ++i) {
      if (seen.contains(oneof.field(i)->name())) given.push_back(oneof.field(i)->name());
    }
    std::sort(given.begin(), given.end());
    const bool needed = IsUnion(*oneof.containing_type());
    if (given.size() == 1 || (given.empty() && !needed)) return;
    Problem(line, absl::StrCat(place.empty() ? "document" : place, ": expected ",
                               needed ? "exactly" : "at most", " one of them, got ", given.size(),
                               given.empty() ? "" : ": ", absl::StrJoin(given, ", ")));
  }

  void DecodeEntry(const YAML::Node& key, const YAML::Node& value, const std::string& place,
                   absl::flat_hash_set<std::string>& seen, Message& out) {
    const Descriptor& type = *out.GetDescriptor();
    if (!key.IsScalar()) {
      Problem(Line(key), absl::StrCat(place, ": a key must be text, got ", KindOf(key)));
      return;
    }
    key_line_ = Line(key);
    const std::string& name = key.Scalar();
    const FieldDescriptor* field = type.FindFieldByName(name);
    if (field == nullptr && json_) field = type.FindFieldByCamelcaseName(name);
    if (field == nullptr) {
      std::vector<std::string> valid;
      for (int i = 0; i < type.field_count(); ++i) {
        valid.push_back(json_ ? type.field(i)->json_name() : type.field(i)->name());
      }
      std::sort(valid.begin(), valid.end());
      Problem(Line(key),
              absl::StrCat(IsUnion(type) ? "unknown check \"" : "unknown key \"", name, "\"",
                           place.empty() ? "" : " in ", place, "; expected ",
                           valid.empty() ? "none" : "one of: ", absl::StrJoin(valid, ", ")));
      return;
    }
    if (!seen.insert(field->name()).second) {
      Problem(Line(key),
              absl::StrCat("duplicate key \"", name, "\"", place.empty() ? "" : " in ", place));
      return;
    }
    DecodeField(value, place.empty() ? name : absl::StrCat(place, ".", name), *field, out);
  }

  void DecodeField(const YAML::Node& node, const std::string& place, const FieldDescriptor& field,
                   Message& out) {
    if (default_line_ == 0) result_.lines[place] = Line(node);
    if (field.is_map()) {
      DecodeMap(node, place, field, out);
    } else if (field.is_repeated()) {
      if (!node.IsSequence()) {
        Expected(node, place, "a list");
        return;
      }
      int index = 0;
      for (const auto& item : node) {
        const std::string item_place = absl::StrCat(place, "[", index++, "]");
        if (default_line_ == 0) result_.lines[item_place] = Line(item);
        DecodeValue(item, item_place, field, out);
      }
    } else {
      DecodeValue(node, place, field, out);
    }
  }

  void DecodeMap(const YAML::Node& node, const std::string& place, const FieldDescriptor& field,
                 Message& out) {
    if (!node.IsMap()) {
      Expected(node, place, "a mapping");
      return;
    }
    const Descriptor& entry_type = *field.message_type();
    absl::flat_hash_set<std::string> seen;
    for (const auto& pair : node) {
      if (pair.first.IsScalar() && !seen.insert(pair.first.Scalar()).second) {
        Problem(Line(pair.first),
                absl::StrCat("duplicate key \"", pair.first.Scalar(), "\" in ", place));
        continue;
      }
      Message& entry = *out.GetReflection()->AddMessage(&out, &field);
      DecodeValue(pair.first, place + " key", *entry_type.map_key(), entry);
      DecodeValue(pair.second, place, *entry_type.map_value(), entry);
    }
  }

  template <typename T>
  bool Integer(const YAML::Node& node, const std::string& place, T& value) {
    const std::string range = absl::StrCat("a whole number from ", std::numeric_limits<T>::min(),
                                           " to ", std::numeric_limits<T>::max());
    const std::string& text = node.IsScalar() ? node.Scalar() : "";
    const bool shaped = !text.empty() && !IsQuoted(node) &&
                        (absl::ascii_isdigit(text[0]) || (text[0] == '-' && text.size() > 1));
    char* end = nullptr;
    errno = 0;
    const long long wide = shaped ? std::strtoll(text.c_str(), &end, 0) : 0;
    const bool fits =
        shaped && *end == '\0' && errno == 0 && (std::is_signed_v<T> || wide >= 0) &&
        wide >=
            static_cast<long long>(std::is_signed_v<T> ? std::numeric_limits<T>::min() : T{0}) &&
        (sizeof(T) == 8 || wide <= static_cast<long long>(std::numeric_limits<T>::max()));
    if (!fits) Expected(node, place, range);
    value = static_cast<T>(wide);
    return fits;
  }

  void DecodeValue(const YAML::Node& node, const std::string& place, const FieldDescriptor& field,
                   Message& out) {
    const auto& reflection = *out.GetReflection();
    const auto put = [&](auto set, auto add, const auto& value) {
      field.is_repeated() ? (reflection.*add)(&out, &field, value)
                          : (reflection.*set)(&out, &field, value);
    };
    using R = google::protobuf::Reflection;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        Message& inner = field.is_repeated() ? *reflection.AddMessage(&out, &field)
                                             : *reflection.MutableMessage(&out, &field);
        if (!json_ || !DecodeTime(node, place, inner)) DecodeMessage(node, place, inner);
        return;
      }
      case FieldDescriptor::CPPTYPE_STRING:
        if (!node.IsScalar()) return Expected(node, place, "text");
        if (!Allowed(node, place, field)) return;
        put(&R::SetString, &R::AddString, node.Scalar());
        return;
      case FieldDescriptor::CPPTYPE_BOOL: {
        const std::string& text = node.IsScalar() ? node.Scalar() : "";
        if (IsQuoted(node) || (text != "true" && text != "false")) {
          return Expected(node, place, "true or false");
        }
        put(&R::SetBool, &R::AddBool, text == "true");
        return;
      }
      case FieldDescriptor::CPPTYPE_ENUM:
        return DecodeEnum(node, place, field, out);
      case FieldDescriptor::CPPTYPE_INT32: {
        int32_t value;
        if (Integer(node, place, value)) put(&R::SetInt32, &R::AddInt32, value);
        return;
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        uint32_t value;
        if (Integer(node, place, value)) put(&R::SetUInt32, &R::AddUInt32, value);
        return;
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        int64_t value;
        if (Integer(node, place, value)) put(&R::SetInt64, &R::AddInt64, value);
        return;
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        uint64_t value;
        if (Integer(node, place, value)) put(&R::SetUInt64, &R::AddUInt64, value);
        return;
      }
      default:
        Problem(Line(node), absl::StrCat(place, ": numbers with a fraction are not supported"));
    }
  }

  // False: `out` is neither a time nor a duration.
  bool DecodeTime(const YAML::Node& node, const std::string& place, Message& out) {
    using google::protobuf::util::TimeUtil;
    const std::string& text = node.IsScalar() ? node.Scalar() : "";
    if (out.GetDescriptor() == google::protobuf::Timestamp::descriptor()) {
      google::protobuf::Timestamp time;
      if (!TimeUtil::FromString(text, &time)) Expected(node, place, "a time: 2026-12-31T00:00:00Z");
      out.CopyFrom(time);
      return true;
    }
    if (out.GetDescriptor() == google::protobuf::Duration::descriptor()) {
      google::protobuf::Duration duration;
      if (!TimeUtil::FromString(text, &duration)) Expected(node, place, "a duration: 600s");
      out.CopyFrom(duration);
      return true;
    }
    return false;
  }

  void DecodeEnum(const YAML::Node& node, const std::string& place, const FieldDescriptor& field,
                  Message& out) {
    std::vector<std::string> valid;
    const EnumDescriptor& type = *field.enum_type();
    std::string text =
        node.IsScalar() ? absl::StrReplaceAll(node.Scalar(), {{"_", "-"}}) : std::string();
    if (json_) absl::AsciiStrToLower(&text);
    for (int i = 0; i < type.value_count(); ++i) {
      const std::string spelling = Spelling(*type.value(i));
      if (spelling.empty()) continue;
      valid.push_back(spelling);
      const std::string full =
          absl::AsciiStrToLower(absl::StrReplaceAll(type.value(i)->name(), {{"_", "-"}}));
      if (text != spelling && text != full) continue;
      if (field.is_repeated()) {
        out.GetReflection()->AddEnum(&out, &field, type.value(i));
      } else {
        out.GetReflection()->SetEnum(&out, &field, type.value(i));
      }
      return;
    }
    Expected(node, place, absl::StrCat("one of: ", absl::StrJoin(valid, ", ")));
  }

  bool Allowed(const YAML::Node& node, const std::string& place, const FieldDescriptor& field) {
    const auto& allowed = OptionsOf(field).allowed();
    if (allowed.empty() ||
        std::find(allowed.begin(), allowed.end(), node.Scalar()) != allowed.end()) {
      return true;
    }
    Expected(node, place, absl::StrCat("one of: ", absl::StrJoin(allowed, ", ")));
    return false;
  }

  void FillDefaults(const YAML::Node& node, const std::string& place,
                    const absl::flat_hash_set<std::string>& seen, Message& out) {
    const Descriptor& type = *out.GetDescriptor();
    const int outer = default_line_;
    default_line_ = Line(node);
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (seen.contains(field.name()) || field.real_containing_oneof() != nullptr) continue;
      const std::string field_place = absl::StrCat(place, ".", field.name());
      if (!OptionsOf(field).default_yaml().empty()) {
        DecodeField(YAML::Load(OptionsOf(field).default_yaml()), field_place, field, out);
      } else if (field.message_type() != nullptr && !field.is_repeated() &&
                 HasDefaults(*field.message_type())) {
        DecodeField(YAML::Node(YAML::NodeType::Map), field_place, field, out);
      }
    }
    default_line_ = outer;
  }

  absl::string_view file_;
  const bool json_;
  YamlDecoding& result_;
  // While defaults are filled in: the line of the message they belong to. Else 0.
  int default_line_ = 0;
  // Of the last key seen.
  int key_line_ = 1;
};

}  // namespace

YamlDecoding DecodeYaml(absl::string_view yaml, absl::string_view file_name, Message& out) {
  YamlDecoding result;
  Decoder decoder(file_name, result);
  if (yaml.size() > kMaxBytes) {
    decoder.Problem(1, absl::StrCat("larger than ", kMaxBytes, " bytes"));
    return result;
  }
  const std::string text(yaml);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    YamlScreen screen;
    while (parser.HandleNextDocument(screen) && screen.problem().empty()) {
    }
    if (!screen.problem().empty()) {
      decoder.Problem(screen.line(), screen.problem());
      return result;
    }
    decoder.DecodeMessage(YAML::Load(text), "", out);
  } catch (const YAML::DeepRecursion&) {
    decoder.Problem(1, absl::StrCat("nested deeper than ", kMaxYamlDepth));
  } catch (const YAML::Exception& e) {
    decoder.Problem(std::max(e.mark.line, 0) + 1,
                    absl::StrCat("not YAML: ", absl::CHexEscape(e.msg)));
  }
  return result;
}

YamlDecoding DecodeYamlNode(const YAML::Node& node, absl::string_view file_name,
                            const std::string& place, Message& out) {
  YamlDecoding result;
  Decoder(file_name, result, true).DecodeMessage(node, place, out);
  return result;
}

}  // namespace plimsoll::evaluate
