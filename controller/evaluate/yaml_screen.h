// The first look at a YAML document, before any tree is built of it.
#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <string>

#include "absl/strings/string_view.h"

namespace plimsoll::evaluate {

// Deeper documents are refused.
inline constexpr int kMaxYamlDepth = 32;

// Refuses what could make a small document large or ambiguous: anchors, aliases, tags, deep
// nesting, what is no text, more documents than expected. Feed it by
// YAML::Parser::HandleNextDocument, which throws for what is not YAML.
class YamlScreen : public YAML::EventHandler {
 public:
  explicit YamlScreen(int most_documents = 1) : most_documents_(most_documents) {}
  // The first thing refused and its 1-based line. Empty: nothing.
  const std::string& problem() const { return problem_; }
  int line() const { return line_; }

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Check(mark, "", anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    Check(mark, tag, anchor);
    CheckText(mark, text);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Enter(mark, tag, anchor);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Enter(mark, tag, anchor);
  }
  void OnMapEnd() override { --depth_; }

 private:
  void Check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor);
  void CheckText(const YAML::Mark& mark, absl::string_view text);
  void Enter(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor);
  void Refuse(const YAML::Mark& mark, absl::string_view what);

  const int most_documents_;
  std::string problem_;
  int line_ = 0;
  int documents_ = 0;
  int depth_ = 0;
};

}  // namespace plimsoll::evaluate
