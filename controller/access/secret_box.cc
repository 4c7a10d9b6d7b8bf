#include "controller/access/secret_box.h"

#include <sodium.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/key_files.h"

namespace plimsoll::access {
namespace {

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

absl::StatusOr<SecretBox> SecretBox::LoadOrCreate(const std::string& file) {
  if (sodium_init() < 0) return absl::InternalError("libsodium cannot be initialised");
  auto text = support::ReadKeyFile(file, true);
  if (absl::IsNotFound(text.status())) {
    std::string key(crypto_secretbox_KEYBYTES, '\0');
    randombytes_buf(key.data(), key.size());
    const std::string hex = absl::StrCat(absl::BytesToHexString(key), "\n");
    if (auto status = support::WritePrivateFile(file, hex); !status.ok()) return status;
    return SecretBox(std::move(key));
  }
  if (!text.ok()) return text.status();
  const absl::string_view hex = absl::StripAsciiWhitespace(*text);
  const bool is_hex = hex.size() == 2 * crypto_secretbox_KEYBYTES &&
                      hex.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
  if (!is_hex) {
    return absl::FailedPreconditionError(
        absl::StrCat(file,
                     " is not a key of 64 hex digits; restore it from a backup or from "
                     "another controller on the database: it opens the certificate authority and "
                     "the secrets of notification channels"));
  }
  return SecretBox(absl::HexStringToBytes(hex));
}

std::string SecretBox::Seal(absl::string_view plain) const {
  std::string sealed(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + plain.size(), '\0');
  randombytes_buf(sealed.data(), crypto_secretbox_NONCEBYTES);
  crypto_secretbox_easy(Bytes(sealed) + crypto_secretbox_NONCEBYTES, Bytes(plain), plain.size(),
                        Bytes(sealed), Bytes(key_));
  return sealed;
}

absl::StatusOr<std::string> SecretBox::Open(absl::string_view sealed) const {
  constexpr size_t kOverhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
  std::string plain(sealed.size() < kOverhead ? 0 : sealed.size() - kOverhead, '\0');
  const absl::string_view box =
      sealed.substr(std::min<size_t>(sealed.size(), crypto_secretbox_NONCEBYTES));
  if (sealed.size() < kOverhead || crypto_secretbox_open_easy(Bytes(plain), Bytes(box), box.size(),
                                                              Bytes(sealed), Bytes(key_)) != 0) {
    return absl::DataLossError(
        "a stored secret cannot be opened with this controller's pki/secrets.key: restore that "
        "from "
        "a backup or from another controller on the database, or set the secret anew");
  }
  return plain;
}

}  // namespace plimsoll::access
