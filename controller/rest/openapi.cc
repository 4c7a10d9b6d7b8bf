#include "controller/rest/openapi.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "controller/access/permissions.h"
#include "controller/rest/descriptors.h"
#include "controller/rest/session_cookie.h"
#include "controller/rest/transcode.h"
#include "proto/support/version.h"

namespace plimsoll::rest {
namespace {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

constexpr char kDescription[] =
    "Everything Plimsoll does over HTTPS. Names, types and texts come from the protos that gRPC "
    "uses. "
    "Times are RFC 3339, durations are seconds with an \"s\", 64-bit numbers are strings, and "
    "fields "
    "with their default are left out of answers.";

// "HostReport", "Host.Connection": what follows the package.
std::string ShortName(const std::string& full_name) {
  return full_name.substr(full_name.rfind("plimsoll.v1.") == 0 ? 12 : full_name.rfind('.') + 1);
}

std::string FirstSentence(const std::string& text) {
  const size_t end = text.find(". ");
  return text.substr(0, end == std::string::npos ? text.find('\n') : end + 1);
}

// Collects the schemas that are referred to.
class Schemas {
 public:
  json::object Reference(const Descriptor& type) {
    wanted_.insert(&type);
    return {{"$ref", absl::StrCat("#/components/schemas/", ShortName(type.full_name()))}};
  }

  json::object OfField(const FieldDescriptor& field) {
    if (field.is_map()) {
      return {{"type", "object"},
              {"additionalProperties", OfValue(*field.message_type()->map_value())}};
    }
    if (field.is_repeated()) return {{"type", "array"}, {"items", OfValue(field)}};
    return OfValue(field);
  }

  // All that are wanted, and what they want in turn.
  json::object Take() {
    std::map<std::string, json::object> done;
    while (!wanted_.empty()) {
      const Descriptor* type = *wanted_.begin();
      wanted_.erase(wanted_.begin());
      const std::string name = ShortName(type->full_name());
      if (done.contains(name)) continue;
      done[name];
      done[name] = OfMessage(*type);
      std::erase_if(wanted_, [&](const Descriptor* wanted) {
        return done.contains(ShortName(wanted->full_name()));
      });
    }
    json::object all;
    for (auto& [name, schema] : done) all[name] = std::move(schema);
    return all;
  }

 private:
  json::object OfMessage(const Descriptor& type) {
    json::object properties;
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      json::object schema = OfField(field);
      std::string comment = CommentOf(field);
      // A check and its arguments are one thing; the arguments say what it is.
      if (comment.empty() && field.message_type() != nullptr) {
        comment = CommentOf(*field.message_type());
      }
      if (!comment.empty()) schema["description"] = comment;
      properties[field.json_name()] = std::move(schema);
    }
    json::object schema{{"type", "object"}, {"properties", std::move(properties)}};
    if (const std::string comment = CommentOf(type); !comment.empty()) {
      schema["description"] = comment;
    }
    return schema;
  }

  json::object OfValue(const FieldDescriptor& field) {
    switch (field.type()) {
      case FieldDescriptor::TYPE_MESSAGE: {
        const std::string& name = field.message_type()->full_name();
        if (name == "google.protobuf.Timestamp") {
          return {{"type", "string"}, {"format", "date-time"}};
        }
        if (name == "google.protobuf.Duration") {
          return {{"type", "string"}, {"pattern", "^-?[0-9]+(\\.[0-9]{1,9})?s$"}};
        }
        return Reference(*field.message_type());
      }
      case FieldDescriptor::TYPE_ENUM:
        return OfEnum(*field.enum_type());
      case FieldDescriptor::TYPE_BOOL:
        return {{"type", "boolean"}};
      case FieldDescriptor::TYPE_BYTES:
        return {{"type", "string"}, {"contentEncoding", "base64"}};
      case FieldDescriptor::TYPE_STRING:
        return {{"type", "string"}};
      case FieldDescriptor::TYPE_DOUBLE:
      case FieldDescriptor::TYPE_FLOAT:
        return {{"type", "number"}};
      case FieldDescriptor::TYPE_INT64:
      case FieldDescriptor::TYPE_UINT64:
      case FieldDescriptor::TYPE_FIXED64:
        return {{"type", json::array{"string", "integer"}}, {"format", "int64"}};
      default:
        return {{"type", "integer"}, {"format", "int32"}};
    }
  }

  json::object OfEnum(const google::protobuf::EnumDescriptor& type) {
    json::array names;
    std::string text = CommentOf(type);
    for (int i = 0; i < type.value_count(); ++i) {
      names.push_back(json::string(type.value(i)->name()));
      absl::StrAppend(&text, "\n\n`", type.value(i)->name(), "`: ", CommentOf(*type.value(i)));
    }
    return {{"type", "string"}, {"enum", std::move(names)}, {"description", text}};
  }

