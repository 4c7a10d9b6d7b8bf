#include "controller/rest/docs_page.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace plimsoll::rest {
namespace {

namespace json = boost::json;

constexpr char kStyle[] = R"css(
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:64rem;padding:1rem 1.5rem}
code,pre{font:0.9em/1.5 ui-monospace,monospace}
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}summary .say{opacity:.75}
.verb{display:inline-block;min-width:4rem;font-weight:600}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-top:1px solid var(--line)}
td:first-child{white-space:nowrap}.box{overflow-x:auto}p{white-space:pre-line}
)css";

std::string Escape(absl::string_view text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

absl::string_view TextAt(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return "";
  return absl::string_view(value->get_string().data(), value->get_string().size());
}

absl::string_view KeyOf(const json::key_value_pair& pair) {
  return absl::string_view(pair.key().data(), pair.key().size());
}

// "string", "[Host](#Host)", "array of …": what a schema is, as HTML.
std::string TypeOf(const json::value& value) {
  if (!value.is_object()) return "";
  const json::object& schema = value.get_object();
  if (const absl::string_view reference = TextAt(schema, "$ref"); !reference.empty()) {
    const std::string name = Escape(reference.substr(reference.rfind('/') + 1));
    return absl::StrCat("<a href=\"#", name, "\">", name, "</a>");
  }
  if (const json::value* items = schema.if_contains("items")) {
    return absl::StrCat("list of ", TypeOf(*items));
  }
  if (const json::value* values = schema.if_contains("additionalProperties")) {
    return absl::StrCat("map to ", TypeOf(*values));
  }
  if (schema.contains("enum")) return "name";
  const absl::string_view format = TextAt(schema, "format");
  return Escape(!format.empty() ? format : TextAt(schema, "type"));
}

void AddRow(absl::string_view name, const json::object& described, const json::value& schema,
            std::string& out) {
  absl::StrAppend(&out, "<tr><td><code>", Escape(name), "</code></td><td>", TypeOf(schema),
                  "</td><td><p>", Escape(TextAt(described, "description")), "</p></td></tr>");
}

void AddOperation(absl::string_view path, absl::string_view method, const json::object& operation,
                  std::string& out) {
  absl::StrAppend(&out, "<details id=\"", Escape(TextAt(operation, "operationId")),
                  "\"><summary><code><span class=\"verb\">", absl::AsciiStrToUpper(method),
                  "</span> ", Escape(path), "</code> <span class=\"say\">",
                  Escape(TextAt(operation, "summary")), "</span></summary><p>",
                  Escape(TextAt(operation, "description")), "</p>");
  if (const json::value* parameters = operation.if_contains("parameters")) {
    out += "<div class=\"box\"><table>";
    for (const json::value& parameter : parameters->as_array()) {
      const json::object& object = parameter.as_object();
      AddRow(TextAt(object, "name"), object, object.at("schema"), out);
    }
    out += "</table></div>";
  }
  const auto content = [&](const json::value* with, const char* label) {
    if (with == nullptr) return;
    const json::object& media = with->as_object().at("content").as_object();
    const json::value* as_json = media.if_contains("application/json");
    if (as_json == nullptr || !as_json->as_object().contains("schema")) return;
    absl::StrAppend(&out, "<p>", label, TypeOf(as_json->as_object().at("schema")), "</p>");
  };
  content(operation.if_contains("requestBody"), "Body: ");
  content(operation.at("responses").as_object().if_contains("200"), "Answer: ");
  out += "</details>";
}

}  // namespace

HttpResponse DocsPage(const std::string& openapi) {
  const json::value document = json::parse(openapi);
  const json::object& root = document.as_object();
  const json::object& info = root.at("info").as_object();
  std::string out = absl::StrCat(
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>Plimsoll API</title><style>",
      kStyle, "</style><h1>Plimsoll API</h1><p>Version ", Escape(TextAt(info, "version")),
      " · <a href=\"/openapi.json\">openapi.json</a></p><p>", Escape(TextAt(info, "description")),
      "</p><p>Send <code>Authorization: Bearer …</code>.</p><h2>Operations</h2>");
  for (const auto& path : root.at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      AddOperation(KeyOf(path), KeyOf(operation), operation.value().as_object(), out);
    }
  }
  out += "<h2>Schemas</h2>";
  for (const auto& schema : root.at("components").at("schemas").as_object()) {
    const json::object& object = schema.value().as_object();
    const std::string name = Escape(KeyOf(schema));
    absl::StrAppend(&out, "<details id=\"", name, "\"><summary><code>", name,
                    "</code></summary><p>", Escape(TextAt(object, "description")),
                    "</p><div class=\"box\"><table>");
    for (const auto& property : object.at("properties").as_object()) {
      AddRow(KeyOf(property), property.value().as_object(), property.value(), out);
    }
    out += "</table></div></details>";
  }
  HttpResponse response;
  response.content_type = "text/html; charset=utf-8";
  response.body = std::move(out);
  // The page has styles of its own and nothing else.
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'");
  return response;
}

}  // namespace plimsoll::rest
