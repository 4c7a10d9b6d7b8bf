#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddEnrollmentMethods(MethodTable& table, EnrollmentTokens& tokens, Hosts& hosts) {
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
      hosts, &Hosts::Revoke);
  table.Add({"EnrollmentService.ListEnrollments", Permission::kAdminister, "GET /v1/enrollments"},
            tokens, &EnrollmentTokens::ListEnrollments);
  table.Add({"EnrollmentService.ApproveEnrollment", Permission::kAdminister,
             "POST /v1/enrollments/{id}/approve"},
            tokens, &EnrollmentTokens::Approve);
  table.Add({"EnrollmentService.RejectEnrollment", Permission::kAdminister,
             "POST /v1/enrollments/{id}/reject"},
            tokens, &EnrollmentTokens::Reject);
}

}  // namespace plimsoll::api
