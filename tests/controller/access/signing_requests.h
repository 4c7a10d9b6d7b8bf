// Certificate signing requests, good and bad.
#pragma once

#include <openssl/x509v3.h>

#include <cstdlib>
#include <string>

#include "proto/support/openssl_handles.h"

namespace plimsoll::access {

inline support::KeyPtr NewEcKey() { return support::KeyPtr(EVP_EC_gen("P-256")); }

// A request (PKCS#10, DER) for `key` signed by `signer`, with the subject "CN=evil" and a subject
// alternative name of its own: nothing of both may get into a certificate.
inline std::string RequestFor(EVP_PKEY* key, EVP_PKEY* signer) {
  support::RequestPtr request(X509_REQ_new());
  X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("evil"), -1, -1, 0);
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(extensions, X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                                                         "URI:plimsoll://host/evil,DNS:evil"));
  sk_X509_EXTENSION_push(extensions,
                         X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "CA:TRUE"));
  X509_REQ_add_extensions(request.get(), extensions);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  X509_REQ_set_pubkey(request.get(), key);
  if (X509_REQ_sign(request.get(), signer, EVP_sha256()) == 0) std::abort();
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

inline std::string GoodRequest() {
  const support::KeyPtr key = NewEcKey();
  return RequestFor(key.get(), key.get());
}

}  // namespace plimsoll::access
