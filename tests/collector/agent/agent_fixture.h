// A collector on a host that a test changes, and a controller whose words it chooses.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "collector/agent/agent.h"
#include "tests/collector/agent/fake_sight.h"
#include "tests/support/fake_engine_host.h"
#include "tests/support/fake_gateway.h"

namespace plimsoll::agent {

// The machine's clock, and a test may set it.
class SetClock : public support::Clock {
 public:
  absl::Time Now() const override { return Real().Now() + absl::Milliseconds(ahead_ms_.load()); }
  // From the true time on; negative: behind it. Any thread.
  void Set(absl::Duration ahead) { ahead_ms_ = absl::ToInt64Milliseconds(ahead); }

 private:
  std::atomic<int64_t> ahead_ms_ = 0;
};

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    char dir[] = "/tmp/plimsoll-agent-XXXXXX";
    config_.state_dir = mkdtemp(dir);
    config_.controller = gateway_.address();
    config_.nice = 0;
    config_.reconnect_min = absl::Milliseconds(10);
    config_.reconnect_max = absl::Milliseconds(100);
    config_.labels["env"] = "prod";
    Enrol(absl::Hours(1));
    welcome_.set_protocol_version(2);
    welcome_.set_host_id("h-1");
    welcome_.mutable_plan()->add_paths("/etc/docker");
    welcome_.mutable_plan()->set_digest("plan-1");
    welcome_.mutable_limits()->set_max_unacknowledged_deltas(4);
    welcome_.mutable_limits()->set_max_message_bytes(4 << 20);
    welcome_.mutable_heartbeat_interval()->set_seconds(30);
    engine_.files.AddFile("/proc/sys/kernel/random/boot_id", "boot-1\n");
  }
  ~AgentTest() override {
    Stop().IgnoreError();
    std::filesystem::remove_all(config_.state_dir);
  }

  void Enrol(absl::Duration left) {
    const test::Issued issued = authority_.Issue("URI:plimsoll://host/h-1", left);
    ASSERT_TRUE(uplink::SaveIdentity(config_.state_dir, issued.key_pem, issued.certificate_pem,
                                     authority_.pem())
                    .ok());
  }

  void Start() {
    agent_ = std::make_unique<Agent>(env_, config_, std::make_unique<FakeSight>(host_));
    runner_ = std::thread([this] { ended_ = agent_->Run(); });
  }
  // Stops the collector; returns how Run ended.
  absl::Status Stop() {
    if (agent_ == nullptr) return ended_;
    agent_->Stop();
    return Join();
  }
  absl::Status Join() {
    runner_.join();
    agent_.reset();
    return ended_;
  }

  // The next session, welcomed as a controller that has what `store_` has.
  std::shared_ptr<test::FarSession> Session() {
    auto session = gateway_.Accept();
    if (session == nullptr) {
      ADD_FAILURE() << "no session";
      std::abort();
    }
    const auto first = session->Next();
    EXPECT_TRUE(first.has_value() && first->has_hello());
    if (first.has_value()) hello_ = first->hello();
    welcome_.set_last_sequence(store_.sequence);
    welcome_.set_resync(store_.digest.empty() ||
                        (hello_.facts_digest() != store_.digest &&
                         store_.sequence <= hello_.last_acknowledged_sequence()));
    session->Welcome(welcome_);
    return session;
  }

  // Takes the next delta as an honest controller would, and acknowledges it.
  v1::FactsDelta Take(test::FarSession& session) {
    const auto delta = session.NextDelta();
    EXPECT_TRUE(delta.has_value());
    if (!delta.has_value()) return {};
    EXPECT_TRUE(store_.Take(*delta)) << delta->ShortDebugString();
    session.Ack(delta->sequence());
    return *delta;
  }

  // Waits until the collector knows every acknowledgement: no sooner does it confirm a scan.
  static void Settle(test::FarSession& session) {
    session.Scan("settled");
    EXPECT_TRUE(session.NextAnswer().has_value());
  }

  // Containers of the facts stored, by id; privileged ones with "!".
  std::vector<std::string> Stored() const {
    std::vector<std::string> ids;
    for (const v1::Container& container : store_.facts.containers().containers()) {
      ids.push_back(container.id() + (container.privileged() ? "!" : ""));
    }
    return ids;
  }

  test::TestAuthority authority_{support::Clock::Real().Now()};
  test::FakeGateway gateway_{authority_};
  std::shared_ptr<FakeHost> host_ = std::make_shared<FakeHost>();
  test::FakeEngineHost engine_;
  SetClock clock_;
  host::HostEnv env_{engine_.docker, engine_.files, engine_.env.files_of_process,
                     engine_.audit,  engine_.names, engine_.systemd,
                     clock_};
  Config config_;
  v1::Welcome welcome_;
  v1::Hello hello_;
  test::FarStore store_;
  std::unique_ptr<Agent> agent_;
  std::thread runner_;
  absl::Status ended_;
};

}  // namespace plimsoll::agent
