// Secrets that the controller must use again, as the database keeps them: encrypted by a key that
// it does not hold.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::access {

// Authenticated encryption (libsodium secretbox, XSalsa20-Poly1305). Immutable; thread-safe.
class SecretBox {
 public:
  // Loads the key of 32 bytes from `file`, or makes it (0600). Controllers of one database share
  // it, as they share the authority's key. FAILED_PRECONDITION: the file is no such key, or others
  // may read it.
  static absl::StatusOr<SecretBox> LoadOrCreate(const std::string& file);

  std::string Seal(absl::string_view plain) const;
  // DATA_LOSS: damaged, or sealed by another key; says what to do.
  absl::StatusOr<std::string> Open(absl::string_view sealed) const;

 private:
  explicit SecretBox(std::string key) : key_(std::move(key)) {}
  std::string key_;
};

}  // namespace plimsoll::access
