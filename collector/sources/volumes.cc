// GET /volumes. Options of a volume can hold passwords: only those that bind a local directory are
// looked at, and of them only words of a closed list and a local path are taken.
#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/sources/engine_api.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr size_t kMaxVolumes = 10000;
constexpr std::array<absl::string_view, 9> kWords = {
    "bind", "rbind", "ro", "shared", "rshared", "slave", "rslave", "private", "rprivate"};

void ReadOptions(const host::JsonObject& options, v1::Volume* volume) {
  bool binds = false;
  for (const absl::string_view word : absl::StrSplit(options.String("o"), ',')) {
    if (std::find(kWords.begin(), kWords.end(), word) == kWords.end()) continue;
    binds = binds || word == "bind" || word == "rbind";
    if (volume->local_options_size() < 16) volume->add_local_options(std::string(word));
  }
  const absl::string_view device = options.String("device");
  if (binds && absl::StartsWith(device, "/") && !absl::StartsWith(device, "//")) {
    volume->set_bind_device(CleanText(device, kMaxPathBytes));
  }
}

v1::Volume ReadVolume(const host::JsonObject& from) {
  v1::Volume volume;
  volume.set_name(CleanText(from.String("Name")));
  volume.set_driver(CleanText(from.String("Driver")));
  volume.set_mountpoint(CleanText(from.String("Mountpoint"), kMaxPathBytes));
  if (volume.driver() == "local") ReadOptions(from.Object("Options"), &volume);
  return volume;
}

void Collect(host::HostEnv& env, const std::string& api_prefix, v1::VolumesFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_outcome());
  if (api_prefix.empty()) return timer.Set(EngineSilent(env));
  const auto document = GetJson(env, absl::StrCat(api_prefix, "/volumes"));
  if (!document.ok()) return timer.Set(document.status());
  host::JsonErrors errors;
  std::map<std::string, v1::Volume> volumes;
  for (const host::JsonObject& from : document->Object(errors).Objects("Volumes")) {
    v1::Volume volume = ReadVolume(from);
    if (volume.name().empty()) {
      errors.Add("Volumes.Name", "expected a name, got none");
    } else if (volumes.size() < kMaxVolumes) {
      volumes.emplace(volume.name(), volume);
    } else {
      timer.Set(v1::SourceOutcome::TRUNCATED, absl::StrCat("more than ", kMaxVolumes, " volumes"));
      break;
    }
  }
  for (auto& [name, volume] : volumes) facts->add_volumes()->Swap(&volume);
  timer.Set(errors.status());
}

}  // namespace

v1::VolumesFacts CollectVolumes(host::HostEnv& env, const std::string& api_prefix) {
  v1::VolumesFacts facts;
  Collect(env, api_prefix, &facts);
  return facts;
}

}  // namespace plimsoll::sources
