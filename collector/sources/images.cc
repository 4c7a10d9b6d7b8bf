// GET /images/json and one inspect each.
#include "collector/sources/images.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/sources/engine_api.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using host::JsonErrors;
using host::JsonObject;

constexpr size_t kMaxImages = 10000;
constexpr int kMaxTags = 1024;
constexpr size_t kMaxReferenceBytes = 512;

template <typename Repeated>
void AddReferences(const std::vector<absl::string_view>& references, absl::string_view none,
                   Repeated* out) {
  for (const absl::string_view reference : references) {
    if (reference != none && out->size() < kMaxTags) {
      *out->Add() = CleanText(StripUserInfo(reference), kMaxReferenceBytes);
    }
  }
  std::sort(out->begin(), out->end());
}

v1::Image ReadListed(const JsonObject& from) {
  v1::Image image;
  image.set_id(CleanText(from.String("Id")));
  AddReferences(from.Strings("RepoTags"), "<none>:<none>", image.mutable_repo_tags());
  AddReferences(from.Strings("RepoDigests"), "<none>@<none>", image.mutable_repo_digests());
  image.set_dangling(image.repo_tags().empty() && image.repo_digests().empty());
  google::protobuf::Timestamp created;
  if (SetUnixTime(from.Int("Created").value_or(0), &created))
    *image.mutable_create_time() = created;
  image.set_size_bytes(from.Int("Size").value_or(0));
  return image;
}

absl::Status ReadInspect(absl::string_view body, v1::Image* image) {
  const auto document = host::JsonDocument::Parse(body);
  if (!document.ok()) return document.status();
  JsonErrors errors;
  const JsonObject from = document->Object(errors);
  // Images that were imported bare have no Config at all on new engines.
  const JsonObject config = from.Object("Config");
  const v1::HealthcheckKind healthcheck = HealthcheckOf(config);
  const std::string user = CleanText(config.String("User"));
  if (from.String("Id") != image->id()) errors.Add("Id", "not the image asked for");
  if (!errors.status().ok()) return errors.status();
  image->set_user(user);
  image->set_healthcheck(healthcheck);
  google::protobuf::Timestamp created;
  if (ParseTime(from.String("Created"), &created)) *image->mutable_create_time() = created;
  return errors.status();
}

std::vector<v1::Image> List(const host::JsonDocument& document, OutcomeTimer& timer) {
  JsonErrors errors;
  std::map<std::string, v1::Image> listed;
  for (const JsonObject& from : document.Objects(errors)) {
    v1::Image image = ReadListed(from);
    if (!IsObjectId(image.id())) {
      errors.Add("Id", "not an id");
    } else if (listed.size() < kMaxImages) {
      listed.emplace(image.id(), image);
    } else {
      timer.Set(v1::SourceOutcome::TRUNCATED, absl::StrCat("more than ", kMaxImages, " images"));
      break;
    }
  }
  timer.Set(errors.status());
  std::vector<v1::Image> images;
  for (auto& [id, image] : listed) images.push_back(std::move(image));
  return images;
}

// Takes over what an earlier inspect of the same image said. False: there was none, or it failed.
bool Reuse(const v1::ImagesFacts& earlier, v1::Image* image) {
  const auto found = std::lower_bound(
      earlier.images().begin(), earlier.images().end(), image->id(),
      [](const v1::Image& other, const std::string& id) { return other.id() < id; });
  if (found == earlier.images().end() || found->id() != image->id()) return false;
  if (found->outcome().state() != v1::SourceOutcome::OK) return false;
  *image->mutable_outcome() = found->outcome();
  *image->mutable_create_time() = found->create_time();
  if (!found->has_create_time()) image->clear_create_time();
  image->set_user(found->user());
  image->set_healthcheck(found->healthcheck());
  return true;
}

// `earlier`, sorted by id, saves inspects of all images but `again`.
void Collect(host::HostEnv& env, const std::string& api_prefix, const v1::ImagesFacts& earlier,
             const std::set<std::string>& again, v1::ImagesFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_outcome());
  if (api_prefix.empty()) return timer.Set(EngineSilent(env));
  const auto document = GetJson(env, absl::StrCat(api_prefix, "/images/json"));
  if (!document.ok()) return timer.Set(document.status());
  std::vector<v1::Image> images = List(*document, timer);
  std::vector<size_t> wanted;
  std::vector<std::string> paths;
  for (size_t i = 0; i < images.size(); ++i) {
    if (!again.contains(images[i].id()) && Reuse(earlier, &images[i])) continue;
    wanted.push_back(i);
    paths.push_back(absl::StrCat(api_prefix, "/images/", images[i].id(), "/json"));
  }
  std::vector<bool> vanished(images.size(), false);
  env.docker.GetEach(paths, [&](size_t index, absl::StatusOr<absl::string_view> body) {
    v1::Image& image = images[wanted[index]];
    vanished[wanted[index]] = absl::IsNotFound(body.status());
    OutcomeTimer inspect(env.clock, image.mutable_outcome());
    inspect.Set(body.ok() ? Annotate(ReadInspect(*body, &image), "inspect") : body.status());
  });
  for (size_t i = 0; i < images.size(); ++i) {
    if (!vanished[i]) facts->add_images()->Swap(&images[i]);
  }
}

}  // namespace

v1::ImagesFacts CollectImages(host::HostEnv& env, const std::string& api_prefix) {
  return RefreshImages(env, api_prefix, {}, {});
}

v1::ImagesFacts RefreshImages(host::HostEnv& env, const std::string& api_prefix,
                              const v1::ImagesFacts& earlier, const std::set<std::string>& again) {
  v1::ImagesFacts facts;
  Collect(env, api_prefix, earlier, again, &facts);
  return facts;
}

}  // namespace plimsoll::sources
