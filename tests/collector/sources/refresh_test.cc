#include "collector/sources/refresh.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "collector/sources/sources.h"
#include "proto/support/facts_digest.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

constexpr char kSocket[] = "/run/docker.sock";
constexpr int kDaemon = 1234;

std::string Id(char letter) { return std::string(64, letter); }

// A host whose every source answers, and whose engine's objects a test changes one by one.
class RefreshTest : public testing::Test {
 protected:
  RefreshTest() {
    plan_.add_paths("/etc/docker/daemon.json");
    plan_.add_units("docker.service");
    host_.files.AddFile("/proc/stat", "cpu 1 2 3\nbtime 1600000000\n")
        .AddSymlink("/proc/self/ns/user", "user:[4026531837]")
        .AddDirectory("/etc/docker")
        .AddSocket("/run/docker.sock")
        .AddSymlink("/var/run", "/run")
        .AddDirectory("/var/lib/docker/volumes/v1/_data")
        .AddDirectory("/srv/data");
    AddProcess(kDaemon, "/usr/sbin/dockerd", std::string("dockerd\0", 8));
    host_.docker.SetPeer(host::PeerCredentials{kDaemon, 0});
    host_.docker.Serve("/version",
                       R"({"ApiVersion": "1.41", "MinAPIVersion": "1.12",
                           "Components": [{"Name": "Engine", "Version": "20.10.24"}]})");
    ServeInfo("");
    Serve("/networks", "[]");
    Serve("/volumes", R"({"Volumes": []})");
    SetContainer(Id('a'), "web", "running");
    SetContainer(Id('b'), "db", "exited");
    SetImage("sha256:used", "bb:1");
    SetImage("sha256:idle", "bb:2");
  }

  void AddProcess(int pid, const std::string& executable, const std::string& cmdline) {
    const std::string at = absl::StrCat("/proc/", pid);
    host_.files
        .AddFile(at + "/stat", absl::StrCat(pid, " (x) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9",
                                            " 0 4250 1 2"))
        .AddFile(at + "/status", "Name:\tx\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n")
        .AddFile(at + "/cmdline", cmdline)
        .AddFile(at + "/environ", "")
        .AddFile(at + "/mountinfo", "1 0 8:1 / / rw - ext4 /dev/a rw\n")
        .AddFile(at + "/net/tcp", "heading\n")
        .AddDirectory(at + "/fd")
        .AddFile(absl::StrCat(at, "/task/", pid, "/children"), "")
        .AddSymlink(at + "/exe", executable)
        .AddSymlink(at + "/cwd", "/")
        .AddSymlink(at + "/ns/user", "user:[4026531837]");
  }
  void Serve(const std::string& path, const std::string& body) {
    host_.docker.Serve("/v1.41" + path, body);
  }
  void ServeInfo(const std::string& more) {
    Serve("/info",
          absl::StrCat(R"({"ID": "E", "Driver": "overlay2", "DockerRootDir": "/var/lib/docker",)",
                       R"("LoggingDriver": "json-file", "Containers": 7, "Images": 9,)",
                       R"("Swarm": {"LocalNodeState": "inactive"})", more, "}"));
  }
  void List() {
    std::string list;
    for (const auto& [id, name] : containers_) {
      absl::StrAppend(&list, list.empty() ? "" : ",", R"({"Id": ")", id, R"(", "Names": ["/)", name,
                      R"("]})");
    }
    Serve("/containers/json?all=1", absl::StrCat("[", list, "]"));
  }
  void SetContainer(const std::string& id, const std::string& name, const std::string& status,
                    const std::string& more = "", const std::string& mounts = "",
                    const std::string& image = "sha256:used") {
    containers_[id] = name;
    Serve(
        absl::StrCat("/containers/", id, "/json"),
        absl::StrCat(R"({"Id": ")", id, R"(", "Name": "/)", name, R"(", "Image": ")", image,
                     R"(", "State": {"Status": ")", status, R"("}, "Config": {}, "HostConfig": {)",
                     more, R"(}, "NetworkSettings": {}, "Mounts": [)", mounts, "]}"));
    List();
  }
  void RemoveContainer(const std::string& id) {
    containers_.erase(id);
    host_.docker.Fail(absl::StrCat("/v1.41/containers/", id, "/json"),
                      absl::NotFoundError("HTTP 404"));
    List();
  }
  void SetImage(const std::string& id, const std::string& tag) {
    images_[id] = tag;
    Serve(absl::StrCat("/images/", id, "/json"),
          absl::StrCat(R"({"Id": ")", id, R"(", "Config": {"User": "app"}})"));
    ListImages();
  }
  void ListImages() {
    std::string list;
    for (const auto& [id, tag] : images_) {
      absl::StrAppend(&list, list.empty() ? "" : ",", R"({"Id": ")", id, R"(", "RepoTags": [")",
                      tag, R"("]})");
    }
    Serve("/images/json", absl::StrCat("[", list, "]"));
  }

  v1::HostFacts All() { return CollectAll(host_.env, plan_, kSocket, {{"site", "x"}}); }
  static std::string Digest(const v1::HostFacts& facts) {
    return support::FactsDigestTree(facts).Digest();
  }
  // Refreshes `facts_`, and holds them against a whole collection. Returns what the refresh asked
  // the engine for.
  std::map<std::string, int> Refreshed(const Scope& scope) {
    const std::map<std::string, int> before = host_.docker.all_calls();
    host_.clock.Advance(absl::Seconds(5));
    Refresh(host_.env, plan_, kSocket, {{"site", "x"}}, scope, facts_);
    std::map<std::string, int> calls = host_.docker.all_calls();
    for (const auto& [path, count] : before) {
      if ((calls[path] -= count) == 0) calls.erase(path);
    }
    const v1::HostFacts all = All();
    EXPECT_EQ(absl::BytesToHexString(Digest(facts_)), absl::BytesToHexString(Digest(all)))
        << "refreshed:\n"
        << facts_.DebugString() << "\nall:\n"
        << all.DebugString();
    EXPECT_EQ(facts_.observed_time().seconds(), all.observed_time().seconds());
    return calls;
  }
  static Scope Containers(const std::set<std::string>& ids) {
    Scope scope;
    scope.containers = ids;
    return scope;
  }
  static Scope Flag(bool Scope::*flag) {
    Scope scope;
    scope.*flag = true;
    return scope;
  }

  using Calls = std::map<std::string, int>;
  test::FakeEngineHost host_;
  v1::CollectionPlan plan_;
  std::map<std::string, std::string> containers_;
  std::map<std::string, std::string> images_;
  v1::HostFacts facts_;
};

