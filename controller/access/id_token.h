// Identity tokens of OpenID Connect: what a provider signs about who somebody is.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/access/json.h"

namespace plimsoll::access {

// What must stand in a token for it to be meant for us, now.
struct ExpectedToken {
  std::string issuer;
  std::string client_id;
  std::string nonce;
};

// The claims of `token`, a signed JWT, once everything about it holds: its signature by one of the
// RSA or EC keys of `keys` (a JWK set), by RS, PS or ES 256, 384 or 512 and nothing else; issuer;
// audience, and authorised party when it names one or several audiences; not expired and not from
// the future, give or take a minute; nonce; a subject. NOT_FOUND: `keys` has none for it; there may
// be newer ones. UNAUTHENTICATED otherwise; says what does not hold. `token` is hostile. Pure.
absl::StatusOr<JsonPtr> VerifyIdToken(absl::string_view token, const json_t* keys,
                                      const ExpectedToken& expected, absl::Time now);

}  // namespace plimsoll::access
