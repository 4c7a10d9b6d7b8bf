#include "controller/evaluate/checks/effective_settings.h"
#include "controller/evaluate/checks/endpoints.h"
#include "controller/evaluate/checks/families.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::Verdict;

void CheckCertificatesGuarded(const Context& context, const Check&, Judge& judge) {
  static constexpr char kExpected[] = "certificates and keys are guarded from leaking";
  const TlsState tls = FindTls(context);
  if (tls.on || tls.has_explicit_path) {
    judge.Manual(DaemonObject(),
                 {.observed = "TLS is configured; how its keys are kept elsewhere is not seen here",
                  .expected = kExpected});
  } else if (!UnknownUnlessKnown(tls.tls, judge) && !UnknownUnlessKnown(tls.tlsverify, judge)) {
    if (tls.drifted()) {
      judge.Unknown(DaemonObject(), {.observed = "daemon.json is newer than the daemon",
                                     .expected = kExpected,
                                     .reason = reason::kConfigNewerThanProcess,
                                     .source = tls.tls.file_path});
    } else {
      judge.Decide(Verdict::NOT_APPLICABLE, reason::kTlsNotConfigured,
                   "the daemon uses no TLS and no certificate is configured");
    }
  }
}

constexpr CheckEntry kChecks[] = {
    {Check::kCertificatesGuarded, {}, CheckCertificatesGuarded},
};

}  // namespace

absl::Span<const CheckEntry> ManualChecks() { return kChecks; }

}  // namespace plimsoll::evaluate
