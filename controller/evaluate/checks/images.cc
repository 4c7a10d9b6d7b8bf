// Images (rules.md 4.06).
#include <algorithm>
#include <string>

#include "absl/strings/str_join.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/families.h"

namespace plimsoll::evaluate {
namespace {

using v1::Image;
using v1::SourceOutcome;
using Args = v1::ImageHealthcheckArgs;

constexpr char kExpected[] = "a HEALTHCHECK with a command";
constexpr char kSource[] = "image Config.Healthcheck.Test";

bool InScope(const Args& args, const Image& image) {
  const bool used = image.container_count() > 0;
  const bool untagged = image.dangling() || image.repo_tags().empty();
  if (args.scope() == Args::IN_USE) return used;
  if (args.scope() == Args::TAGGED) return !image.repo_tags().empty();
  return !untagged || used || args.include_dangling();
}

bool IsExempt(const GlobList& exempt, const Image& image) {
  if (exempt.empty()) return false;
  const auto matches = [&](const std::string& name) { return exempt.Matches(name); };
  return exempt.Matches(image.id()) ||
         std::any_of(image.repo_tags().begin(), image.repo_tags().end(), matches) ||
         std::any_of(image.repo_digests().begin(), image.repo_digests().end(), matches);
}

Outcome JudgeImage(const Image& image) {
  if (image.outcome().state() != SourceOutcome::OK) {
    return Unknown(ReasonFor(Source::kImages, image.outcome()),
                   image.outcome().message().empty() ? "the image was not inspected"
                                                     : image.outcome().message(),
                   kExpected, "image inspect");
  }
  switch (image.healthcheck()) {
    case v1::HEALTHCHECK_CMD:
    case v1::HEALTHCHECK_CMD_SHELL:
      return Pass();
    case v1::HEALTHCHECK_ABSENT:
      return Fail("no health check", kExpected, kSource);
    case v1::HEALTHCHECK_NONE:
      return Fail("the health check is switched off (NONE)", kExpected, kSource);
    case v1::HEALTHCHECK_OTHER:
      return Fail("a health check that the engine does not run", kExpected, kSource);
    default:
      return Unknown(reason::kNotCollected, "the health check was not read", kExpected, kSource);
  }
}

// One image, one object, however many names it has.
std::string NamesOf(const Image& image) {
  if (image.repo_tags().empty()) return std::string(ShortId(image.id()));
  return absl::StrJoin(image.repo_tags(), ", ");
}

void JudgeImageHealthcheck(const Context& context, const v1::Check& check, Judge& judge) {
  const Args& args = check.image_healthcheck();
  const v1::ImagesFacts& facts = context.facts.images();
  if (!ListingUsable(Source::kImages, facts.outcome(), judge)) return;
  const GlobList exempt(args.exempt(), context.as_of);
  for (const Image& image : facts.images()) {
    // Removed between list and inspect.
    if (image.outcome().state() == SourceOutcome::NOT_PRESENT) continue;
    if (!InScope(args, image)) {
      judge.OutOfScope();
      continue;
    }
    if (IsExempt(exempt, image)) {
      judge.Exempt();
      judge.Note("exempt", NamesOf(image));
      continue;
    }
    const Outcome outcome = JudgeImage(image);
    if (outcome.details == nullptr) {
      judge.Pass();
      continue;
    }
    const std::string names = NamesOf(image);
    Report(ObjectRef{.name = names, .id = image.id()}, outcome, judge);
  }
}

}  // namespace

absl::Span<const CheckEntry> ImageChecks() {
  static constexpr CheckEntry kChecks[] = {
      {v1::Check::kImageHealthcheck, {}, JudgeImageHealthcheck},
  };
  return kChecks;
}

}  // namespace plimsoll::evaluate
