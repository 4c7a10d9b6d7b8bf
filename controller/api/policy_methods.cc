#include "controller/api/methods.h"
#include "controller/api/selectors.h"

namespace plimsoll::api {

using access::Permission;

void AddWaiverMethods(MethodTable& table, Waivers& waivers) {
  table.Add(
      {"WaiverService.CreateWaiver", Permission::kProposeWaiver, "POST /v1/waivers", "waiver"},
      waivers, &Waivers::Create);
  // Beside the waivers: what it says of one that is not there yet.
  table.Add({"WaiverService.PreviewWaiver", Permission::kProposeWaiver, "POST /v1/waiver-preview"},
            waivers, &Waivers::Preview);
  table.Add({"WaiverService.ListWaivers", Permission::kRead, "GET /v1/waivers"}, waivers,
            &Waivers::List);
  table.Add({"WaiverService.GetWaiver", Permission::kRead, "GET /v1/waivers/{waiver}"}, waivers,
            &Waivers::Get);
  table.Add(
      {"WaiverService.ListWaiverHistory", Permission::kRead, "GET /v1/waivers/{waiver}/history"},
      waivers, &Waivers::ListHistory);
  table.Add({"WaiverService.ApproveWaiver", Permission::kApproveWaiver,
             "POST /v1/waivers/{waiver}/approve"},
            waivers, &Waivers::Approve);
  table.Add({"WaiverService.RejectWaiver", Permission::kApproveWaiver,
             "POST /v1/waivers/{waiver}/reject"},
            waivers, &Waivers::Reject);
  table.Add(
      {"WaiverService.RenewWaiver", Permission::kProposeWaiver, "POST /v1/waivers/{waiver}/renew"},
      waivers, &Waivers::Renew);
  // Who proposed it may withdraw it; who may approve may revoke any.
  table.Add({"WaiverService.RevokeWaiver", Permission::kProposeWaiver,
             "POST /v1/waivers/{waiver}/revoke"},
            waivers, &Waivers::Revoke);
}

void AddTailoringMethods(MethodTable& table, Tailorings& tailorings) {
  table.Add({"TailoringService.SetTailoring", Permission::kPolicy,
             "PUT /v1/tailorings/{tailoring.name}", "tailoring"},
            tailorings, &Tailorings::Set);
  table.Add({"TailoringService.ListTailorings", Permission::kRead, "GET /v1/tailorings"},
            tailorings, &Tailorings::List);
  table.Add({"TailoringService.GetTailoring", Permission::kRead, "GET /v1/tailorings/{name}"},
            tailorings, &Tailorings::Get);
  table.Add(
      {"TailoringService.DeleteTailoring", Permission::kPolicy, "DELETE /v1/tailorings/{name}"},
      tailorings, &Tailorings::Delete);
}

void AddSelectorMethods(MethodTable& table, Selectors& selectors) {
  table.Add({"SelectorService.SaveSelector", Permission::kLabel,
             "PUT /v1/selectors/{selector.name}", "selector"},
            selectors, &Selectors::Save);
  table.Add({"SelectorService.ListSelectors", Permission::kRead, "GET /v1/selectors"}, selectors,
            &Selectors::List);
  table.Add({"SelectorService.GetSelector", Permission::kRead, "GET /v1/selectors/{name}"},
            selectors, &Selectors::Get);
  table.Add({"SelectorService.DeleteSelector", Permission::kLabel, "DELETE /v1/selectors/{name}"},
            selectors, &Selectors::Delete);
}

void AddBaselineVersionMethods(MethodTable& table, BaselineVersions& versions) {
  table.Add({"BaselineService.UploadBaseline", Permission::kPolicy, "POST /v1/baseline-versions"},
            versions, &BaselineVersions::Upload);
  table.Add(
      {"BaselineService.ListBaselineVersions", Permission::kRead, "GET /v1/baseline-versions"},
      versions, &BaselineVersions::List);
  table.Add({"BaselineService.ActivateBaseline", Permission::kPolicy,
             "POST /v1/baselines/{baseline}/activate"},
            versions, &BaselineVersions::Activate);
  table.Add({"BaselineService.RollbackBaseline", Permission::kPolicy,
             "POST /v1/baselines/{baseline}/rollback"},
            versions, &BaselineVersions::Rollback);
}

void AddWhatIfMethods(MethodTable& table, WhatIfs& what_ifs) {
  table.Add({"WhatIfService.StartWhatIf", Permission::kProposeWaiver, "POST /v1/what-ifs"},
            what_ifs, &WhatIfs::Start);
  table.Add({"WhatIfService.GetWhatIf", Permission::kProposeWaiver, "GET /v1/what-ifs/{id}"},
            what_ifs, &WhatIfs::Get);
  table.Add(
      {"WhatIfService.ListWhatIfFlips", Permission::kProposeWaiver, "GET /v1/what-ifs/{id}/flips"},
      what_ifs, &WhatIfs::ListFlips);
  table.Add({"WhatIfService.CancelWhatIf", Permission::kProposeWaiver, "DELETE /v1/what-ifs/{id}"},
            what_ifs, &WhatIfs::Cancel);
}

}  // namespace plimsoll::api
