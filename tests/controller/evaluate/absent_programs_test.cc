// Audit rules over programs that this host does not have.
#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

// Every place a bare "runc" is looked for.
std::string NoRunc() {
  std::string files;
  for (const char* dir :
       {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}) {
    absl::StrAppend(&files, "files { path: '", dir, "/runc' outcome { state: NOT_PRESENT } } ");
  }
  return absl::StrCat("files { ", files, " }");
}

const RuleCases kRunc({"azure-docker/1.13"},
                      {{.name = "no runtime, and none named",
                        .clear = {"engine.default_runtime", "engine.default_runtime_path"},
                        .facts = NoRunc(),
                        .status = v1::Verdict::NOT_APPLICABLE,
                        .reason = "file_absent"}});

}  // namespace
}  // namespace plimsoll::evaluate
