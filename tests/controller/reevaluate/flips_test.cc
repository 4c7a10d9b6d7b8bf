#include "controller/reevaluate/flips.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace plimsoll::reevaluate {
namespace {

using v1::Verdict;

// A document of the rules "1.1" and "1.2", and a report on it.
struct Case {
  Case() {
    document.set_id("base");
    for (const char* id : {"1.1", "1.2"}) {
      document.add_rules()->set_id(id);
      Verdict& verdict = *report.add_verdicts();
      verdict.set_rule_id(id);
      verdict.set_status(Verdict::PASS);
    }
  }
  void Set(Verdict::Status status, const std::vector<std::string>& objects = {},
           const std::string& waiver = "") {
    Verdict& verdict = *report.mutable_verdicts(0);
    verdict.set_status(status);
    for (const std::string& object : objects) {
      v1::Finding& finding = *verdict.add_findings();
      finding.set_object(object);
      finding.set_status(status);
      finding.set_waiver_id(waiver);
    }
    verdict.set_waived(!waiver.empty());
  }
  Judged judged() const { return {&report, &document}; }
  v1::Baseline document;
  v1::HostReport report;
};

std::string Lines(const std::vector<v1::Flip>& flips) {
  std::string lines;
  for (const v1::Flip& flip : flips) {
    absl::StrAppend(&lines, flip.rule_id(), "/", flip.object(), " ",
                    Verdict::Status_Name(flip.from()), flip.from_waived() ? "w" : "", ">",
                    Verdict::Status_Name(flip.to()), flip.to_waived() ? "w" : "", "; ");
  }
  return lines;
}

TEST(FlipsTest, TellsWhatDiffers) {
  const struct {
    const char* name;
    void (*before)(Case&);
    void (*after)(Case&);
    const char* flips;
  } rows[] = {
      {"nothing", [](Case&) {}, [](Case&) {}, ""},
      {"an object fails", [](Case&) {}, [](Case& c) { c.Set(Verdict::FAIL, {"a"}); },
       "1.1/a PASS>FAIL; "},
      {"one of two is mended",
       [](Case& c) {
         c.Set(Verdict::FAIL, {"a", "b"});
       },
       [](Case& c) { c.Set(Verdict::FAIL, {"b"}); }, "1.1/a FAIL>PASS; "},
      {"switched off", [](Case& c) { c.Set(Verdict::FAIL, {"a"}); },
       [](Case& c) { c.Set(Verdict::NOT_APPLICABLE); }, "1.1/a FAIL>NOT_APPLICABLE; "},
      {"left to a person", [](Case& c) { c.Set(Verdict::FAIL, {"a"}); },
       [](Case& c) { c.Set(Verdict::MANUAL); }, "1.1/a FAIL>MANUAL; "},
      {"waived", [](Case& c) { c.Set(Verdict::FAIL, {"a"}); },
       [](Case& c) { c.Set(Verdict::FAIL, {"a"}, "w-1"); }, "1.1/a FAIL>FAILw; "},
      {"the rule as a whole", [](Case&) {}, [](Case& c) { c.Set(Verdict::UNKNOWN); },
       "1.1/ PASS>UNKNOWN; "},
  };
  for (const auto& row : rows) {
    Case before, after;
    row.before(before);
    row.after(after);
    EXPECT_EQ(Lines(FlipsOf(before.judged(), after.judged())), row.flips) << row.name;
  }
}

TEST(FlipsTest, ADocumentOrARuleThatComesOrGoes) {
  Case one;
  one.Set(Verdict::FAIL, {"a"});
  EXPECT_EQ(Lines(FlipsOf({}, one.judged())),
            "1.1/a NOT_APPLICABLE>FAIL; 1.2/ NOT_APPLICABLE>PASS; ");
  EXPECT_EQ(Lines(FlipsOf(one.judged(), {})),
            "1.1/a FAIL>NOT_APPLICABLE; 1.2/ PASS>NOT_APPLICABLE; ");
}

}  // namespace
}  // namespace plimsoll::reevaluate
