#include "controller/api/what_ifs.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/api/paging.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "controller/evaluate/baseline_loader.h"

namespace plimsoll::api {
namespace {

using google::protobuf::util::TimeUtil;
using store::Principal;

// What a document is called in the messages about it.
constexpr char kFile[] = "baseline.yaml";
// Longer than any what-if runs.
constexpr absl::Duration kLifetime = absl::Hours(24);

absl::Status SetBaseline(const std::string& yaml, policy::PolicyParts& parts) {
  auto document = evaluate::LoadBaseline(yaml, kFile);
  if (!document.ok()) return document.status();
  const auto shared = std::make_shared<const v1::Baseline>(*std::move(document));
  for (policy::Document& active : parts.documents) {
    if (active->id() != shared->id()) continue;
    active = shared;
    return absl::OkStatus();
  }
  parts.documents.push_back(shared);
  return absl::OkStatus();
}

// In the order they are laid on.
void SetTailoring(const v1::Tailoring& tailoring, policy::PolicyParts& parts) {
  auto& all = parts.tailorings;
  all.erase(
      std::remove_if(all.begin(), all.end(),
                     [&](const v1::Tailoring& each) { return each.name() == tailoring.name(); }),
      all.end());
  all.push_back(tailoring);
  all.back().set_etag("proposed");
  std::sort(all.begin(), all.end(), [](const v1::Tailoring& a, const v1::Tailoring& b) {
    return std::make_tuple(absl::string_view(a.baseline()), a.priority(),
                           absl::string_view(a.name())) <
           std::make_tuple(absl::string_view(b.baseline()), b.priority(),
                           absl::string_view(b.name()));
  });
}

// Whose a what-if is: the person, or the token, and the part of the fleet that it was made for.
std::string OwnerOf(const Principal& who) {
  const std::string& id = who.user_id.empty() ? who.token_id : who.user_id;
  return absl::StrCat(who.name, "\n", id, "\n", who.scope);
}

}  // namespace

absl::Status WhatIfs::Apply(const Principal& who, const v1::StartWhatIfRequest& request,
                            policy::PolicyParts& parts) const {
  switch (request.change_case()) {
    case v1::StartWhatIfRequest::kBaselineYaml:
      return SetBaseline(request.baseline_yaml(), parts);
    case v1::StartWhatIfRequest::kWaiver: {
      store::StoredWaiver stored;
      stored.waiver = request.waiver();
      v1::Waiver& waiver = stored.waiver;
      if (auto status = waivers_.Normalize(who, waiver); !status.ok()) return status;
      waiver.set_id("proposed");
      waiver.set_state(v1::Waiver::APPROVED);
      waiver.clear_start_time();
      *waiver.mutable_expire_time() =
          TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now() + kLifetime));
      // What is there now is what it would be bound to.
      waiver.set_bound_to_facts(false);
      parts.waivers.push_back(std::move(stored));
      return absl::OkStatus();
    }
    case v1::StartWhatIfRequest::kTailoring: {
      v1::Tailoring tailoring = request.tailoring();
      if (auto status = tailorings_.Check(tailoring); !status.ok()) return status;
      SetTailoring(tailoring, parts);
      return absl::OkStatus();
    }
    case v1::StartWhatIfRequest::kWithoutWaiver: {
      const auto gone = std::remove_if(parts.waivers.begin(), parts.waivers.end(),
                                       [&](const store::StoredWaiver& each) {
                                         return each.waiver.id() == request.without_waiver();
                                       });
      if (gone == parts.waivers.end()) {
        return absl::NotFoundError(absl::StrCat(
            "no waiver \"", request.without_waiver().substr(0, 64), "\" is in effect"));
      }
      parts.waivers.erase(gone, parts.waivers.end());
      return absl::OkStatus();
    }
    case v1::StartWhatIfRequest::kWithoutTailoring: {
      const auto gone = std::remove_if(
          parts.tailorings.begin(), parts.tailorings.end(),
          [&](const v1::Tailoring& each) { return each.name() == request.without_tailoring(); });
      if (gone == parts.tailorings.end()) {
        return absl::NotFoundError(
            absl::StrCat("no tailoring \"", request.without_tailoring().substr(0, 64), "\""));
      }
      parts.tailorings.erase(gone, parts.tailorings.end());
      return absl::OkStatus();
    }
    default:
      return absl::InvalidArgumentError(
          "change: say what is proposed: baseline_yaml, waiver, tailoring, without_waiver or "
          "without_tailoring");
  }
}

absl::StatusOr<v1::WhatIf> WhatIfs::Start(const Principal& who,
                                          const v1::StartWhatIfRequest& request) {
  const auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  const absl::Time now = clock_.Now();
  auto parts = book_.Read(now);
  if (!parts.ok()) return parts.status();
  // Both are made of the same reading, so that only the change differs. Neither is kept.
  auto before = policy::Policy::Make(*parts, now);
  if (auto status = Apply(who, request, *parts); !status.ok()) return status;
  auto after = policy::Policy::Make(*std::move(parts), now);
  return runs_.Start(NewId("wi-"), OwnerOf(who), std::move(before), std::move(after), *scope);
}

absl::StatusOr<v1::WhatIf> WhatIfs::Get(const Principal& who, const v1::GetWhatIfRequest& request) {
  return runs_.Get(request.id(), OwnerOf(who));
}

absl::StatusOr<v1::ListWhatIfFlipsResponse> WhatIfs::ListFlips(
    const Principal& who, const v1::ListWhatIfFlipsRequest& request) {
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  size_t begin = 0;
  if (!(*after)[0].empty() && !absl::SimpleAtoi((*after)[0], &begin)) {
    return BadPageToken();
  }
  // First: a what-if that is done has all the flips that are then read.
  auto what_if = runs_.Get(request.id(), OwnerOf(who));
  if (!what_if.ok()) return what_if.status();
  // One more than asked tells whether there is a next page.
  auto flips = runs_.ListFlips(request.id(), OwnerOf(who), begin, static_cast<size_t>(*size) + 1);
  if (!flips.ok()) return flips.status();
  v1::ListWhatIfFlipsResponse response;
  *response.mutable_what_if() = *std::move(what_if);
  if (flips->size() > static_cast<size_t>(*size)) {
    flips->pop_back();
    response.set_next_page_token(EncodePageToken({absl::StrCat(begin + flips->size())}));
  }
  for (v1::Flip& flip : *flips) *response.add_flips() = std::move(flip);
  return response;
}

absl::StatusOr<v1::CancelWhatIfResponse> WhatIfs::Cancel(const Principal& who,
                                                         const v1::CancelWhatIfRequest& request) {
  if (auto status = runs_.Cancel(request.id(), OwnerOf(who)); !status.ok()) return status;
  v1::CancelWhatIfResponse response;
  response.set_id(request.id());
  return response;
}

}  // namespace plimsoll::api
