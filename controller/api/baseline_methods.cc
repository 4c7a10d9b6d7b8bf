#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddBaselineMethods(MethodTable& table, Baselines& baselines) {
  table.Add({"BaselineService.ListBaselines", Permission::kRead, "GET /v1/baselines"}, baselines,
            &Baselines::List);
  table.Add({"BaselineService.GetBaseline", Permission::kRead, "GET /v1/baselines/{id}"}, baselines,
            &Baselines::Get);
  table.Add(
      {"BaselineService.GetRule", Permission::kRead, "GET /v1/baselines/{baseline}/rules/{rule}"},
      baselines, &Baselines::GetRule);
}

}  // namespace plimsoll::api
