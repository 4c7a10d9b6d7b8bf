#include "collector/agent/agent.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "collector/agent/session.h"
#include "proto/support/key_files.h"

namespace plimsoll::agent {
namespace {

constexpr absl::Duration kFirstPause = absl::Seconds(1);
constexpr absl::Duration kLongestPause = absl::Minutes(2);

// Nothing that the next attempt could change.
bool IsFinal(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsFailedPrecondition(status);
}

std::string Hostname() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace

Agent::Agent(host::HostEnv& env, Config config)
    : env_(env), config_(std::move(config)), random_(std::random_device{}()) {}

absl::Status Agent::Run() {
  absl::Duration pause = kFirstPause;
  while (!stopped()) {
    auto identity = EnsureEnrolled();
    bool welcomed = false;
    absl::Status ended = identity.status();
    if (identity.ok()) {
      ended = Session(*identity, welcomed);
      if (stopped()) return absl::OkStatus();
      if (IsFinal(ended)) return ended;
      // The certificate was renewed: go on with the new one at once.
      if (ended.ok()) continue;
    } else if (!absl::IsUnavailable(ended) && !absl::IsDeadlineExceeded(ended) &&
               !absl::IsResourceExhausted(ended)) {
      return ended;
    }
    if (welcomed) pause = kFirstPause;
    const double jitter = std::uniform_real_distribution<double>(0.5, 1.5)(random_);
    spdlog::warn("no session with {}: {}; next attempt in {}", config_.controller,
                 std::string(ended.message()),
                 absl::FormatDuration(absl::Trunc(pause * jitter, absl::Milliseconds(100))));
    Pause(pause * jitter);
    pause = std::min(pause * 2, kLongestPause);
  }
  return absl::OkStatus();
}

void Agent::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (uplink_ != nullptr) uplink_->Interrupt();
}

absl::StatusOr<uplink::Identity> Agent::EnsureEnrolled() {
  auto identity = uplink::LoadIdentity(config_.state_dir, env_.clock.Now());
  if (!absl::IsNotFound(identity.status())) return identity;
  if (config_.enroll_token_file.empty() || config_.ca_file.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("this host is not enrolled (nothing in ", config_.state_dir,
                     "); give --ca FILE and --enroll-token-file FILE, with a token from `plimsoll "
                     "token create`"));
  }
  auto token = support::ReadKeyFile(config_.enroll_token_file, true);
  if (!token.ok()) return absl::FailedPreconditionError(token.status().message());
  auto ca = support::ReadKeyFile(config_.ca_file, false);
  if (!ca.ok()) return absl::FailedPreconditionError(ca.status().message());
  identity =
      uplink::Enroll(config_.controller, *ca, std::string(absl::StripAsciiWhitespace(*token)),
                     Hostname(), config_.state_dir);
  if (identity.ok()) spdlog::info("enrolled as {} at {}", identity->host_id, config_.controller);
  return identity;
}

absl::Status Agent::Session(const uplink::Identity& identity, bool& welcomed) {
  uplink::Uplink uplink(config_.controller, identity);
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) uplink.Interrupt();
    uplink_ = &uplink;
  }
  absl::Cleanup forget = [this] {
    absl::MutexLock lock(&mutex_);
    uplink_ = nullptr;
  };
  agent::Session session(env_, config_, identity, uplink, Hostname());
  const absl::Status served = session.Serve();
  welcomed = session.welcomed();
  const absl::Status finished = uplink.Finish();
  // What the controller said is worth more than "the session is over".
  if (absl::IsUnavailable(served) && !finished.ok()) return finished;
  return absl::IsCancelled(served) ? absl::OkStatus() : served;
}

void Agent::Pause(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stopped_), duration);
}

bool Agent::stopped() {
  absl::MutexLock lock(&mutex_);
  return stopped_;
}

}  // namespace plimsoll::agent
