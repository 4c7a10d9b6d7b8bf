// An identity provider that speaks OpenID Connect: authorization code with PKCE.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/access/json.h"
#include "controller/access/oidc_options.h"
#include "controller/access/web_fetch.h"
#include "proto/support/clock.h"

namespace plimsoll::access {

// Who somebody is, as the provider vouches for. All of it is the provider's text.
struct ExternalPerson {
  // Never given to another; 1 to 255 bytes.
  std::string subject;
  // preferred_username, else email; empty: neither is known.
  std::string name;
  std::vector<std::string> groups;
};

// What one sign-in is recognised by; each 256 random bits in base64url.
struct SignInSecrets {
  std::string state;
  std::string nonce;
  std::string verifier;
};

// Thread-safe. The provider's description is kept for an hour, and so are its keys; a token under a
// key that is not among them has them read again, at most once a minute. At most three threads talk
// to the provider at a time, and a provider that did not answer is not asked for its description
// again for five seconds, so that strangers cannot occupy every thread of the API.
class OidcProvider {
 public:
  // `options` are good (CheckOidcOptions). Borrows `clock`.
  OidcProvider(OidcOptions options, const support::Clock& clock, WebFetch fetch);

  // Where to send a browser that signs in. UNAVAILABLE, for the caller: the provider does not
  // answer, or not as it should; RESOURCE_EXHAUSTED: too many sign-ins at once.
  absl::StatusOr<std::string> SignInUrl(const SignInSecrets& secrets) ABSL_LOCKS_EXCLUDED(mutex_);

  // Who came back with `code`. UNAUTHENTICATED: the provider does not take the code, or its token
  // does not hold; other errors as SignInUrl.
  absl::StatusOr<ExternalPerson> Redeem(const std::string& code, const SignInSecrets& secrets)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const OidcOptions& options() const { return options_; }
  std::string redirect_url() const { return options_.public_url + "/v1/oidc/callback"; }

 private:
  // What the provider says of itself.
  struct Description {
    std::string authorization_endpoint;
    std::string token_endpoint;
    // Empty: it has none.
    std::string userinfo_endpoint;
    std::string jwks_uri;
    // The client's secret goes into the form, not into a header.
    bool secret_in_form = false;
  };
  using DescriptionPtr = std::shared_ptr<const Description>;
  using KeysPtr = std::shared_ptr<const json_t>;
  // A place among those who talk to the provider.
  class Turn;

  // The description that is kept; null: none, or too old.
  DescriptionPtr Kept() ABSL_LOCKS_EXCLUDED(mutex_);
  // Both with a Turn held.
  absl::StatusOr<DescriptionPtr> Describe() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<KeysPtr> Keys(const Description& description, bool newer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // An answer of 200 with a JSON object; `what` is asked for.
  absl::StatusOr<JsonPtr> FetchObject(absl::string_view what, const WebRequest& request);
  absl::StatusOr<Description> Read(const json_t* object) const;
  // The answer of the token endpoint.
  absl::StatusOr<JsonPtr> FetchTokens(const Description& description, const std::string& code,
                                      const SignInSecrets& secrets);
  absl::StatusOr<JsonPtr> Verify(const Description& description, const std::string& token,
                                 const SignInSecrets& secrets);
  absl::Status Failed(absl::string_view what, absl::string_view why) const;

  const OidcOptions options_;
  const support::Clock& clock_;
  const WebFetch fetch_;
  absl::Mutex mutex_;
  int talking_ ABSL_GUARDED_BY(mutex_) = 0;
  DescriptionPtr description_ ABSL_GUARDED_BY(mutex_);
  absl::Time described_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // The last attempt that failed, and how.
  absl::Time failed_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  KeysPtr keys_ ABSL_GUARDED_BY(mutex_);
  absl::Time keys_read_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

// What a provider, or a program that redeems a code, is shown of `verifier` beforehand: its SHA-256
// in base64url (RFC 7636, S256).
std::string ChallengeOf(absl::string_view verifier);

}  // namespace plimsoll::access