  std::set<const Descriptor*> wanted_;
};

json::object ErrorSchema() {
  const json::object text{{"type", "string"}};
  const json::object field{{"type", "object"},
                           {"properties", {{"field", text}, {"message", text}}}};
  const json::object error{
      {"type", "object"},
      {"required", json::array{"code", "status", "reason", "message", "requestId"}},
      {"properties",
       {{"code", {{"type", "integer"}, {"description", "The HTTP status."}}},
        {"status", {{"type", "string"}, {"description", "Name of the gRPC code, for programs."}}},
        {"reason",
         {{"type", "string"},
          {"description",
           "For programs, where the status is not exact enough: `INVALID_FIELD`, `NO_ROUTE`, "
           "`WRONG_VERB`, `BODY_TOO_LARGE`, `HEADERS_TOO_LARGE`, `BODY_ENCODED`, `NOT_HTTP`, "
           "`CSRF`, `PROVIDER_UNAVAILABLE`, `POLICY_CHANGED`, `SHUTTING_DOWN`, `NOT_RECORDED` (the "
           "change was made, and only the activity log has not got it: do not repeat it); "
           "otherwise the status again."}}},
        {"message", {{"type", "string"}, {"description", "What happened and what to do."}}},
        {"requestId", {{"type", "string"}, {"description", "As in X-Request-Id and the log."}}},
        {"fields",
         {{"type", "array"}, {"items", field}, {"description", "Fields that are to blame."}}}}}};
  return {
      {"type", "object"}, {"required", json::array{"error"}}, {"properties", {{"error", error}}}};
}

// A query parameter for every field that a query can carry.
void AddParameters(const Descriptor& type, const std::set<std::string>& in_path, Schemas& schemas,
                   json::array& out) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (in_path.contains(field.name())) continue;
    if (field.type() == FieldDescriptor::TYPE_MESSAGE && !field.is_map() &&
        !IsJsonScalar(*field.message_type())) {
      continue;
    }
    json::object parameter{{"name", field.json_name()},
                           {"in", "query"},
                           {"schema", schemas.OfField(field)},
                           {"description", CommentOf(field)}};
    if (field.is_map()) {
      // "labels.env=prod".
      parameter["name"] = absl::StrCat(field.json_name(), ".{key}");
      parameter["schema"] = schemas.OfField(*field.message_type()->map_value());
    }
    out.push_back(std::move(parameter));
  }
}

// "viewer, auditor, operator, admin": who may call.
std::string RolesOf(const api::Method& route) {
  return absl::StrJoin(access::RolesThatMay(route.spec.permission), ", ");
}

// A header that a request may have.
json::object HeaderParameter(const char* name, const char* description) {
  return {{"name", name},
          {"in", "header"},
          {"schema", {{"type", "string"}}},
          {"description", description}};
}

// How a caller of a method is known. A cookie that may change something comes with its proof.
json::array SecurityOf(const api::Method& route) {
  if (route.spec.open) return {};
  json::object cookie{{"cookie", json::array{}}};
  if (route.verb != "GET") cookie["csrf"] = json::array{};
  return {{{"bearer", json::array{}}}, std::move(cookie)};
}

json::object SecuritySchemes() {
  return {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
          {"cookie",
           {{"type", "apiKey"},
            {"in", "cookie"},
            {"name", kSessionCookie},
            {"description",
             "For browsers: a session that SignIn with `inCookie`, or the identity provider, "
             "began. A bearer token in the same request goes before it."}}},
          {"csrf",
           {{"type", "apiKey"},
            {"in", "header"},
            {"name", kCsrfHeader},
            {"description",
             "The `csrfToken` of the session in the cookie, from SignIn or GetSelf. The request "
             "must come from a page of this server."}}}};
}

