// Label selectors: whatever the text, the answer is a bounded selector or an error that can be
// shown.
// Links: controller/policy
#include <cstdlib>
#include <string>

#include "controller/fleet/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto selector = plimsoll::fleet::ParseSelector(text);
  if (!selector.ok()) {
    if (!absl::IsInvalidArgument(selector.status())) std::abort();
    return 0;
  }
  if (selector->size() > 64) std::abort();
  (void)plimsoll::fleet::Matches(*selector, {});
  (void)plimsoll::fleet::Matches(*selector, {{"env", "prod"}, {"team", ""}});
  return 0;
}
