#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddAuthorityMethods(MethodTable& table, Authorities& authorities) {
  table.Add({"AuthorityService.GetAuthorities", Permission::kAdminister, "GET /v1/authorities"},
            authorities, &Authorities::Get);
  table.Add({"AuthorityService.BeginRotation", Permission::kAdminister,
             "POST /v1/authorities/begin-rotation"},
            authorities, &Authorities::Begin);
  table.Add(
      {"AuthorityService.SwitchAuthority", Permission::kAdminister, "POST /v1/authorities/switch"},
      authorities, &Authorities::Switch);
  table.Add({"AuthorityService.FinishRotation", Permission::kAdminister,
             "POST /v1/authorities/finish-rotation"},
            authorities, &Authorities::Finish);
  table.Add({"AuthorityService.CancelRotation", Permission::kAdminister,
             "POST /v1/authorities/cancel-rotation"},
            authorities, &Authorities::Cancel);
}

}  // namespace plimsoll::api
