#include "collector/tracker/event_scope.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/sources/engine_api.h"

namespace plimsoll::tracker {
namespace {

using sources::Scope;

// The union over all types: the engine's filters know no pairs.
constexpr absl::string_view kTypes[] = {"container", "image",   "network", "volume",
                                        "daemon",    "service", "node",    "plugin"};
constexpr absl::string_view kActions[] = {
    "create",  "start",  "die",    "destroy", "rename",  "update",     "pause",  "unpause",
    "commit",  "pull",   "tag",    "untag",   "delete",  "load",       "import", "prune",
    "connect", "remove", "reload", "enable",  "disable", "disconnect", "install"};
constexpr char kDefaultBridge[] = "bridge";
constexpr absl::string_view kUnreserved = "-_.~";

// A JSON list of words, none of which needs an escape.
std::string List(absl::Span<const absl::string_view> words) {
  std::string list;
  for (const absl::string_view word : words) {
    absl::StrAppend(&list, list.empty() ? "" : ",", "\"", word, "\"");
  }
  return absl::StrCat("[", list, "]");
}

std::string UrlEncode(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain =
        absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(kUnreserved, c);
    if (plain) {
      encoded.push_back(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

void AddContainer(absl::string_view id, Scope& scope) {
  if (sources::IsObjectId(id)) {
    scope.containers.insert(std::string(id));
  } else {
    scope.container_list = true;
  }
}

// Only images that are named by their id; pull and tag may name a reference.
void AddImage(absl::string_view id, Scope& scope) {
  if (absl::StartsWith(id, "sha256:") && sources::IsObjectId(id)) {
    scope.images.insert(std::string(id));
  } else {
    scope.image_list = true;
  }
}

Scope OfNetwork(const host::EngineEvent& event) {
  Scope scope;
  const bool membership = event.action == "connect" || event.action == "disconnect";
  if (membership && !event.container.empty()) AddContainer(event.container, scope);
  // Who is on a network is a fact of the default bridge alone.
  scope.networks = !membership || event.name == kDefaultBridge || event.container.empty();
  return scope;
}

}  // namespace

std::string EventsPath(absl::string_view api_prefix, absl::Time since) {
  std::string path = absl::StrCat(
      api_prefix, "/events?filters=",
      UrlEncode(absl::StrCat("{\"event\":", List(kActions), ",\"type\":", List(kTypes), "}")));
  if (since == absl::InfinitePast()) return path;
  const int64_t seconds = absl::ToUnixSeconds(since);
  const int64_t nanos = absl::ToInt64Nanoseconds(since - absl::FromUnixSeconds(seconds));
  absl::StrAppendFormat(&path, "&since=%d.%09d", seconds, nanos);
  return path;
}

Scope ScopeOf(const host::EngineEvent& event) {
  Scope scope;
  if (std::find(std::begin(kActions), std::end(kActions), event.action) == std::end(kActions)) {
    return scope;
  }
  if (event.type == "container") {
    if (event.action == "commit") {
      // A new image, which has no event of its own unless it is tagged.
      scope.image_list = true;
    } else if (event.action == "prune") {
      scope.container_list = true;
    } else {
      AddContainer(event.id, scope);
    }
  } else if (event.type == "image") {
    AddImage(event.id, scope);
  } else if (event.type == "network") {
    return OfNetwork(event);
  } else if (event.type == "volume") {
    scope.volumes = true;
  } else if (event.type == "service" || event.type == "node") {
    scope.swarm = true;
  } else if (event.type == "daemon" || event.type == "plugin") {
    scope.daemon = true;
  }
  return scope;
}

bool IsUrgent(const host::EngineEvent& event) {
  return event.type == "container" && event.action == "create";
}

}  // namespace plimsoll::tracker
