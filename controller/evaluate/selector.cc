#include "controller/evaluate/selector.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace plimsoll::evaluate {
namespace {

constexpr size_t kMaximumBytes = 4096;
constexpr size_t kMaximumRequirements = 64;
constexpr size_t kMaximumValues = 64;
constexpr size_t kMaximumKeyBytes = 63;
constexpr size_t kShownBytes = 16;

bool IsKeyByte(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' || c == '.' || c == '/' ||
         c == '-';
}

bool IsNameByte(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; }

bool IsValueByte(char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '/' || c == ':' || c == '@' ||
         c == '-';
}

// Reads from the front; every error names where it stands.
class Parser {
 public:
  explicit Parser(absl::string_view text) : text_(text) {}

  absl::StatusOr<Selector> Parse() {
    Selector selector;
    SkipBlanks();
    if (AtEnd()) return selector;
    while (true) {
      if (selector.size() == kMaximumRequirements) {
        return Error(absl::StrCat("more than ", kMaximumRequirements, " requirements"));
      }
      SkipBlanks();
      const size_t begin = at_;
      auto requirement = ParseRequirement();
      if (!requirement.ok()) return requirement.status();
      selector.push_back(*std::move(requirement));
      texts_.push_back(absl::StripTrailingAsciiWhitespace(text_.substr(begin, at_ - begin)));
      SkipBlanks();
      if (AtEnd()) return selector;
      if (!Take(',')) return Expected("\",\" or the end");
    }
  }

  // The requirements as they are written, without the blanks around them. After Parse.
  const std::vector<absl::string_view>& texts() const { return texts_; }

 private:
  bool AtEnd() const { return at_ == text_.size(); }
  char Next() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipBlanks() {
    while (!AtEnd() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("selector, column ", at_ + 1, ": ", what));
  }
  absl::Status Expected(absl::string_view what) const {
    const std::string found =
        AtEnd() ? "the end"
                : absl::StrCat("\"", absl::CHexEscape(text_.substr(at_, kShownBytes)), "\"");
    return Error(absl::StrCat("expected ", what, ", found ", found));
  }

  absl::StatusOr<std::string> ParseKey() {
    const size_t begin = at_;
    while (!AtEnd() && IsKeyByte(text_[at_])) ++at_;
    const size_t size = at_ - begin;
    if (size == 0) return Expected("a label's key of [a-z0-9_./-]");
    if (size > kMaximumKeyBytes) {
      at_ = begin;
      return Error(absl::StrCat("a key has at most ", kMaximumKeyBytes, " bytes"));
    }
    return std::string(text_.substr(begin, size));
  }

  absl::StatusOr<std::string> ParseValue() {
    std::string value;
    if (!Take('"')) {
      while (!AtEnd() && IsValueByte(text_[at_])) value += text_[at_++];
      if (value.empty()) return Expected("a value of [A-Za-z0-9_./:@-], or one in double quotes");
      return value;
    }
    while (!Take('"')) {
      if (Take('\\') && Next() != '"' && Next() != '\\') return Expected("\\\" or \\\\");
      if (AtEnd()) return Expected("a closing \"");
      value += text_[at_++];
    }
    return value;
  }

  absl::StatusOr<std::vector<std::string>> ParseList() {
    std::vector<std::string> values;
    SkipBlanks();
    if (!Take('(')) return Expected("\"(\"");
    do {
      if (values.size() == kMaximumValues) {
        return Error(absl::StrCat("more than ", kMaximumValues, " values"));
      }
      SkipBlanks();
      auto value = ParseValue();
      if (!value.ok()) return value.status();
      values.push_back(*std::move(value));
      SkipBlanks();
    } while (Take(','));
    if (!Take(')')) return Expected("\",\" or \")\"");
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
  }

  absl::StatusOr<Requirement> ParseRequirement() {
    using Kind = Requirement::Kind;
    Requirement requirement;
    SkipBlanks();
    if (Take('@')) {
      requirement.kind = Kind::kSaved;
      while (!AtEnd() && IsNameByte(text_[at_])) requirement.key += text_[at_++];
      if (requirement.key.empty()) return Expected("the name of a saved selector, of [a-z0-9-]");
      return requirement;
    }
    const bool negated = Take('!');
    SkipBlanks();
    auto key = ParseKey();
    if (!key.ok()) return key.status();
    requirement.key = *std::move(key);
    SkipBlanks();
    if (negated || AtEnd() || Next() == ',') {
      requirement.kind = negated ? Kind::kNotExists : Kind::kExists;
      return requirement;
    }
    if (Next() == '=' || Next() == '!') {
      requirement.kind = Take('!') ? Kind::kNotIn : Kind::kIn;
      if (!Take('=')) return Expected("\"=\"");
      if (requirement.kind == Kind::kIn) Take('=');
      SkipBlanks();
      auto value = ParseValue();
      if (!value.ok()) return value.status();
      requirement.values.push_back(*std::move(value));
      return requirement;
    }
    const size_t begin = at_;
    while (!AtEnd() && absl::ascii_isalpha(text_[at_])) ++at_;
    const absl::string_view word = text_.substr(begin, at_ - begin);
    if (word != "in" && word != "notin") {
      at_ = begin;
      return Expected("\"=\", \"!=\", \"in (...)\", \"notin (...)\" or \",\"");
    }
    requirement.kind = word == "in" ? Kind::kIn : Kind::kNotIn;
    auto values = ParseList();
    if (!values.ok()) return values.status();
    requirement.values = *std::move(values);
    return requirement;
  }

