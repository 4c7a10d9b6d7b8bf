// Label selectors: whatever the text, the answer is a bounded selector or an error that can be
// shown.
// Links: controller/policy
#include <string>

#include "controller/fleet/selector.h"
#include "proto/support/utf8.h"
#include "tests/fuzz/invariants.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto selector = plimsoll::fleet::ParseSelector(text);
  if (!selector.ok()) {
    plimsoll::fuzz::Require(absl::IsInvalidArgument(selector.status()), "the error's code");
    plimsoll::fuzz::Require(plimsoll::support::IsPlainUtf8(selector.status().message()),
                            "an error that cannot be shown");
    return 0;
  }
  plimsoll::fuzz::Require(selector->size() <= 64, "a selector without bounds");
  (void)plimsoll::fleet::Matches(*selector, {});
  (void)plimsoll::fleet::Matches(*selector, {{"env", "prod"}, {"team", ""}});
  return 0;
}
