#include "controller/evaluate/yaml_screen.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "proto/support/utf8.h"

namespace plimsoll::evaluate {

void YamlScreen::OnDocumentStart(const YAML::Mark& mark) {
  if (++documents_ <= most_documents_) return;
  Refuse(mark, most_documents_ == 1
                   ? "a second document; expected one"
                   : absl::StrCat("more than ", most_documents_, " documents in one file"));
}

void YamlScreen::OnAlias(const YAML::Mark& mark, YAML::anchor_t) {
  Refuse(mark, "aliases (*name) are not allowed; write the value out");
}

void YamlScreen::Check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
  if (anchor != YAML::NullAnchor) Refuse(mark, "anchors (&name) are not allowed");
  if (!tag.empty() && tag != "?" && tag != "!") Refuse(mark, "tags (!name) are not allowed");
}

void YamlScreen::CheckText(const YAML::Mark& mark, absl::string_view text) {
  if (!support::IsPlainUtf8(absl::StrReplaceAll(text, {{"\n", " "}, {"\t", " "}}))) {
    Refuse(mark, "expected UTF-8 text without control characters");
  }
}

void YamlScreen::Enter(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
  Check(mark, tag, anchor);
  if (++depth_ > kMaxYamlDepth) Refuse(mark, absl::StrCat("nested deeper than ", kMaxYamlDepth));
}

void YamlScreen::Refuse(const YAML::Mark& mark, absl::string_view what) {
  if (!problem_.empty()) return;
  problem_ = std::string(what);
  line_ = mark.line + 1;
}

}  // namespace plimsoll::evaluate
