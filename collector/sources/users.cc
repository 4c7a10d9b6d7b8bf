#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr char kDockerGroup[] = "docker";
constexpr size_t kMaxMembers = 4096;

// Names (or numbers) of groups that configuration gives the socket to.
std::set<std::string> ConfiguredGroups(const v1::DaemonFacts& daemon, const v1::UnitsFacts& units) {
  std::set<std::string> names = {kDockerGroup};
  names.insert(daemon.command_line().settings().group());
  names.insert(daemon.config_file().settings().group());
  for (const v1::Unit& unit : units.units()) names.insert(unit.socket_group());
  names.erase("");
  return names;
}

std::set<uint32_t> SocketOwners(const v1::FilesFacts& files) {
  std::set<uint32_t> gids;
  for (const v1::FileFact& file : files.files()) {
    if (file.type() == v1::FileFact::SOCKET) gids.insert(file.gid());
  }
  return gids;
}

// A name first, then a number, as the engine reads its own setting.
absl::StatusOr<host::GroupEntry> FindGroup(host::NameService& names, const std::string& name) {
  auto group = names.GroupByName(name);
  uint32_t gid = 0;
  if (!absl::IsNotFound(group.status()) || !absl::SimpleAtoi(name, &gid)) return group;
  return names.GroupById(gid);
}

void FillMembers(host::NameService& names, const host::GroupEntry& entry, OutcomeTimer& timer,
                 v1::Group* group) {
  using Member = v1::Group::Member;
  std::set<std::pair<std::string, Member::Via>> members;
  for (const std::string& user : entry.members) {
    members.emplace(CleanText(user), Member::SECONDARY);
  }
  const auto users = names.UsersWithPrimaryGroup(entry.gid);
  timer.Set(users.status());
  if (users.ok()) {
    for (const host::UserEntry& user : *users) {
      members.emplace(CleanText(user.name), Member::PRIMARY);
    }
  }
  for (const auto& [user, via] : members) {
    if (static_cast<size_t>(group->members_size()) == kMaxMembers) {
      timer.Set(v1::SourceOutcome::TRUNCATED,
                absl::StrCat("the group has more than ", kMaxMembers, " members"));
      break;
    }
    Member* member = group->add_members();
    member->set_user(user);
    member->set_via(via);
  }
}

}  // namespace

v1::UsersFacts CollectUsers(host::HostEnv& env, const v1::DaemonFacts& daemon,
                            const v1::FilesFacts& files, const v1::UnitsFacts& units) {
  v1::UsersFacts facts;
  OutcomeTimer timer(env.clock, facts.mutable_outcome());
  const std::set<uint32_t> owners = SocketOwners(files);
  std::set<uint32_t> known;
  std::vector<v1::Group> groups;
  for (const std::string& name : ConfiguredGroups(daemon, units)) {
    v1::Group group;
    {
      OutcomeTimer group_timer(env.clock, group.mutable_outcome());
      const auto entry = FindGroup(env.names, name);
      group_timer.Set(entry.status());
      group.set_name(CleanText(entry.ok() ? entry->name : name));
      if (entry.ok()) {
        if (!known.insert(entry->gid).second) continue;
        group.set_gid(entry->gid);
        group.set_owns_socket(owners.contains(entry->gid));
        FillMembers(env.names, *entry, group_timer, &group);
      }
    }
    groups.push_back(std::move(group));
  }
  for (const uint32_t gid : owners) {
    if (known.contains(gid)) continue;
    v1::Group group;
    {
      OutcomeTimer group_timer(env.clock, group.mutable_outcome());
      auto entry = env.names.GroupById(gid);
      // A number without a name may still be the own group of users.
      if (absl::IsNotFound(entry.status())) entry = host::GroupEntry{"", gid, {}};
      group_timer.Set(entry.status());
      group.set_gid(gid);
      group.set_owns_socket(true);
      if (entry.ok()) {
        group.set_name(CleanText(entry->name));
        FillMembers(env.names, *entry, group_timer, &group);
      }
    }
    groups.push_back(std::move(group));
  }
  std::sort(groups.begin(), groups.end(), [](const v1::Group& a, const v1::Group& b) {
    return std::make_pair(a.name(), a.gid()) < std::make_pair(b.name(), b.gid());
  });
  for (v1::Group& group : groups) *facts.add_groups() = std::move(group);
  timer.Set(v1::SourceOutcome::OK, "");
  return facts;
}

}  // namespace plimsoll::sources
