#include "collector/tracker/event_scope.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"

namespace plimsoll::tracker {
namespace {

using sources::Scope;

// What a scope names, in words.
std::string Words(const Scope& scope) {
  std::vector<std::string> words;
  const std::pair<bool, const char*> flags[] = {{scope.all, "all"},
                                                {scope.container_list, "container_list"},
                                                {scope.image_list, "image_list"},
                                                {scope.networks, "networks"},
                                                {scope.volumes, "volumes"},
                                                {scope.swarm, "swarm"},
                                                {scope.daemon, "daemon"}};
  for (const auto& [set, word] : flags) {
    if (set) words.push_back(word);
  }
  for (const std::string& id : scope.containers) words.push_back("c:" + id);
  for (const std::string& id : scope.images) words.push_back("i:" + id);
  return absl::StrJoin(words, " ");
}

TEST(EventScope, EachEventNamesWhatFollowsFromIt) {
  const struct {
    const char* type;
    const char* action;
    const char* id;
    const char* name;
    const char* container;
    const char* scope;
  } kCases[] = {
      {"container", "create", "c1", "web", "", "c:c1"},
      {"container", "start", "c1", "web", "", "c:c1"},
      {"container", "die", "c1", "web", "", "c:c1"},
      {"container", "destroy", "c1", "web", "", "c:c1"},
      {"container", "rename", "c1", "web", "", "c:c1"},
      {"container", "update", "c1", "web", "", "c:c1"},
      {"container", "pause", "c1", "web", "", "c:c1"},
      {"container", "unpause", "c1", "web", "", "c:c1"},
      {"container", "commit", "c1", "web", "", "image_list"},
      {"container", "exec_create: sh -c true", "c1", "web", "", ""},
      {"container", "exec_start: sh", "c1", "web", "", ""},
      {"container", "exec_die", "c1", "web", "", ""},
      {"container", "health_status: unhealthy", "c1", "web", "", ""},
      {"container", "top", "c1", "web", "", ""},
      {"container", "attach", "c1", "web", "", ""},
      {"container", "start", "../../etc", "web", "", "container_list"},
      {"image", "tag", "sha256:ab", "bb:2", "", "i:sha256:ab"},
      {"image", "delete", "sha256:ab", "", "", "i:sha256:ab"},
      {"image", "untag", "sha256:ab", "", "", "i:sha256:ab"},
      {"image", "load", "sha256:ab", "", "", "i:sha256:ab"},
      {"image", "pull", "bb:latest", "bb", "", "image_list"},
      {"image", "pull", "sha256:../x", "bb", "", "image_list"},
      {"network", "create", "n1", "apps", "", "networks"},
      {"network", "destroy", "n1", "apps", "", "networks"},
      {"network", "connect", "n1", "apps", "c1", "c:c1"},
      {"network", "disconnect", "n1", "apps", "c1", "c:c1"},
      {"network", "connect", "n0", "bridge", "c1", "networks c:c1"},
      {"network", "connect", "n1", "apps", "", "networks"},
      {"volume", "create", "v1", "", "", "volumes"},
      {"volume", "destroy", "v1", "", "", "volumes"},
      {"volume", "mount", "v1", "", "", ""},
      {"daemon", "reload", "d1", "host", "", "daemon"},
      {"plugin", "enable", "p1", "authz", "", "daemon"},
      {"service", "update", "s1", "web", "", "swarm"},
      {"node", "update", "s1", "web", "", "swarm"},
      {"secret", "create", "s1", "web", "", ""},
      {"config", "create", "s1", "web", "", ""},
      {"something", "create", "x", "", "", ""},
  };
  for (const auto& c : kCases) {
    host::EngineEvent event;
    event.type = c.type;
    event.action = c.action;
    event.id = c.id;
    event.name = c.name;
    event.container = c.container;
    EXPECT_EQ(Words(ScopeOf(event)), c.scope) << c.type << " " << c.action << " " << c.id;
    EXPECT_EQ(IsUrgent(event), event.type == "container" && event.action == "create");
  }
}

TEST(EventScope, TheEngineFiltersWhatNobodyNeeds) {
  const std::string path = EventsPath("/v1.41", absl::InfinitePast());
  EXPECT_TRUE(absl::StartsWith(path, "/v1.41/events?filters=%7B%22event%22%3A%5B%22create%22%2C"));
  EXPECT_TRUE(absl::StrContains(path, "%22type%22%3A%5B%22container%22"));
  for (const char* noise : {"exec", "attach", "top", "health", "since", "\"", " "}) {
    EXPECT_FALSE(absl::StrContains(path, noise)) << noise;
  }
}

TEST(EventScope, SinceIsExactToTheNanosecond) {
  const std::string path = EventsPath("", absl::FromUnixNanos(1700000000000000042));
  EXPECT_TRUE(absl::StartsWith(path, "/events?"));
  EXPECT_TRUE(absl::EndsWith(path, "&since=1700000000.000000042"));
}

}  // namespace
}  // namespace plimsoll::tracker