TEST_F(RefreshTest, OneChangedContainerIsOneInspect) {
  facts_ = All();
  ASSERT_EQ(facts_.containers().containers_size(), 2);
  ASSERT_EQ(facts_.containers().outcome().state(), v1::SourceOutcome::OK);
  const std::string digest = Digest(facts_);
  SetContainer(Id('b'), "db2", "running", R"("Privileged": true)");
  EXPECT_EQ(Refreshed(Containers({Id('b')})),
            (Calls{{absl::StrCat("/v1.41/containers/", Id('b'), "/json"), 1}}));
  EXPECT_NE(Digest(facts_), digest);
  EXPECT_TRUE(facts_.containers().containers(1).privileged());
  EXPECT_EQ(facts_.containers().containers(1).name(), "db2");
}

TEST_F(RefreshTest, ContainersComeAndGoInTheOrderOfKeys) {
  facts_ = All();
  SetContainer(Id('0'), "first", "created");
  SetContainer(Id('c'), "last", "created", "", "", "sha256:idle");
  RemoveContainer(Id('a'));
  const Calls calls = Refreshed(Containers({Id('0'), Id('a'), Id('c'), Id('d'), "../../info"}));
  EXPECT_EQ(calls.size(), 4u) << "no listing, and nothing for what is no id";
  ASSERT_EQ(facts_.containers().containers_size(), 3);
  EXPECT_EQ(facts_.containers().containers(0).name(), "first");
  EXPECT_EQ(facts_.containers().containers(2).name(), "last");
  EXPECT_EQ(facts_.images().images(0).container_count(), 1) << "idle";
  EXPECT_EQ(facts_.images().images(1).container_count(), 2) << "used";
}

