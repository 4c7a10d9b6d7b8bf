// A baseline document as somebody uploads it: read, then used on a host that tells nothing.
// Links: controller/evaluate
#include "absl/strings/str_split.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"
#include "proto/support/utf8.h"
#include "tests/fuzz/invariants.h"

namespace plimsoll::evaluate {
namespace {

void Fuzz(absl::string_view yaml) {
  const auto baseline = LoadBaseline(yaml, "f.yaml");
  if (!baseline.ok()) {
    fuzz::Require(absl::IsInvalidArgument(baseline.status()), "refused for another reason");
    for (const absl::string_view line : absl::StrSplit(baseline.status().message(), '\n')) {
      fuzz::Require(!line.empty() && support::IsPlainUtf8(line), "an error that is no text");
    }
    return;
  }
  fuzz::RequireReadable(*baseline);
  fuzz::Require(BaselineDigest(*baseline) == baseline->digest(), "another digest");
  fuzz::RequireReadable(PlanFor(*baseline));
  const v1::HostReport report = Evaluate({}, *baseline, {});
  fuzz::Require(report.verdicts_size() == baseline->rules_size(), "a rule without a verdict");
  for (const v1::Verdict& verdict : report.verdicts()) {
    fuzz::Require(verdict.status() != v1::Verdict::PASS, "a pass without evidence");
  }
  fuzz::RequireReadable(report);
}

}  // namespace
}  // namespace plimsoll::evaluate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plimsoll::evaluate::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
