#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddUserMethods(MethodTable& table, Users& users) {
  table.Add({"UserService.CreateUser", Permission::kAdminister, "POST /v1/users"}, users,
            &Users::Create);
  table.Add({"UserService.ListUsers", Permission::kAdminister, "GET /v1/users"}, users,
            &Users::List);
  table.Add({"UserService.GetUser", Permission::kAdminister, "GET /v1/users/{user}"}, users,
            &Users::Get);
  // Changes what is given.
  table.Add({"UserService.UpdateUser", Permission::kAdminister, "PATCH /v1/users/{user}"}, users,
            &Users::Update);
  table.Add({"UserService.ResetPassword", Permission::kAdminister,
             "POST /v1/users/{user}/reset-password"},
            users, &Users::ResetPassword);
  table.Add({"UserService.DeleteUser", Permission::kAdminister, "DELETE /v1/users/{user}"}, users,
            &Users::Delete);
}

void AddSessionMethods(MethodTable& table, SignIns& sign_ins) {
  MethodSpec sign_in = {"SessionService.SignIn", Permission::kSelf, "POST /v1/sessions"};
  sign_in.open = true;
  sign_in.session = SessionEffect::kBegins;
  table.Add(sign_in, sign_ins, &SignIns::SignIn);
  table.Add({"SessionService.ListSessions", Permission::kSelf, "GET /v1/sessions"}, sign_ins,
            &SignIns::List);
  MethodSpec sign_out = {"SessionService.SignOut", Permission::kSelf, "POST /v1/sessions/sign-out"};
  sign_out.session = SessionEffect::kEnds;
  table.Add(sign_out, sign_ins, &SignIns::SignOut);
  MethodSpec everywhere = {"SessionService.SignOutEverywhere", Permission::kSelf,
                           "POST /v1/sessions/sign-out-everywhere"};
  everywhere.session = SessionEffect::kEnds;
  table.Add(everywhere, sign_ins, &SignIns::SignOutEverywhere);
  table.Add({"SessionService.GetSelf", Permission::kSelf, "GET /v1/self"}, sign_ins,
            &SignIns::GetSelf);
  table.Add({"SessionService.ChangePassword", Permission::kSelf, "POST /v1/self/password"},
            sign_ins, &SignIns::ChangePassword);
}

void AddOidcMethods(MethodTable& table, OidcSignIns& sign_ins) {
  MethodSpec methods = {"SessionService.GetSignInMethods", Permission::kSelf,
                        "GET /v1/sign-in-methods"};
  methods.open = true;
  table.Add(methods, sign_ins, &OidcSignIns::GetMethods);
  MethodSpec redeem = {"SessionService.RedeemSignInCode", Permission::kSelf,
                       "POST /v1/sessions/redeem"};
  redeem.open = true;
  table.Add(redeem, sign_ins, &OidcSignIns::Redeem);
}

void AddTokenMethods(MethodTable& table, ApiTokens& tokens) {
  table.Add({"TokenService.CreateApiToken", Permission::kSelf, "POST /v1/api-tokens"}, tokens,
            &ApiTokens::Create);
  table.Add({"TokenService.ListApiTokens", Permission::kSelf, "GET /v1/api-tokens"}, tokens,
            &ApiTokens::List);
  table.Add({"TokenService.RevokeApiToken", Permission::kSelf, "DELETE /v1/api-tokens/{token}"},
            tokens, &ApiTokens::Revoke);
}

void AddActivityMethods(MethodTable& table, Activities& activities) {
  table.Add({"ActivityService.ListActivity", Permission::kReadActivity, "GET /v1/activity"},
            activities, &Activities::List);
  table.Add({"ActivityService.GetActivityHead", Permission::kReadActivity, "GET /v1/activity-head"},
            activities, &Activities::GetHead);
}

}  // namespace plimsoll::api
