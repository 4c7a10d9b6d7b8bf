// Signing in at an identity provider, free of transport; see api.h for what all handlers have in
// common.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "controller/access/activity_log.h"
#include "controller/access/oidc_provider.h"
#include "controller/access/secret_box.h"
#include "controller/api/identity.h"
#include "plimsoll/v1/session_service.pb.h"
#include "plimsoll/v1/stored.pb.h"

namespace plimsoll::api {

// Who wants to sign in, as the parameters of the first request say. Hostile.
struct SignInWish {
  // Path on this controller to come back to; empty: "/".
  std::string return_to;
  // Of a program on the person's machine; both empty: a browser.
  std::string cli_port;
  std::string cli_challenge;
};

// A sign-in that began.
struct BegunSignIn {
  // Where to send the browser.
  std::string url;
  // For its cookie, for kSignInPatience; text in base64url.
  std::string sealed;
};
inline constexpr absl::Duration kSignInPatience = absl::Minutes(10);

// What the provider sent the browser back with. Hostile.
struct ProviderAnswer {
  std::string code;
  std::string state;
  // "access_denied"; empty: none.
  std::string error;
  // Empty: not said.
  std::string issuer;
};

// A sign-in that ended well.
struct FinishedSignIn {
  // Where to send the browser: a path of this controller, or the program that waits on its machine.
  std::string location;
  // Of a browser; absent: the program fetches one with the code in `location`.
  std::optional<v1::SignInResponse> session;
};

// Thread-safe. What a sign-in must remember is sealed into a cookie of the browser, so that any
// controller can finish what another began.
class OidcSignIns {
 public:
  // `provider` null: people sign in by password only. Borrows all.
  OidcSignIns(const IdentityParts& parts, SignIns& sign_ins, access::OidcProvider* provider,
              const access::SecretBox& box, access::ActivityLog& log)
      : parts_(parts), sign_ins_(sign_ins), provider_(provider), box_(box), log_(log) {}

  absl::StatusOr<v1::SignInMethods> GetMethods(const store::Principal& who,
                                               const v1::GetSignInMethodsRequest& request);
  absl::StatusOr<v1::SignInResponse> Redeem(const store::Principal& nobody,
                                            const v1::RedeemSignInCodeRequest& request);

  // INVALID_ARGUMENT: `wish` leads elsewhere than to this controller or the loopback. Errors as
  // OidcProvider::SignInUrl.
  absl::StatusOr<BegunSignIn> Start(const SignInWish& wish);
  // `sealed` is what the browser's cookie holds. UNAUTHENTICATED: not begun by this browser, too
  // late, or the provider does not vouch; PERMISSION_DENIED: nobody without a role, or disabled.
  // Writes down how it ended. Errors as OidcProvider::Redeem.
  absl::StatusOr<FinishedSignIn> Finish(const store::Principal& nobody, const std::string& sealed,
                                        const ProviderAnswer& answer);

 private:
  absl::StatusOr<v1::PendingSignIn> OpenPending(const std::string& sealed,
                                                const ProviderAnswer& answer) const;
  // Makes the user, or refreshes role and scope. `who` becomes that user as far as is known.
  absl::StatusOr<v1::User> Admit(const access::ExternalPerson& person, store::Principal& who);
  // The user of `wanted`, made if need be, with the first name that is free.
  absl::StatusOr<v1::User> PutUser(v1::User wanted, const std::string& name);

  const IdentityParts parts_;
  SignIns& sign_ins_;
  access::OidcProvider* const provider_;
  const access::SecretBox& box_;
  access::ActivityLog& log_;
};

}  // namespace plimsoll::api
