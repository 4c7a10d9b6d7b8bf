// Keys that sign identity tokens, by OpenSSL alone: what checks them is another library.
#pragma once

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::access {

class SigningKey {
 public:
  static SigningKey Rsa(std::string id, int bits = 2048) {
    return SigningKey(EVP_RSA_gen(bits), std::move(id), true);
  }
  static SigningKey Ec(std::string id) {
    return SigningKey(EVP_EC_gen("P-256"), std::move(id), false);
  }

  // The public key, as a member of a JWK set.
  std::string Jwk() const {
    const std::string common =
        absl::StrCat(R"({"kid":")", id_, R"(","use":"sig","kty":")", rsa_ ? "RSA" : "EC", "\",");
    if (rsa_) {
      return absl::StrCat(common, R"("n":")", Number(OSSL_PKEY_PARAM_RSA_N, 0), R"(","e":")",
                          Number(OSSL_PKEY_PARAM_RSA_E, 0), "\"}");
    }
    return absl::StrCat(common, R"("crv":"P-256","x":")", Number(OSSL_PKEY_PARAM_EC_PUB_X, 32),
                        R"(","y":")", Number(OSSL_PKEY_PARAM_EC_PUB_Y, 32), "\"}");
  }

  // A token with this header and these claims, signed by RS256 or ES256 whatever the header says.
  // `der`: an ES256 signature in the form of certificates, which is not that of JWTs.
  std::string Sign(const std::string& header, const std::string& claims, bool der = false) const {
    const std::string text =
        absl::StrCat(absl::WebSafeBase64Escape(header), ".", absl::WebSafeBase64Escape(claims));
    std::unique_ptr<EVP_MD_CTX, support::OpensslFree<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get());
    std::vector<unsigned char> signature(1024);
    size_t size = signature.size();
    EVP_DigestSign(context.get(), signature.data(), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    const std::string raw(reinterpret_cast<const char*>(signature.data()), size);
    return absl::StrCat(text, ".", absl::WebSafeBase64Escape(rsa_ || der ? raw : Flat(raw)));
  }
  // What this key's tokens usually have.
  std::string Header() const {
    return absl::StrCat(R"({"alg":")", rsa_ ? "RS256" : "ES256", R"(","kid":")", id_, "\"}");
  }

 private:
  SigningKey(EVP_PKEY* key, std::string id, bool rsa) : key_(key), id_(std::move(id)), rsa_(rsa) {}

  std::string Number(const char* name, int width) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &number);
    const support::BignumPtr owned(number);
    std::string bytes(width > 0 ? width : BN_num_bytes(number), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                 static_cast<int>(bytes.size()));
    return absl::WebSafeBase64Escape(bytes);
  }
  // DER's two numbers, 32 bytes each.
  static std::string Flat(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    std::unique_ptr<ECDSA_SIG, support::OpensslFree<ECDSA_SIG_free>> signature(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    std::string flat(64, '\0');
    auto* to = reinterpret_cast<unsigned char*>(flat.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), to, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), to + 32, 32);
    return flat;
  }

  support::KeyPtr key_;
  std::string id_;
  bool rsa_;
};

}  // namespace plimsoll::access