TEST_F(RefreshTest, TheEnginesSectionStaysWhenAContainerStarts) {
  facts_ = All();
  EXPECT_EQ(facts_.engine().container_count(), 0) << "the listing counts better";
  EXPECT_EQ(facts_.engine().image_count(), 0);
  host_.docker.Fail("/v1.41/containers/json?all=1", absl::DeadlineExceededError("slow"));
  EXPECT_EQ(All().engine().container_count(), 7) << "but only where there is one";
}

TEST_F(RefreshTest, ARefusedInspectIsMadeUpForByTheListing) {
  facts_ = All();
  SetContainer(Id('c'), "new", "running");
  host_.docker.Fail(absl::StrCat("/v1.41/containers/", Id('c'), "/json"),
                    absl::PermissionDeniedError("a plugin says no"));
  const Calls calls = Refreshed(Containers({Id('c')}));
  EXPECT_EQ(calls.at("/v1.41/containers/json?all=1"), 1);
  ASSERT_EQ(facts_.containers().containers_size(), 3);
  EXPECT_EQ(facts_.containers().containers(2).name(), "new");
}

TEST_F(RefreshTest, AHungContainerCostsOnlyItself) {
  facts_ = All();
  host_.docker.Fail(absl::StrCat("/v1.41/containers/", Id('a'), "/json"),
                    absl::DeadlineExceededError("no reply"));
  const Scope scope = Containers({Id('a')});
  Refresh(host_.env, plan_, kSocket, {{"site", "x"}}, scope, facts_);
  EXPECT_EQ(host_.docker.calls("/v1.41/containers/json?all=1"), 1) << "that of All()";
  const v1::Container& hung = facts_.containers().containers(0);
  EXPECT_EQ(hung.outcome().state(), v1::SourceOutcome::TIMED_OUT);
  EXPECT_EQ(hung.name(), "web");
  EXPECT_FALSE(hung.has_privileged()) << "what was known before is no evidence any more";
}

TEST_F(RefreshTest, ImagesAreListedAndOnlyNewOnesInspected) {
  facts_ = All();
  SetImage("sha256:idle", "bb:3");
  SetImage("sha256:new", "bb:4");
  images_.erase("sha256:used");
  ListImages();
  Scope scope;
  scope.images = {"sha256:idle"};
  EXPECT_EQ(Refreshed(scope), (Calls{{"/v1.41/images/json", 1},
                                     {"/v1.41/images/sha256:idle/json", 1},
                                     {"/v1.41/images/sha256:new/json", 1}}));
  ASSERT_EQ(facts_.images().images_size(), 2);
  EXPECT_EQ(Refreshed(Flag(&Scope::image_list)), (Calls{{"/v1.41/images/json", 1}}));
}

TEST_F(RefreshTest, AVolumeDecidesWhereAMountComesFrom) {
  const std::string mount =
      R"({"Type": "volume", "Name": "v1", "Driver": "local", "Destination": "/x",)"
      R"("Source": "/var/lib/docker/volumes/v1/_data"})";
  SetContainer(Id('a'), "web", "running", "", mount);
  facts_ = All();
  using Mount = v1::Container::Mount;
  const auto mount_of = [&] { return facts_.containers().containers(0).mounts(0); };
  EXPECT_EQ(mount_of().resolution(), Mount::OPTIONS_UNREADABLE);
  Serve("/volumes", R"({"Volumes": [{"Name": "v1", "Driver": "local",
      "Options": {"o": "bind,rshared", "device": "/srv/data"}}]})");
  EXPECT_EQ(Refreshed(Flag(&Scope::volumes)), (Calls{{"/v1.41/volumes", 1}}));
  EXPECT_EQ(mount_of().resolution(), Mount::VOLUME_BIND);
  EXPECT_EQ(mount_of().real_source(), "/srv/data");
  Serve("/volumes", R"({"Volumes": [{"Name": "v1", "Driver": "local"}]})");
  Refreshed(Flag(&Scope::volumes));
  EXPECT_EQ(mount_of().resolution(), Mount::RESOLVED);
  EXPECT_EQ(mount_of().volume_propagation_size(), 0);
}

