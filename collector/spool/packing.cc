#include "collector/spool/packing.h"

#include <zstd.h>

namespace plimsoll::spool {
namespace {
constexpr unsigned long long kMaximumSize = 256u << 20;
constexpr int kLevel = 1;
}  // namespace

std::string Pack(const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size =
      ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), kLevel);
  packed.resize(ZSTD_isError(size) ? 0 : size);
  packed.shrink_to_fit();
  return packed;
}

bool Unpack(absl::string_view payload, google::protobuf::MessageLite& message) {
  const unsigned long long size = ZSTD_getFrameContentSize(payload.data(), payload.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaximumSize) {
    return false;
  }
  std::string bytes(size, '\0');
  const size_t got = ZSTD_decompress(bytes.data(), bytes.size(), payload.data(), payload.size());
  return !ZSTD_isError(got) && got == size && message.ParseFromString(bytes);
}

}  // namespace plimsoll::spool
