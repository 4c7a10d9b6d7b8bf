#include "controller/access/tokens.h"

#include <sodium.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::access {
namespace {
constexpr size_t kSecretBytes = 32;
}

std::string NewSecret(absl::string_view prefix) {
  unsigned char random[kSecretBytes];
  randombytes_buf(random, sizeof random);
  std::string text = absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(random), sizeof random));
  sodium_memzero(random, sizeof random);
  return absl::StrCat(prefix, text);
}

std::string HashSecret(absl::string_view secret) {
  unsigned char hash[crypto_generichash_BYTES];
  crypto_generichash(hash, sizeof hash, reinterpret_cast<const unsigned char*>(secret.data()),
                     secret.size(), nullptr, 0);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(hash), sizeof hash));
}

}  // namespace plimsoll::access
