// Images (rules.md 4.06).
#include <algorithm>
#include <string>

#include "absl/strings/str_join.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/families.h"
#include "controller/evaluate/checks/healthcheck.h"

namespace plimsoll::evaluate {
namespace {

using v1::Image;
using v1::SourceOutcome;
using Args = v1::ImageHealthcheckArgs;

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
                   "an image that can be inspected", "image inspect");
  }
  return JudgeHealthcheckKind(image.healthcheck(), "image Config.Healthcheck.Test");
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
    if (!outcome.has_details) {
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