  const absl::string_view text_;
  size_t at_ = 0;
  std::vector<absl::string_view> texts_;
};

absl::Status CheckSize(absl::string_view text) {
  if (text.size() <= kMaximumBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("selector, column ", kMaximumBytes + 1,
                                                 ": longer than ", kMaximumBytes, " bytes"));
}

}  // namespace

absl::StatusOr<Selector> ParseSelector(absl::string_view text) {
  if (auto status = CheckSize(text); !status.ok()) return status;
  return Parser(text).Parse();
}

absl::StatusOr<Selector> SelectorOf(const std::map<std::string, std::string>& labels,
                                    absl::string_view expression) {
  if (labels.size() > kMaximumRequirements) {
    return absl::InvalidArgumentError(
        absl::StrCat("labels: more than ", kMaximumRequirements, " of them"));
  }
  auto selector = ParseSelector(expression);
  if (!selector.ok()) return selector.status();
  for (const auto& [key, value] : labels) {
    selector->push_back({key, Requirement::Kind::kIn, {value}});
  }
  return selector;
}

absl::Status Expand(const SavedSelectors& saved, Selector& selector) {
  Selector expanded;
  for (const Requirement& requirement : selector) {
    if (requirement.kind != Requirement::Kind::kSaved) {
      expanded.push_back(requirement);
      continue;
    }
    const auto found = saved.find(requirement.key);
    if (found == saved.end()) {
      return absl::InvalidArgumentError(absl::StrCat("selector: no saved selector \"",
                                                     requirement.key.substr(0, kMaximumKeyBytes),
                                                     "\"; `plimsoll selector list` lists them"));
    }
    expanded.insert(expanded.end(), found->second.begin(), found->second.end());
    if (expanded.size() > kMaximumRequirements * 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("selector: with its saved selectors more than ", kMaximumRequirements * 2,
                       " requirements"));
    }
  }
  selector = std::move(expanded);
  return absl::OkStatus();
}

absl::StatusOr<Selector> SelectorOf(const std::map<std::string, std::string>& labels,
                                    absl::string_view expression, const SavedSelectors& saved) {
  auto selector = SelectorOf(labels, expression);
  if (!selector.ok()) return selector.status();
  if (auto status = Expand(saved, *selector); !status.ok()) return status;
  return selector;
}

absl::StatusOr<std::string> WriteOut(absl::string_view text,
                                     const std::map<std::string, std::string>& saved) {
  if (auto status = CheckSize(text); !status.ok()) return status;
  Parser parser(text);
  const auto selector = parser.Parse();
  if (!selector.ok()) return selector.status();
  std::vector<absl::string_view> parts = parser.texts();
  for (size_t i = 0; i < parts.size(); ++i) {
    if ((*selector)[i].kind != Requirement::Kind::kSaved) continue;
    const auto found = saved.find((*selector)[i].key);
    if (found != saved.end()) parts[i] = found->second;
  }
  std::string written_out = absl::StrJoin(parts, ",");
  // Each of them parses; together they may be too much.
  if (const absl::Status status = ParseSelector(written_out).status(); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("selector: with what its saved selectors require: ", status.message(),
                     "; save those first"));
  }
  return written_out;
}

bool Names(const Selector& selector, absl::string_view saved) {
  return std::any_of(selector.begin(), selector.end(), [saved](const Requirement& requirement) {
    return requirement.kind == Requirement::Kind::kSaved && requirement.key == saved;
  });
}

bool Matches(const Selector& selector, const std::map<std::string, std::string>& labels) {
  using Kind = Requirement::Kind;
  for (const Requirement& requirement : selector) {
    if (requirement.kind == Kind::kSaved) return false;
    const auto label = labels.find(requirement.key);
    const bool has = label != labels.end();
    const bool among = has && std::binary_search(requirement.values.begin(),
                                                 requirement.values.end(), label->second);
    const bool holds = requirement.kind == Kind::kIn       ? among
                       : requirement.kind == Kind::kNotIn  ? !among
                       : requirement.kind == Kind::kExists ? has
                                                           : !has;
    if (!holds) return false;
  }
  return true;
}

}  // namespace plimsoll::evaluate
