// Page tokens: what is taken for one of ours comes back as it was.
// Links: controller/api
#include <cstdlib>
#include <string>

#include "controller/api/paging.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using plimsoll::api::DecodePageToken;
  using plimsoll::api::EncodePageToken;
  if (size == 0) return 0;
  const size_t parts = 1 + data[0] % 4;
  const std::string token(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto decoded = DecodePageToken(token, parts);
  if (!decoded.ok()) return 0;
  if (decoded->size() != parts) std::abort();
  const auto again = DecodePageToken(EncodePageToken(*decoded), parts);
  if (!again.ok() || *again != *decoded) std::abort();
  return 0;
}