TEST_F(RefreshTest, PublishedPortsChangeTheListeners) {
  facts_ = All();
  host_.files.AddFile("/proc/1234/task/1234/children", "77 ");
  AddProcess(77, "/usr/bin/docker-proxy", "docker-proxy");
  Serve(absl::StrCat("/containers/", Id('a'), "/json"),
        absl::StrCat(R"({"Id": ")", Id('a'), R"(", "Name": "/web", "Image": "sha256:used",)",
                     R"("State": {"Status": "running"}, "Config": {}, "HostConfig": {},)",
                     R"("NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0",)",
                     R"("HostPort": "8080"}]}}, "Mounts": []})"));
  EXPECT_EQ(Refreshed(Containers({Id('a')})).size(), 1u);
  EXPECT_EQ(facts_.listeners().docker_proxy_count(), 1);
}

TEST_F(RefreshTest, ConfigurationAndFiles) {
  facts_ = All();
  host_.files.AddFile("/etc/docker/daemon.json", R"({"icc": false})", 0600);
  const Calls calls = Refreshed(Flag(&Scope::daemon));
  EXPECT_EQ(calls, (Calls{{"/version", 1}, {"/v1.41/info", 1}}));
  EXPECT_TRUE(facts_.daemon().config_file().settings().has_icc());
  host_.files.AddFile("/etc/docker/daemon.json", R"({"icc": false})", 0666);
  EXPECT_TRUE(Refreshed(Flag(&Scope::files)).empty());
  // The socket's group decides whose members count.
  host_.files.AddSocket("/run/docker.sock", 0660, {0, 999});
  host_.names.groups.push_back({"ops", 999, {"eve"}});
  EXPECT_TRUE(Refreshed(Flag(&Scope::files)).empty());
  ASSERT_GE(facts_.users().groups_size(), 1);
  host_.names.groups[0].members.push_back("mallory");
  EXPECT_TRUE(Refreshed(Flag(&Scope::users)).empty());
}

TEST_F(RefreshTest, AuditMountsNetworksAndSwarm) {
  facts_ = All();
  host_.files.AddFile("/etc/audit/auditd.conf", "log_file = /srv/data/audit.log\n")
      .AddFile("/etc/audit/rules.d/docker.rules", "-w /etc/docker -p wa\n");
  EXPECT_TRUE(Refreshed(Flag(&Scope::audit)).empty());
  EXPECT_EQ(facts_.mounts().audit_log_directory(), "/srv/data");
  host_.files.AddFile("/proc/1234/mountinfo",
                      "1 0 8:1 / / rw - ext4 /dev/a rw\n"
                      "2 1 8:2 / /var/lib/docker rw - xfs /dev/b rw\n");
  EXPECT_TRUE(Refreshed(Flag(&Scope::mounts)).empty());
  EXPECT_EQ(facts_.mounts().entries_size(), 2);
  Serve("/networks", R"([{"Id": "n1", "Name": "apps", "Driver": "bridge"}])");
  EXPECT_EQ(Refreshed(Flag(&Scope::networks)), (Calls{{"/v1.41/networks", 1}}));
  Serve("/info", R"({"ID": "E", "Driver": "overlay2", "DockerRootDir": "/var/lib/docker",
      "LoggingDriver": "json-file", "Swarm": {"LocalNodeState": "active", "NodeID": "n"}})");
  Refreshed(Flag(&Scope::swarm));
  EXPECT_EQ(facts_.swarm().node_id(), "n");
  SetContainer(Id('c'), "new", "created");
  Refreshed(Flag(&Scope::container_list));
  EXPECT_EQ(facts_.containers().containers_size(), 3);
}

