#include "controller/api/methods.h"

namespace plimsoll::api {

void AddFindingMethods(MethodTable& table, Findings& findings) {
  table.Add({"FindingService.ListFindings", access::Permission::kRead, "GET /v1/findings"},
            findings, &Findings::List);
}

}  // namespace plimsoll::api
