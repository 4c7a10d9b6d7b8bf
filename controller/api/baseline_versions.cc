#include "controller/api/baseline_versions.h"

#include <spdlog/spdlog.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "controller/evaluate/baseline_loader.h"
#include "proto/support/logging.h"

namespace plimsoll::api {
namespace {

using store::Principal;

constexpr size_t kLongestNote = 2048;
constexpr size_t kLongestFileName = 256;
// Prefixes of digests may be given for them.
constexpr size_t kShortestDigest = 8;

absl::Status RequireName(const std::string& baseline) {
  if (!baseline.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("baseline: say which, by id");
}

}  // namespace

absl::StatusOr<v1::BaselineVersion> BaselineVersions::Upload(
    const Principal& who, const v1::UploadBaselineRequest& request) {
  if (auto status = RequireWholeFleet(who, "baselines"); !status.ok()) return status;
  for (const absl::Status& status :
       {CheckLength("note", request.note(), kLongestNote),
        CheckLength("file_name", request.file_name(), kLongestFileName)}) {
    if (!status.ok()) return status;
  }
  auto document = evaluate::LoadBaseline(
      request.yaml(), request.file_name().empty() ? "baseline.yaml" : request.file_name());
  if (!document.ok()) return document.status();
  if (auto status = store_.reports().PutBaselines({*document}); !status.ok()) return status;
  if (auto status = store_.baselines().Add(*document, who.name, request.note(), clock_.Now());
      !status.ok()) {
    return status;
  }
  spdlog::info("baseline uploaded baseline={} digest={} by={}", document->id(), document->digest(),
               support::LogSafe(who.name));
  auto versions = store_.baselines().List(document->id());
  if (!versions.ok()) return versions.status();
  for (v1::BaselineVersion& version : *versions) {
    if (version.digest() != document->digest()) continue;
    version.set_baseline(document->id());
    return version;
  }
  return absl::InternalError("an uploaded baseline is not listed");
}

absl::StatusOr<v1::ListBaselineVersionsResponse> BaselineVersions::List(
    const Principal& who, const v1::ListBaselineVersionsRequest& request) {
  auto versions = store_.baselines().List(request.baseline());
  if (!versions.ok()) return versions.status();
  v1::ListBaselineVersionsResponse response;
  for (v1::BaselineVersion& version : *versions) {
    version.set_baseline(request.baseline());
    *response.add_versions() = std::move(version);
  }
  return response;
}

absl::StatusOr<v1::Baseline> BaselineVersions::MakeActive(const Principal& who,
                                                          const std::string& baseline_id,
                                                          const std::string& digest) {
  if (auto status = store_.baselines().Activate(baseline_id, digest, who.name, clock_.Now());
      !status.ok()) {
    return status;
  }
  spdlog::info("baseline activated baseline={} digest={} by={}", support::LogSafe(baseline_id),
               digest.empty() ? "configured" : digest, support::LogSafe(who.name));
  if (auto status = book_.Reload(); !status.ok()) {
    spdlog::warn("policy not reloaded error=\"{}\"", status.ToString());
  }
  const auto policy = book_.current();
  v1::Baseline answer;
  answer.set_id(baseline_id);
  if (const v1::Baseline* active = policy->Find(baseline_id); active != nullptr) {
    answer = *active;
    answer.clear_rules();
  }
  return answer;
}

absl::StatusOr<v1::Baseline> BaselineVersions::Activate(
    const Principal& who, const v1::ActivateBaselineRequest& request) {
  if (auto status = RequireWholeFleet(who, "baselines"); !status.ok()) return status;
  if (auto status = RequireName(request.baseline()); !status.ok()) return status;
  auto versions = store_.baselines().List(request.baseline());
  if (!versions.ok()) return versions.status();
  if (request.version().empty()) {
    if (versions->empty() && book_.current()->Find(request.baseline()) == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("no baseline \"", request.baseline().substr(0, 64), "\""));
    }
    return MakeActive(who, request.baseline(), "");
  }
  std::string digest;
  for (const v1::BaselineVersion& version : *versions) {
    const bool meant = version.version() == request.version() ||
                       (request.version().size() >= kShortestDigest &&
                        absl::StartsWith(version.digest(), request.version()));
    if (!meant) continue;
    if (!digest.empty()) {
      return absl::FailedPreconditionError(absl::StrCat("version: several documents are \"",
                                                        request.version().substr(0, 64),
                                                        "\"; give the digest"));
    }
    digest = version.digest();
  }
  if (digest.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no version \"", request.version().substr(0, 64), "\" of baseline \"",
                     request.baseline().substr(0, 64),
                     "\" was uploaded; `plimsoll baseline versions` lists them"));
  }
  return MakeActive(who, request.baseline(), digest);
}

absl::StatusOr<v1::Baseline> BaselineVersions::Rollback(
    const Principal& who, const v1::RollbackBaselineRequest& request) {
  if (auto status = RequireWholeFleet(who, "baselines"); !status.ok()) return status;
  if (auto status = RequireName(request.baseline()); !status.ok()) return status;
  auto previous = store_.baselines().Previous(request.baseline());
  if (!previous.ok()) return previous.status();
  return MakeActive(who, request.baseline(), *previous);
}

}  // namespace plimsoll::api
