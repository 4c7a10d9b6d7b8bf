#include "controller/access/id_token.h"

extern "C" {
#include <jose/jws.h>
}

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::access {
namespace {

constexpr size_t kLongestToken = 64 << 10;
constexpr size_t kLongestSubject = 255;
// Of one token, tried at most.
constexpr size_t kMostKeys = 10;
constexpr size_t kLeastRsaBytes = 2048 / 8;
constexpr absl::Duration kSkew = absl::Minutes(1);

// A signature algorithm that is taken, with the kind of key that belongs to it. What is not here
// (none, and HS256 with a public key for its secret) is refused before any key is looked at.
struct Algorithm {
  const char* name;
  const char* key_type;
  // Of EC.
  const char* curve;
};
constexpr Algorithm kAlgorithms[] = {
    {"RS256", "RSA", ""},     {"RS384", "RSA", ""},     {"RS512", "RSA", ""},
    {"PS256", "RSA", ""},     {"PS384", "RSA", ""},     {"PS512", "RSA", ""},
    {"ES256", "EC", "P-256"}, {"ES384", "EC", "P-384"}, {"ES512", "EC", "P-521"},
};

absl::Status Refuse(absl::string_view why) {
  return absl::UnauthenticatedError(absl::StrCat("the identity token is not valid: ", why));
}

JsonPtr DecodeObject(absl::string_view part) {
  std::string text;
  if (!absl::WebSafeBase64Unescape(part, &text)) return nullptr;
  return ParseObject(text);
}

// The members of a JWK that a signature needs, and no others: not what the key says of its use.
// Null: it is no key for `algorithm` and `key_id` (empty: any).
JsonPtr PublicKey(const json_t* jwk, const Algorithm& algorithm, const std::string& key_id) {
  const std::string use = TextAt(jwk, "use");
  const std::string meant_for = TextAt(jwk, "alg");
  if (TextAt(jwk, "kty") != algorithm.key_type || (!use.empty() && use != "sig") ||
      (!meant_for.empty() && meant_for != algorithm.name) ||
      (!key_id.empty() && TextAt(jwk, "kid") != key_id)) {
    return nullptr;
  }
  JsonPtr key(json_pack("{s:s, s:s}", "kty", algorithm.key_type, "alg", algorithm.name));
  const bool rsa = algorithm.curve[0] == '\0';
  if (rsa) {
    std::string modulus;
    if (!absl::WebSafeBase64Unescape(TextAt(jwk, "n"), &modulus) ||
        modulus.size() < kLeastRsaBytes) {
      return nullptr;
    }
  } else if (TextAt(jwk, "crv") != algorithm.curve) {
    return nullptr;
  }
  for (const char* member : rsa ? std::vector{"n", "e"} : std::vector{"crv", "x", "y"}) {
    json_object_set_new(key.get(), member, json_string(TextAt(jwk, member).c_str()));
  }
  return key;
}

// libjose tells its troubles to standard error otherwise.
void Silent(void*, const char*, int, uint64_t, const char*, va_list) {}

struct FreeConfig {
  void operator()(jose_cfg_t* config) const { jose_cfg_decref(config); }
};

// NOT_FOUND: no key for it.
absl::Status CheckSignature(const std::vector<absl::string_view>& parts, const json_t* keys) {
  const JsonPtr header = DecodeObject(parts[0]);
  if (header == nullptr) return Refuse("its header is not JSON");
  const std::string name = TextAt(header.get(), "alg");
  const auto* algorithm =
      std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                   [&name](const Algorithm& each) { return name == each.name; });
  if (algorithm == std::end(kAlgorithms)) return Refuse("its algorithm is not taken here");
  // What must be understood and is not.
  if (json_object_get(header.get(), "crit") != nullptr) return Refuse("it has critical extensions");
  const std::string key_id = TextAt(header.get(), "kid");
  const JsonPtr jws(json_pack("{s:s%, s:s%, s:s%}", "protected", parts[0].data(), parts[0].size(),
                              "payload", parts[1].data(), parts[1].size(), "signature",
                              parts[2].data(), parts[2].size()));
  if (jws == nullptr) return Refuse("it is not text");
  const std::unique_ptr<jose_cfg_t, FreeConfig> config(jose_cfg());
  jose_cfg_set_err_func(config.get(), Silent, nullptr);
  size_t tried = 0;
  size_t index = 0;
  const json_t* jwk = nullptr;
  json_array_foreach(json_object_get(keys, "keys"), index, jwk) {
    const JsonPtr key = PublicKey(jwk, *algorithm, key_id);
    if (key == nullptr) continue;
    if (jose_jws_ver(config.get(), jws.get(), nullptr, key.get(), false)) return absl::OkStatus();
    if (++tried == kMostKeys) break;
  }
  if (tried == 0) return absl::NotFoundError("the identity provider has no key for this token");
  return Refuse("its signature is wrong");
}

// Whether the audience is us, alone or among others.
bool MeantFor(const json_t* audience, const std::string& client_id) {
  if (json_is_string(audience)) return client_id == json_string_value(audience);
  size_t index = 0;
  const json_t* each = nullptr;
  json_array_foreach(audience, index, each) {
    if (json_is_string(each) && client_id == json_string_value(each)) return true;
  }
  return false;
}

absl::Status CheckTimes(const json_t* claims, absl::Time now) {
  const json_t* expires = json_object_get(claims, "exp");
  const json_t* issued = json_object_get(claims, "iat");
  const json_t* begins = json_object_get(claims, "nbf");
  if (!json_is_number(expires) || !json_is_number(issued)) return Refuse("it has no times");
  const double latest = absl::ToDoubleSeconds(now + kSkew - absl::UnixEpoch());
  const double earliest = absl::ToDoubleSeconds(now - kSkew - absl::UnixEpoch());
  if (json_number_value(expires) <= earliest) return Refuse("it has expired");
  if (json_number_value(issued) > latest ||
      (json_is_number(begins) && json_number_value(begins) > latest)) {
    return Refuse("it is from the future; do the clocks differ?");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonPtr> VerifyIdToken(absl::string_view token, const json_t* keys,
                                      const ExpectedToken& expected, absl::Time now) {
  if (token.size() > kLongestToken) return Refuse("it is too long");
  const std::vector<absl::string_view> parts = absl::StrSplit(token, '.');
  if (parts.size() != 3) return Refuse("it is not a signed JWT");
  if (auto status = CheckSignature(parts, keys); !status.ok()) return status;
  JsonPtr claims = DecodeObject(parts[1]);
  if (claims == nullptr) return Refuse("its claims are not JSON");
  if (TextAt(claims.get(), "iss") != expected.issuer) return Refuse("it is of another issuer");
  const json_t* audience = json_object_get(claims.get(), "aud");
  if (!MeantFor(audience, expected.client_id)) return Refuse("it is for another client");
  const json_t* party = json_object_get(claims.get(), "azp");
  if ((party != nullptr || json_array_size(audience) > 1) &&
      TextAt(claims.get(), "azp") != expected.client_id) {
    return Refuse("it was made for another client");
  }
  if (auto status = CheckTimes(claims.get(), now); !status.ok()) return status;
  if (expected.nonce.empty() || TextAt(claims.get(), "nonce") != expected.nonce) {
    return Refuse("it is not of this sign-in");
  }
  const std::string subject = TextAt(claims.get(), "sub");
  if (subject.empty() || subject.size() > kLongestSubject) return Refuse("it names nobody");
  return claims;
}

}  // namespace plimsoll::access
