#include "controller/api/host_labels.h"
#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddHostMethods(MethodTable& table, Hosts& hosts) {
  table.Add({"HostService.ListHosts", Permission::kRead, "GET /v1/hosts"}, hosts, &Hosts::List);
  table.Add({"HostService.GetHost", Permission::kRead, "GET /v1/hosts/{host}"}, hosts, &Hosts::Get);
  table.Add({"HostService.GetHostReport", Permission::kRead, "GET /v1/hosts/{host}/report"}, hosts,
            &Hosts::GetReport);
  table.Add({"HostService.ListTransitions", Permission::kRead, "GET /v1/hosts/{host}/transitions"},
            hosts, &Hosts::ListTransitions);
  table.Add({"HostService.RemoveHost", Permission::kAdminister, "DELETE /v1/hosts/{host}"}, hosts,
            &Hosts::Remove);
  table.Add({"HostService.ReleaseHost", Permission::kAdminister, "POST /v1/hosts/{host}/release"},
            hosts, &Hosts::Release);
}

void AddHostLabelMethods(MethodTable& table, HostLabels& labels) {
  table.Add({"HostService.SetHostLabels", Permission::kLabel, "POST /v1/host-labels"}, labels,
            &HostLabels::Set);
}

}  // namespace plimsoll::api
