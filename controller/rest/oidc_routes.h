// Where browsers begin and end a sign-in at an identity provider.
#pragma once

#include <vector>

#include "controller/api/oidc_sign_ins.h"
#include "controller/rest/route.h"

namespace plimsoll::rest {

// GET /v1/oidc/start leads to the provider, GET /v1/oidc/callback back and to a session in a
// cookie. Borrows `sign_ins`, which has a provider.
std::vector<PlainRoute> OidcRoutes(api::OidcSignIns& sign_ins);

}  // namespace plimsoll::rest
