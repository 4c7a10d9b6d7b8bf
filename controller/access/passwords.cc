#include "controller/access/passwords.h"

#include <sodium.h>
#include <spdlog/spdlog.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/utf8.h"

namespace plimsoll::access {
namespace {

constexpr int kMostRunning = 2;
constexpr int kMostWaiting = 2;
// No 0, 1, i, l, o: they are mistaken for each other.
constexpr absl::string_view kAlphabet = "23456789abcdefghjkmnpqrstuvwxyz";
constexpr int kGroups = 5;
constexpr int kGroupLength = 5;

absl::Status Busy() {
  return absl::ResourceExhaustedError("too many sign-ins at once; try again in a second");
}

}  // namespace

absl::Status CheckPassword(absl::string_view field, absl::string_view name,
                           absl::string_view password) {
  if (password.size() < kShortestPassword || password.size() > kLongestPassword) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": expected ", kShortestPassword, " to ", kLongestPassword, " bytes"));
  }
  if (!support::IsPlainUtf8(password)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": expected UTF-8 text without control characters"));
  }
  if (absl::EqualsIgnoreCase(password, name)) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": must not be the user's name"));
  }
  return absl::OkStatus();
}

std::string OneTimePassword() {
  std::string password;
  for (int i = 0; i < kGroups * kGroupLength; ++i) {
    if (i > 0 && i % kGroupLength == 0) password += '-';
    password += kAlphabet[randombytes_uniform(31)];
  }
  return password;
}

// One computation's place among those that may run.
class PasswordHasher::Turn {
 public:
  explicit Turn(PasswordHasher& hasher) : hasher_(hasher) {
    absl::MutexLock lock(&hasher_.mutex_);
    if (hasher_.waiting_ >= kMostWaiting) return;
    ++hasher_.waiting_;
    hasher_.mutex_.Await(absl::Condition(
        +[](int* running) { return *running < kMostRunning; }, &hasher_.running_));
    --hasher_.waiting_;
    ++hasher_.running_;
    taken_ = true;
  }
  ~Turn() {
    if (!taken_) return;
    absl::MutexLock lock(&hasher_.mutex_);
    --hasher_.running_;
  }
  Turn(const Turn&) = delete;
  bool taken() const { return taken_; }

 private:
  PasswordHasher& hasher_;
  bool taken_ = false;
};

PasswordHasher::PasswordHasher(PasswordCost cost)
    : operations_(cost == PasswordCost::kLeast ? crypto_pwhash_OPSLIMIT_MIN
                                               : crypto_pwhash_OPSLIMIT_INTERACTIVE),
      memory_(cost == PasswordCost::kLeast ? crypto_pwhash_MEMLIMIT_MIN
                                           : crypto_pwhash_MEMLIMIT_INTERACTIVE) {
  // Chooses the fastest implementation; safe to call again. Without it the slow one is used.
  if (sodium_init() < 0) spdlog::warn("libsodium does not start as it should");
  nobody_ = Hash(OneTimePassword()).value_or("");
}

absl::StatusOr<std::string> PasswordHasher::Hash(absl::string_view password) {
  const Turn turn(*this);
  if (!turn.taken()) return Busy();
  char hash[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_str(hash, password.data(), password.size(), operations_, memory_) != 0) {
    return absl::ResourceExhaustedError("no memory to hash a password; try again");
  }
  return std::string(hash);
}

absl::StatusOr<bool> PasswordHasher::Verify(absl::string_view hash, absl::string_view password) {
  const Turn turn(*this);
  if (!turn.taken()) return Busy();
  const std::string against(hash.empty() ? nobody_ : hash);
  const bool fits =
      crypto_pwhash_str_verify(against.c_str(), password.data(), password.size()) == 0;
  return fits && !hash.empty();
}

}  // namespace plimsoll::access
