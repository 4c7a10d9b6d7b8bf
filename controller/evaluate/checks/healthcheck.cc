#include "controller/evaluate/checks/healthcheck.h"

namespace plimsoll::evaluate {

Outcome JudgeHealthcheckKind(v1::HealthcheckKind kind, const char* source) {
  static constexpr char kExpected[] = "a health check with a command";
  switch (kind) {
    case v1::HEALTHCHECK_CMD:
    case v1::HEALTHCHECK_CMD_SHELL:
      return Pass();
    case v1::HEALTHCHECK_ABSENT:
      return Fail("no health check", kExpected, source);
    case v1::HEALTHCHECK_NONE:
      return Fail("the health check is switched off (NONE)", kExpected, source);
    case v1::HEALTHCHECK_OTHER:
      return Fail("a health check that the engine does not run", kExpected, source);
    default:
      return Unknown(reason::kNotCollected, "the health check was not read", kExpected, source);
  }
}

}  // namespace plimsoll::evaluate