TEST_F(RefreshTest, AnotherEngineIsCollectedWhole) {
  facts_ = All();
  // A restart: another process, with other flags.
  host_.files.Remove("/proc/1234");
  AddProcess(99, "/usr/sbin/dockerd", std::string("dockerd\0--icc=false\0", 20));
  host_.docker.SetPeer(host::PeerCredentials{99, 0});
  SetContainer(Id('c'), "new", "created");
  EXPECT_EQ(Refreshed(Flag(&Scope::daemon)).count("/v1.41/containers/json?all=1"), 1u);
  EXPECT_EQ(facts_.daemon().pid(), 99);
  EXPECT_EQ(facts_.containers().containers_size(), 3);
}

TEST_F(RefreshTest, AnEngineThatIsAwayTakesItsObjectsAlongAndBringsThemBack) {
  facts_ = All();
  const std::string digest = Digest(facts_);
  test::FakeDockerClient silent;
  silent.FailOthers(absl::UnavailableError("nobody listens"))
      .SetPeer(absl::UnavailableError("nobody listens"));
  host::HostEnv away{silent,      host_.files, host_.env.files_of_process,
                     host_.audit, host_.names, host_.systemd,
                     host_.clock};
  Refresh(away, plan_, kSocket, {{"site", "x"}}, Containers({Id('a')}), facts_);
  EXPECT_EQ(facts_.containers().outcome().state(), v1::SourceOutcome::UNAVAILABLE);
  EXPECT_EQ(facts_.containers().containers_size(), 0);
  EXPECT_EQ(Digest(facts_), Digest(CollectAll(away, plan_, kSocket, {{"site", "x"}})));
  Refreshed(Flag(&Scope::daemon));
  EXPECT_EQ(Digest(facts_), digest);
}

TEST_F(RefreshTest, WithoutAnEarlierCollectionEverythingIsCollected) {
  Refreshed(Containers({Id('a')}));
  EXPECT_EQ(facts_.containers().containers_size(), 2);
  Refreshed(Flag(&Scope::all));
}

TEST_F(RefreshTest, WhatIsNotNamedKeepsItsTime) {
  facts_ = All();
  const auto files = facts_.files().outcome().observed_time().seconds();
  const auto other = facts_.containers().containers(0).outcome().observed_time().seconds();
  Refreshed(Containers({Id('b')}));
  EXPECT_EQ(facts_.files().outcome().observed_time().seconds(), files);
  EXPECT_EQ(facts_.containers().containers(0).outcome().observed_time().seconds(), other);
  EXPECT_EQ(facts_.containers().containers(1).outcome().observed_time().seconds(), other + 5);
}

TEST(Scope, MergesEveryPart) {
  Scope everything;
  for (bool Scope::*part :
       {&Scope::all, &Scope::container_list, &Scope::image_list, &Scope::networks, &Scope::volumes,
        &Scope::swarm, &Scope::daemon, &Scope::files, &Scope::audit, &Scope::mounts, &Scope::users,
        &Scope::listeners}) {
    Scope one;
    EXPECT_TRUE(one.empty());
    one.*part = true;
    EXPECT_FALSE(one.empty());
    everything.Merge(one);
    EXPECT_TRUE(everything.*part);
  }
  Scope objects;
  objects.containers = {"a"};
  objects.images = {"b"};
  everything.Merge(objects);
  everything.Merge(Scope());
  EXPECT_EQ(everything.containers, objects.containers);
  EXPECT_EQ(everything.images, objects.images);
}

}  // namespace
}  // namespace plimsoll::sources
