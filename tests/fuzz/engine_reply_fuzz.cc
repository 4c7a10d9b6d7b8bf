// What the engine replies, and what it wrote into its files. The first byte says which reply it is.
// Links: collector/sources collector/host
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/sources/daemon_json.h"
#include "collector/sources/sources.h"
#include "proto/support/clock.h"
#include "tests/fuzz/invariants.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/fake_ports.h"

namespace plimsoll::sources {
namespace {

constexpr char kId[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

// Answers with `listing` where it is asked for all objects, and with `other` else.
class Engine : public host::DockerClient {
 public:
  Engine(std::string listing, std::string other)
      : listing_(std::move(listing)), other_(std::move(other)) {}

  absl::StatusOr<std::string> Get(absl::string_view path) override {
    const bool lists = absl::EndsWith(path, "?all=1") || absl::EndsWith(path, "/images/json") ||
                       absl::EndsWith(path, "/networks");
    return lists ? listing_ : other_;
  }
  void GetEach(const std::vector<std::string>& paths, const Done& done) override {
    for (size_t i = 0; i < paths.size(); ++i) {
      const absl::StatusOr<std::string> body = Get(paths[i]);
      done(i, absl::string_view(*body));
    }
  }
  absl::StatusOr<host::PeerCredentials> Peer() override { return host::PeerCredentials{0, 0}; }

 private:
  const std::string listing_;
  const std::string other_;
};

// A host of which nothing is known but what its engine replies.
struct Host {
  explicit Host(Engine engine) : docker(std::move(engine)) {}
  Engine docker;
  test::FakeFileSystem files;
  test::FakeAuditNetlink audit;
  test::FakeNameService names;
  test::FakeSystemdBus systemd;
  support::FakeClock clock{absl::FromUnixSeconds(1800000000)};
  host::HostEnv env{
      docker, files, [this](int64_t) { return std::make_unique<test::FakeFileSystem>(files); },
      audit,  names, systemd,
      clock};
};

std::string ListOf(absl::string_view id) {
  return absl::StrCat(R"([{"Id": ")", id, R"(", "Name": "bridge", "Driver": "bridge"}])");
}

void Fuzz(int kind, const std::string& reply) {
  const std::string api = "/v1.41";
  switch (kind) {
    case 0: {
      Host host(Engine(reply, reply));
      const EngineReply engine = CollectEngine(host.env, "/run/docker.sock");
      fuzz::RequireReadable(engine.engine);
      return fuzz::RequireReadable(engine.swarm_from_info);
    }
    case 1: {
      Host host(Engine(reply, "{}"));
      return fuzz::RequireReadable(CollectContainers(host.env, api, {}, {}, {}, {}));
    }
    case 2: {
      Host host(Engine(ListOf(kId), reply));
      return fuzz::RequireReadable(CollectContainers(host.env, api, {}, {}, {}, {}));
    }
    case 3: {
      Host host(Engine(reply, "{}"));
      return fuzz::RequireReadable(CollectImages(host.env, api));
    }
    case 4: {
      Host host(Engine(ListOf(absl::StrCat("sha256:", kId)), reply));
      return fuzz::RequireReadable(CollectImages(host.env, api));
    }
    case 5: {
      Host host(Engine(reply, "{}"));
      return fuzz::RequireReadable(CollectNetworks(host.env, api));
    }
    case 6: {
      Host host(Engine("[]", reply));
      return fuzz::RequireReadable(CollectVolumes(host.env, api));
    }
    case 7: {
      Host host(Engine("[]", reply));
      host.files.AddFile("/var/lib/docker/swarm/docker-state.json", reply);
      v1::EngineFacts engine;
      engine.set_docker_root_dir("/var/lib/docker");
      v1::SwarmFacts manager;
      manager.set_control_available(true);
      return fuzz::RequireReadable(CollectSwarm(host.env, api, manager, engine, {}));
    }
    default: {
      v1::DaemonFacts::ConfigFile file;
      (void)ParseDaemonJson(reply, &file);
      return fuzz::RequireReadable(file);
    }
  }
}

}  // namespace
}  // namespace plimsoll::sources

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  plimsoll::sources::Fuzz((data[0] - '0') % 9, {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
