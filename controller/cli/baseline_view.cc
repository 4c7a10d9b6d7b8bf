#include "controller/cli/baseline_view.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "plimsoll/v1/check_options.pb.h"

namespace plimsoll::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

std::string Value(const Message& message, const FieldDescriptor* field) {
  std::string value;
  if (field->is_map())
    return absl::StrCat(message.GetReflection()->FieldSize(message, field), " entries");
  if (field->has_presence() && !message.GetReflection()->HasField(message, field)) return "-";
  if (!field->is_repeated()) {
    TextFormat::PrintFieldValueToString(message, field, -1, &value);
    return value;
  }
  std::vector<std::string> values;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
    TextFormat::PrintFieldValueToString(message, field, i, &value);
    values.push_back(value);
  }
  return absl::StrCat("[", absl::StrJoin(values, ", "), "]");
}

// Arguments of a check: what it is about, then its parameters, nested messages in line.
void PrintArguments(const Message& arguments, Table& table) {
  const auto* descriptor = arguments.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated()) {
      PrintArguments(arguments.GetReflection()->GetMessage(arguments, field), table);
      continue;
    }
    const auto& options = field->options().GetExtension(v1::parameter);
    const bool tunable = field->options().HasExtension(v1::parameter);
    const std::string value = Value(arguments, field);
    if (!tunable && (value == "\"\"" || value == "[]" || value == "-")) continue;
    table.Row(
        {absl::StrCat("  ", field->name()), Printable(value, 200), tunable ? options.help() : ""});
  }
}

void PrintText(const char* title, const std::string& text, const Terminal& terminal,
               std::ostream& out) {
  if (text.empty()) return;
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) lines.push_back(Printable(line, 8192));
  out << "\n"
      << terminal.Paint(title, Style::kBold) << "\n"
      << Wrap(absl::StrJoin(lines, "\n"), terminal.width(), "  ");
}

}  // namespace

void PrintRules(const v1::Baseline& baseline, const Terminal& terminal, std::ostream& out) {
  out << terminal.Paint(Printable(baseline.title(), 200), Style::kBold) << " (" << baseline.id()
      << " " << Printable(baseline.version(), 64) << ", " << baseline.rules_size() << " rules)\n";
  Table table({"RULE", "SEVERITY", "SCOPE", "SLUG", "TITLE"});
  for (const v1::Rule& rule : baseline.rules()) {
    table.Row({rule.id(), PaintSeverity(terminal, rule.severity()),
               absl::AsciiStrToLower(v1::Scope_Name(rule.scope())), rule.slug(),
               Printable(rule.title(), 120)});
  }
  table.Print(terminal, out);
}

void PrintRule(const v1::Rule& rule, const Terminal& terminal, std::ostream& out) {
  out << terminal.Paint(absl::StrCat(rule.id(), "  ", Printable(rule.title(), 200)), Style::kBold)
      << "\n"
      << "  " << rule.slug() << ", " << SeverityName(rule.severity()) << ", "
      << absl::AsciiStrToLower(v1::Scope_Name(rule.scope()));
  if (!rule.scored()) out << ", not scored";
  if (!rule.alias_of().empty()) out << ", same as " << rule.alias_of();
  out << "\n";
  PrintText("Description", rule.description(), terminal, out);
  PrintText("Rationale", rule.rationale(), terminal, out);
  PrintText("Remediation", rule.remediation(), terminal, out);
  if (!rule.references().empty()) {
    out << "\n" << terminal.Paint("References", Style::kBold) << "\n";
    for (const v1::Reference& reference : rule.references()) {
      out << "  " << Printable(reference.document(), 200) << " " << Printable(reference.id(), 64)
          << "\n";
    }
  }
  const auto* kind =
      rule.check().GetDescriptor()->FindFieldByNumber(static_cast<int>(rule.check().kind_case()));
  if (kind == nullptr) return;
  out << "\n" << terminal.Paint("Check", Style::kBold) << "\n";
  Table table({absl::StrCat("  ", kind->name()), "VALUE", ""});
  PrintArguments(rule.check().GetReflection()->GetMessage(rule.check(), kind), table);
  table.Print(terminal, out);
}

}  // namespace plimsoll::cli
