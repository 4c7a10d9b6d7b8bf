#include "controller/evaluate/checks/glob_list.h"

#include <fnmatch.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace plimsoll::evaluate {
namespace {

constexpr char kUntil[] = " until ";

// The last day of an entry whose " until " stands at `until`; none: it cannot be read.
std::optional<absl::CivilDay> LastDay(absl::string_view entry, size_t until) {
  absl::CivilDay last;
  const absl::string_view day = entry.substr(until + sizeof(kUntil) - 1);
  if (!absl::ParseCivilTime(absl::StripAsciiWhitespace(day), &last)) return std::nullopt;
  return last;
}

// Of every list in `message`, whatever it holds.
void AddLastDays(const google::protobuf::Message& message, std::set<absl::CivilDay>& days) {
  using google::protobuf::FieldDescriptor;
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int size = field->is_repeated() ? reflection.FieldSize(message, field) : 0;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!field->is_repeated()) AddLastDays(reflection.GetMessage(message, field), days);
      for (int i = 0; i < size; ++i) {
        AddLastDays(reflection.GetRepeatedMessage(message, field, i), days);
      }
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      for (int i = 0; i < size; ++i) {
        const std::string entry = reflection.GetRepeatedString(message, field, i);
        const size_t until = entry.rfind(kUntil);
        if (until == std::string::npos) continue;
        if (const auto day = LastDay(entry, until)) days.insert(*day);
      }
    }
  }
}

}  // namespace

GlobList::GlobList(const google::protobuf::RepeatedPtrField<std::string>& entries,
                   absl::Time as_of) {
  for (const std::string& entry : entries) {
    const size_t until = entry.rfind(kUntil);
    if (until == std::string::npos) {
      globs_.push_back(entry.c_str());
    } else if (const auto day = LastDay(entry, until); day.has_value() && as_of < EndOf(*day)) {
      globs_.push_back(trimmed_.emplace_front(entry, 0, until).c_str());
    }
  }
}

bool GlobList::Matches(const std::string& text) const {
  return std::any_of(globs_.begin(), globs_.end(),
                     [&](const char* glob) { return GlobMatches(glob, text); });
}

absl::Time EndOf(absl::CivilDay last_day) {
  return absl::FromCivil(last_day + 1, absl::UTCTimeZone());
}

std::set<absl::CivilDay> LastDaysOf(const v1::Baseline& baseline) {
  std::set<absl::CivilDay> days;
  for (const v1::Rule& rule : baseline.rules()) AddLastDays(rule.check(), days);
  return days;
}

bool GlobMatches(const char* glob, const std::string& text) {
  return fnmatch(glob, text.c_str(), FNM_NOESCAPE) == 0;
}

}  // namespace plimsoll::evaluate
