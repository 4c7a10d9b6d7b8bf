#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddEnrollmentMethods(MethodTable& table, EnrollmentTokens& tokens) {
  table.Add({"EnrollmentService.CreateEnrollmentToken", Permission::kAdminister,
             "POST /v1/enrollment-tokens"},
            tokens, &EnrollmentTokens::Create);
  table.Add({"EnrollmentService.ListEnrollmentTokens", Permission::kAdminister,
             "GET /v1/enrollment-tokens"},
            tokens, &EnrollmentTokens::List);
  table.Add({"EnrollmentService.RevokeEnrollmentToken", Permission::kAdminister,
             "POST /v1/enrollment-tokens/{id}/revoke"},
            tokens, &EnrollmentTokens::Revoke);
  table.Add(
      {"EnrollmentService.RevokeHost", Permission::kAdminister, "POST /v1/hosts/{host}/revoke"},
      tokens, &EnrollmentTokens::RevokeHost);
}

}  // namespace plimsoll::api
