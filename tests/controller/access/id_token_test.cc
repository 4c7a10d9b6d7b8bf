// Identity tokens: good ones, and every way for one not to be.
#include "controller/access/id_token.h"

#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/controller/access/signing_key.h"

namespace plimsoll::access {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const ExpectedToken kExpected = {"https://id.example", "plimsoll", "n-1"};
constexpr char kClaims[] =
    R"({"iss":"https://id.example","aud":"plimsoll","sub":"s-1","nonce":"n-1",)"
    R"("iat":1699999990,"exp":1700000300,"groups":["a","b"]})";

const SigningKey& RsaKey() {
  static const SigningKey& key = *new SigningKey(SigningKey::Rsa("r"));
  return key;
}
const SigningKey& EcKey() {
  static const SigningKey& key = *new SigningKey(SigningKey::Ec("e"));
  return key;
}
JsonPtr Keys(const std::vector<std::string>& jwks = {RsaKey().Jwk(), EcKey().Jwk()}) {
  return ParseObject(absl::StrCat(R"({"keys":[)", absl::StrJoin(jwks, ","), "]}"));
}
absl::Status Check(const std::string& token, const JsonPtr& keys = Keys()) {
  return VerifyIdToken(token, keys.get(), kExpected, kNow).status();
}
// Claims with `from` replaced.
std::string With(const std::string& from, const std::string& to) {
  std::string claims = kClaims;
  EXPECT_EQ(absl::StrReplaceAll({{from, to}}, &claims), 1) << from;
  return claims;
}

TEST(IdToken, IsTakenWhenEverythingHolds) {
  for (const SigningKey* key : {&RsaKey(), &EcKey()}) {
    const auto claims =
        VerifyIdToken(key->Sign(key->Header(), kClaims), Keys().get(), kExpected, kNow);
    ASSERT_TRUE(claims.ok()) << claims.status();
    EXPECT_EQ(TextAt(claims->get(), "sub"), "s-1");
  }
  // The header need not name the key.
  EXPECT_TRUE(Check(RsaKey().Sign(R"({"alg":"RS256"})", kClaims)).ok());
  for (const std::string& claims :
       {With(R"("aud":"plimsoll")", R"("aud":["plimsoll"])"),
        With(R"("aud":"plimsoll")", R"("aud":["other","plimsoll"],"azp":"plimsoll")"),
        // Within a minute of what is allowed.
        With("1700000300", "1699999941"), With("1699999990", "1700000059"),
        With("1700000300", "1700000300.5")}) {
    EXPECT_TRUE(Check(RsaKey().Sign(RsaKey().Header(), claims)).ok()) << claims;
  }
}

TEST(IdToken, IsRefusedForItsClaims) {
  const struct {
    std::string claims;
    const char* why;
  } cases[] = {
      {With("https://id.example", "https://id.example/"), "another issuer"},
      {With(R"("iss":"https://id.example",)", ""), "another issuer"},
      {With(R"("aud":"plimsoll")", R"("aud":"other")"), "another client"},
      {With(R"("aud":"plimsoll")", R"("aud":[])"), "another client"},
      {With(R"("aud":"plimsoll",)", ""), "another client"},
      {With(R"("aud":"plimsoll")", R"("aud":["other","plimsoll"])"), "made for another"},
      {With(R"("aud":"plimsoll")", R"("aud":"plimsoll","azp":"other")"), "made for another"},
      {With("1700000300", "1699999940"), "expired"},
      {With("1700000300", R"("1700000300")"), "no times"},
      {With(R"("iat":1699999990,)", ""), "no times"},
      {With("1699999990", "1700000061"), "future"},
      {With(R"("iat")", R"("nbf":1700000061,"iat")"), "future"},
      {With("n-1", "n-2"), "not of this sign-in"},
      {With(R"("nonce":"n-1",)", ""), "not of this sign-in"},
      {With("s-1", ""), "names nobody"},
      {With("s-1", std::string(256, 's')), "names nobody"},
      {With(R"("sub":"s-1")", R"("sub":7)"), "names nobody"},
      {With(R"("sub":"s-1")", R"("sub":"s-1","sub":"s-2")"), "not JSON"},
      {"[]", "not JSON"},
      {"", "not JSON"},
  };
  for (const auto& c : cases) {
    const absl::Status status = Check(RsaKey().Sign(RsaKey().Header(), c.claims));
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << c.claims << status;
    EXPECT_TRUE(absl::StrContains(status.message(), c.why)) << c.claims << status;
  }
  // No nonce was given out: none fits.
  EXPECT_FALSE(VerifyIdToken(RsaKey().Sign(RsaKey().Header(), With("n-1", "")), Keys().get(),
                             {"https://id.example", "plimsoll", ""}, kNow)
                   .ok());
}

TEST(IdToken, IsRefusedForItsSignature) {
  const std::string good = RsaKey().Sign(RsaKey().Header(), kClaims);
  std::vector<std::string> parts = absl::StrSplit(good, '.');
  const std::string other = absl::WebSafeBase64Escape(With("s-1", "s-2"));
  const std::string none = absl::WebSafeBase64Escape(R"({"alg":"none"})");
  // Nothing but zeros (CVE-2022-21449).
  const std::string zeros = absl::WebSafeBase64Escape(std::string(64, '\0'));
  const std::string ec_header = absl::WebSafeBase64Escape(EcKey().Header());
  const struct {
    std::string token;
    const char* why;
  } cases[] = {
      {absl::StrCat(parts[0], ".", other, ".", parts[2]), "signature is wrong"},
      {absl::StrCat(parts[0], ".", parts[1], "."), "signature is wrong"},
      {absl::StrCat(parts[0], ".", parts[1], ".", parts[2].substr(0, 100)), "signature is wrong"},
      {absl::StrCat(ec_header, ".", parts[1], ".", zeros), "signature is wrong"},
      {EcKey().Sign(EcKey().Header(), kClaims, true), "signature is wrong"},
      {absl::StrCat(none, ".", parts[1], "."), "algorithm"},
      {RsaKey().Sign(R"({"alg":"None"})", kClaims), "algorithm"},
      {RsaKey().Sign(R"({"alg":"RS1","kid":"r"})", kClaims), "algorithm"},
      {RsaKey().Sign(R"({"kid":"r"})", kClaims), "algorithm"},
      {RsaKey().Sign(R"({"alg":"RS256","crit":["x"],"x":1})", kClaims), "critical"},
      {RsaKey().Sign("[]", kClaims), "header"},
      {absl::StrCat(parts[0], ".", parts[1]), "not a signed JWT"},
      {absl::StrCat(good, ".x.y"), "not a signed JWT"},
      {"", "not a signed JWT"},
      {"a.b.c", "header"},
      {absl::StrCat("\xff\xfe.", parts[1], ".", parts[2]), "header"},
      {absl::StrCat(parts[0], ".\xff\xfe.", parts[2]), "not text"},
      {std::string(100'000, 'a'), "too long"},
  };
  for (const auto& c : cases) {
    const absl::Status status = Check(c.token);
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << c.token.substr(0, 80) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), c.why)) << c.token.substr(0, 80) << status;
  }
}

// A public key is no secret: a token under it as one is worth nothing, whatever the set may hold.
TEST(IdToken, IsNotTakenByHmac) {
  const std::string jwk = RsaKey().Jwk();
  const std::string text = absl::StrCat(absl::WebSafeBase64Escape(R"({"alg":"HS256","kid":"r"})"),
                                        ".", absl::WebSafeBase64Escape(kClaims));
  unsigned char code[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), jwk.data(), static_cast<int>(jwk.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), code, &size);
  const std::string token = absl::StrCat(
      text, ".",
      absl::WebSafeBase64Escape(absl::string_view(reinterpret_cast<const char*>(code), size)));
  const std::string symmetric =
      absl::StrCat(R"({"kid":"r","kty":"oct","k":")", absl::WebSafeBase64Escape(jwk), "\"}");
  for (const JsonPtr& keys : {Keys(), Keys({symmetric})}) {
    const absl::Status status = VerifyIdToken(token, keys.get(), kExpected, kNow).status();
    EXPECT_TRUE(absl::StrContains(status.message(), "algorithm")) << status;
  }
}

