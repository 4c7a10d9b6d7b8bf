// Rule 4.06.
#include "absl/strings/str_cat.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// One image beside nothing else.
Case Image(std::string name, const std::string& fields, Verdict::Status status,
           std::string args = {}) {
  return {.name = std::move(name),
          .clear = {"images.images"},
          .facts = absl::StrCat(
              "images { images { id: 'sha256:0123456789abcdef' ",
              absl::StrContains(fields, "outcome") ? "" : "outcome { state: OK } ", fields, " } }"),
          .args = std::move(args),
          .status = status};
}

const RuleCases kHealthcheck(
    {"azure-docker/4.06"},
    {
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        Image("'health_1'", "repo_tags: 'health:1' healthcheck: HEALTHCHECK_CMD_SHELL",
              Verdict::PASS),
        Image("'healthexec_1', 'full_1'", "repo_tags: 'h:1' healthcheck: HEALTHCHECK_CMD",
              Verdict::PASS),
        Image("'healthnone_1'", "repo_tags: 'h:1' healthcheck: HEALTHCHECK_NONE", Verdict::FAIL),
        Image("'bb', 'user_1'", "repo_tags: 'bb:1' healthcheck: HEALTHCHECK_ABSENT", Verdict::FAIL),
        Image("what the engine does not run", "repo_tags: 'h:1' healthcheck: HEALTHCHECK_OTHER",
              Verdict::FAIL),
        Image("not read", "repo_tags: 'h:1'", Verdict::UNKNOWN),
        {.name = "three tags are one image",
         .clear = {"images.images"},
         .facts = "images { images { id: 'sha256:01' outcome { state: OK } repo_tags: ['a:1', "
                  "'a:2', 'b:1'] healthcheck: HEALTHCHECK_ABSENT } }",
         .status = Verdict::FAIL,
         .findings = 1,
         .message = "a:1, a:2, b:1"},
        {.name = "inspect failed",
         .clear = {"images.images"},
         .facts = "images { images { id: 'sha256:01' repo_tags: 'a:1' outcome { state: MALFORMED "
                  "message: 'cut off' } } }",
         .status = Verdict::UNKNOWN,
         .reason = "parse_error",
         .findings = 1,
         .observed = "cut off"},
        {.name = "gone between list and inspect",
         .facts = "images { images { id: 'sha256:01' repo_tags: 'a:1' outcome { "
                  "state: NOT_PRESENT } } }",
         .status = Verdict::PASS},
        {.name = "no image",
         .clear = {"images.images"},
         .status = Verdict::NOT_APPLICABLE,
         .reason = "no_objects"},
        {.name = "not listed",
         .facts = "images { outcome { state: PERMISSION_DENIED } }",
         .status = Verdict::UNKNOWN,
         .reason = "engine_denied"},
        {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
        Image("dangling and unused", "dangling: true healthcheck: HEALTHCHECK_ABSENT",
              Verdict::NOT_APPLICABLE),
        Image("dangling and in use",
              "dangling: true healthcheck: HEALTHCHECK_ABSENT container_count: 1", Verdict::FAIL),
        Image("dangling, asked for", "dangling: true healthcheck: HEALTHCHECK_ABSENT",
              Verdict::FAIL, "include_dangling: true"),
        Image("in use only: unused", "repo_tags: 'a:1' healthcheck: HEALTHCHECK_ABSENT",
              Verdict::NOT_APPLICABLE, "scope: IN_USE"),
        Image("in use only: used",
              "repo_tags: 'a:1' healthcheck: HEALTHCHECK_ABSENT container_count: 2", Verdict::FAIL,
              "scope: IN_USE"),
        Image("tagged only: dangling and in use",
              "dangling: true healthcheck: HEALTHCHECK_ABSENT container_count: 1",
              Verdict::NOT_APPLICABLE, "scope: TAGGED"),
        Image("exempt by glob", "repo_tags: 'tools/x:1' healthcheck: HEALTHCHECK_ABSENT",
              Verdict::NOT_APPLICABLE, "exempt: 'tools/*'"),
        Image("another name", "repo_tags: 'web:1' healthcheck: HEALTHCHECK_ABSENT", Verdict::FAIL,
              "exempt: 'tools/*'"),
    });

}  // namespace
}  // namespace plimsoll::evaluate