json::object Operation(const api::Method& route, Schemas& schemas) {
  const MethodDescriptor* method = DocumentedPool().FindMethodByName(route.full_name);
  json::object operation;
  operation["operationId"] = method->name();
  const std::string& service = method->service()->name();
  operation["tags"] = json::array{json::string(service.substr(0, service.rfind("Service")))};
  const std::string comment = CommentOf(*method);
  operation["summary"] = FirstSentence(comment);
  operation["description"] =
      route.spec.open ? comment
                      : absl::StrCat(comment, "\n\nNeeds the permission `",
                                     std::string(access::PermissionName(route.spec.permission)),
                                     "`: ", RolesOf(route), ".");
  operation["security"] = SecurityOf(route);
  json::array parameters;
  std::set<std::string> in_path;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(route.path).substr(1), '/')) {
    if (!absl::StartsWith(part, "{")) continue;
    const std::string name(part.substr(1, part.size() - 2));
    in_path.insert(name);
    const FieldDescriptor* field =
        method->input_type()->FindFieldByName(name.substr(0, name.find('.')));
    if (field != nullptr && field->message_type() != nullptr) {
      field = field->message_type()->FindFieldByName(name.substr(name.find('.') + 1));
    }
    parameters.push_back({{"name", name},
                          {"in", "path"},
                          {"required", true},
                          {"schema", {{"type", "string"}}},
                          {"description", field == nullptr ? "" : CommentOf(*field)}});
  }
  if (route.verb == "GET" || route.verb == "DELETE") {
    AddParameters(*method->input_type(), in_path, schemas, parameters);
  } else {
    const FieldDescriptor* body =
        route.spec.body.empty() ? nullptr : method->input_type()->FindFieldByName(route.spec.body);
    const Descriptor& type = body == nullptr ? *method->input_type() : *body->message_type();
    // A body that is one field leaves the others to the query.
    if (body != nullptr) AddParameters(*method->input_type(), in_path, schemas, parameters);
    operation["requestBody"] = {
        {"content", {{"application/json", {{"schema", schemas.Reference(type)}}}}}};
  }
  if (route.spec.aggregate) {
    parameters.push_back(HeaderParameter(
        "If-None-Match", "ETag of an earlier answer: 304 and no body while nothing changed."));
  }
  if (method->input_type()->FindFieldByName("idempotency_key") != nullptr) {
    parameters.push_back(
        HeaderParameter("Idempotency-Key", "As the body's `idempotencyKey`; not both."));
  }
  if (!route.spec.resume.empty()) {
    parameters.push_back(
        HeaderParameter("Last-Event-ID", "Id of the last event that was seen: goes on behind it."));
  }
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  json::object answer;
  if (method->server_streaming()) {
    schemas.Reference(*method->output_type());
    answer = {{"description",
               absl::StrCat("Server-sent events; `data` is a ", method->output_type()->name(),
                            ". The last event is `end`, with an error or {}.")},
              {"content", {{"text/event-stream", {{"schema", {{"type", "string"}}}}}}}};
  } else {
    answer = {{"description", "Done."},
              {"content",
               {{"application/json", {{"schema", schemas.Reference(*method->output_type())}}}}}};
  }
  operation["responses"] = {{"200", std::move(answer)},
                            {"default", {{"$ref", "#/components/responses/Error"}}}};
  if (route.spec.aggregate) {
    operation["responses"].as_object()["304"] = {{"description", "As If-None-Match has it."}};
  }
  return operation;
}

}  // namespace

std::string OpenApiDocument(const api::MethodTable& table, const std::vector<PlainRoute>& plain) {
  Schemas schemas;
  std::map<std::string, json::object> paths;
  for (const auto& [name, method] : table.all()) {
    paths[method.path][absl::AsciiStrToLower(method.verb)] = Operation(method, schemas);
  }
  for (const PlainRoute& route : plain) {
    json::object operation{
        {"summary", route.summary},
        {"operationId", absl::StrCat(absl::AsciiStrToLower(route.verb),
                                     absl::StrReplaceAll(route.path, {{"/", "_"}, {".", "_"}}))},
        {"tags", json::array{"Service"}},
        {"responses",
         {{absl::StrCat(route.status),
           {{"description", "Done."}, {"content", {{route.content_type, json::object()}}}}},
          {"default", {{"$ref", "#/components/responses/Error"}}}}}};
    if (!route.permission.has_value()) operation["security"] = json::array{};
    for (const auto& [name, description] : route.parameters) {
      json::value& all = operation["parameters"];
      if (all.is_null()) all = json::array{};
      all.as_array().push_back({{"name", name},
                                {"in", "query"},
                                {"schema", {{"type", "string"}}},
                                {"description", description}});
    }
    paths[route.path][absl::AsciiStrToLower(route.verb)] = std::move(operation);
  }
  json::object all_paths;
  for (auto& [path, operations] : paths) all_paths[path] = std::move(operations);
  json::object components{{"schemas", schemas.Take()}};
  components["schemas"].as_object()["Error"] = ErrorSchema();
  components["responses"] = {
      {"Error",
       {{"description", "Not done; `error.status` says why."},
        {"content",
         {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}}}};
  components["securitySchemes"] = SecuritySchemes();
  const json::object document{
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "Plimsoll"},
        {"version", support::kVersion},
        {"description", kDescription},
        {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"servers", json::array{{{"url", "/"}}}},
      {"security", json::array{{{"bearer", json::array{}}}, {{"cookie", json::array{}}}}},
      {"paths", std::move(all_paths)},
      {"components", std::move(components)}};
  return json::serialize(document);
}

}  // namespace plimsoll::rest
