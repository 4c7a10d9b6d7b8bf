// Recommendations that a person must judge.
#include "tests/controller/evaluate/case_runner.h"
#include "tests/controller/evaluate/checks/recorded_hosts.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

const RuleCases kCertificates(
    {"edge-docker/7.03"},
    {{.name = "TLS is on", .status = Verdict::MANUAL, .findings = 1},
     {.name = "a path without TLS",
      .clear = kSections,
      .facts = With(Stock(), [](Recorded& h) { h.flags = "tlskey: '/etc/docker/key.pem'"; }),
      .status = Verdict::MANUAL},
     {.name = "stock",
      .clear = kSections,
      .facts = Stock().Facts(),
      .status = Verdict::NOT_APPLICABLE,
      .reason = "tls_not_configured"},
     {.name = "no TLS in a file that is newer than the process",
      .clear = kSections,
      .facts = With(Stock(),
                    [](Recorded& h) {
                      h.file = "icc: false";
                      h.file_time = 9000;
                    }),
      .reason = "config_newer_than_process"},
     {.name = "command line unread",
      .facts = "daemon { command_line { outcome { state: PERMISSION_DENIED } } }",
      .reason = "permission_denied"},
     {.name = "file unread",
      .facts = "daemon { config_file { outcome { state: PERMISSION_DENIED } } }",
      .reason = "permission_denied"},
     {.name = "nothing collected", .base = Base::kEmpty, .reason = "not_collected"}});

}  // namespace
}  // namespace plimsoll::evaluate