TEST(IdToken, NeedsAKeyOfItsOwnKind) {
  const std::string good = RsaKey().Sign(RsaKey().Header(), kClaims);
  const std::string jwk = RsaKey().Jwk();
  const SigningKey same_id = SigningKey::Rsa("r");
  EXPECT_TRUE(absl::IsUnauthenticated(Check(good, Keys({same_id.Jwk()}))));
  EXPECT_TRUE(Check(good, Keys({same_id.Jwk(), jwk})).ok());
  const SigningKey small = SigningKey::Rsa("r", 1024);
  const std::vector<std::string> without[] = {
      {},
      {EcKey().Jwk()},
      {absl::StrReplaceAll(jwk, {{R"("kid":"r")", R"("kid":"q")"}})},
      {absl::StrReplaceAll(jwk, {{R"("use":"sig")", R"("use":"enc")"}})},
      {absl::StrReplaceAll(jwk, {{R"("use":"sig")", R"("alg":"PS256")"}})},
      {small.Jwk()},
      {"7", "null", "[]", "{}"},
  };
  for (const auto& keys : without) {
    EXPECT_TRUE(absl::IsNotFound(Check(good, Keys(keys)))) << absl::StrJoin(keys, ",");
  }
  EXPECT_TRUE(absl::IsNotFound(Check(good, ParseObject(R"({"keys":{}})"))));
  EXPECT_TRUE(absl::IsNotFound(Check(good, ParseObject("{}"))));
  EXPECT_FALSE(Check(small.Sign(small.Header(), kClaims), Keys({small.Jwk()})).ok());
}

}  // namespace
}  // namespace plimsoll::access
