// Owning handles for OpenSSL objects, and its error queue as text.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace plimsoll::support {

template <auto Free>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using BignumPtr = std::unique_ptr<BIGNUM, OpensslFree<BN_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, OpensslFree<X509_REQ_free>>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509_free>>;

// The oldest error of this thread's queue as text; empties the queue. "unknown error" when there is
// none.
inline std::string OpensslError() {
  char text[256] = "unknown error";
  if (const unsigned long code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

// A read-only memory BIO over `bytes`, which must outlive it.
inline BioPtr ReadBio(absl::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// A private key, PEM; null: none, or one with a password, which is never asked for.
inline KeyPtr ReadPrivateKey(absl::string_view pem) {
  // Without a callback OpenSSL asks the terminal, and waits.
  return KeyPtr(PEM_read_bio_PrivateKey(
      ReadBio(pem).get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
}

// What was written to a memory BIO.
inline std::string BioText(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

}  // namespace plimsoll::support
