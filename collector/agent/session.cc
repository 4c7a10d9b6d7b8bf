#include "collector/agent/session.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/agent/offline_plan.h"
#include "collector/sources/sources.h"
#include "proto/support/digest.h"
#include "proto/support/version.h"

namespace plimsoll::agent {
namespace {

using google::protobuf::util::TimeUtil;

constexpr absl::Duration kWelcomeTimeout = absl::Seconds(20);

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  return TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(time));
}

}  // namespace

Session::Session(host::HostEnv& env, const Config& config, const uplink::Identity& identity,
                 uplink::Uplink& uplink, std::string hostname)
    : env_(env),
      config_(config),
      identity_(identity),
      uplink_(uplink),
      hostname_(std::move(hostname)),
      plan_(OfflinePlan()),
      interval_(config.interval) {}

absl::Status Session::Serve() {
  if (auto status = Greet(); !status.ok()) return status;
  while (!renewed_) {
    if (auto status = Act(); !status.ok()) return status;
    auto message = uplink_.Receive(NextDue());
    if (absl::IsDeadlineExceeded(message.status())) continue;
    if (!message.ok()) return message.status();
    if (auto status = Handle(*message); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Session::Greet() {
  v1::FromCollector message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_collector_version(support::kVersion);
  hello.set_protocol_version(support::kProtocolVersion);
  hello.set_hostname(hostname_);
  hello.mutable_labels()->insert(config_.labels.begin(), config_.labels.end());
  *hello.mutable_host_time() = ToTimestamp(env_.clock.Now());
  if (auto boot_id = env_.files.ReadFile("/proc/sys/kernel/random/boot_id", 64); boot_id.ok()) {
    hello.set_boot_id(boot_id->substr(0, boot_id->find('\n')));
  }
  if (auto status = Send(message); !status.ok()) return status;
  auto answer = uplink_.Receive(env_.clock.Now() + kWelcomeTimeout);
  if (!answer.ok()) return answer.status();
  if (!answer->has_welcome())
    return absl::InternalError("the controller's first message is not Welcome");
  const v1::Welcome& welcome = answer->welcome();
  welcomed_ = true;
  sequence_ = welcome.last_sequence();
  plan_ = welcome.plan();
  if (plan_.has_interval()) interval_ = std::min(interval_, ToDuration(plan_.interval()));
  if (welcome.has_heartbeat_interval())
    heartbeat_interval_ = ToDuration(welcome.heartbeat_interval());
  next_heartbeat_ = env_.clock.Now() + heartbeat_interval_;
  spdlog::info("session began controller={} host={}", config_.controller, welcome.host_id());
  return absl::OkStatus();
}

absl::Status Session::Handle(const v1::ToCollector& message) {
  switch (message.kind_case()) {
    case v1::ToCollector::kAck:
      if (unacknowledged_ != 0 && message.ack().sequence() >= unacknowledged_) {
        acknowledged_digest_ = std::exchange(unacknowledged_digest_, "");
        unacknowledged_ = 0;
      }
      return absl::OkStatus();
    case v1::ToCollector::kScanRequest: {
      const std::string& id = message.scan_request().scan_id();
      if (std::find(scan_ids_.begin(), scan_ids_.end(), id) == scan_ids_.end())
        scan_ids_.push_back(id);
      collect_now_ = true;
      return absl::OkStatus();
    }
    case v1::ToCollector::kPlanChanged:
      plan_ = message.plan_changed().plan();
      collect_now_ = true;
      return absl::OkStatus();
    case v1::ToCollector::kSlowDown:
      silent_until_ = env_.clock.Now() + ToDuration(message.slow_down().pause());
      return absl::OkStatus();
    case v1::ToCollector::kResync:
      spdlog::info("the controller asks for everything: {}", message.resync().reason());
      unacknowledged_ = 0;
      resync_ = true;
      collect_now_ = true;
      scan_ids_.insert(scan_ids_.end(), answered_scan_ids_.begin(), answered_scan_ids_.end());
      return absl::OkStatus();
    case v1::ToCollector::kRenewed: {
      const absl::Status saved = uplink::SaveIdentity(config_.state_dir, identity_.key_pem,
                                                      message.renewed().certificate_pem(),
                                                      message.renewed().ca_bundle_pem());
      if (!saved.ok()) {
        spdlog::error("renewed certificate not saved: {}", saved.ToString());
        return absl::OkStatus();
      }
      spdlog::info("certificate renewed");
      renewed_ = true;
      return absl::OkStatus();
    }
    case v1::ToCollector::kWelcome:
      return absl::InternalError("a second Welcome");
    case v1::ToCollector::KIND_NOT_SET:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status Session::Act() {
  const absl::Time now = env_.clock.Now();
  const bool silent = now < silent_until_;
  if (!silent && unacknowledged_ == 0 && (collect_now_ || now >= next_collection_)) {
    if (auto status = CollectAndSend(); !status.ok()) return status;
  }
  if (env_.clock.Now() >= next_heartbeat_) {
    if (auto status = SendHeartbeat(); !status.ok()) return status;
  }
  if (!renewal_asked_ && identity_.RenewalDue(now)) return AskForRenewal();
  return absl::OkStatus();
}

absl::Status Session::CollectAndSend() {
  collect_now_ = false;
  answered_scan_ids_ = std::exchange(scan_ids_, {});
  const std::vector<std::string>& scan_ids = answered_scan_ids_;
  const absl::Time start = env_.clock.Now();
  v1::HostFacts facts = sources::CollectAll(env_, plan_, config_.docker_socket, config_.labels);
  const absl::Time now = env_.clock.Now();
  next_collection_ = now + interval_;
  const std::string digest = support::FactsDigest(facts);
  spdlog::debug("collected containers={} took={}", facts.containers().containers_size(),
                absl::FormatDuration(now - start));

  v1::FromCollector message;
  if (!resync_ && digest == acknowledged_digest_) {
    if (scan_ids.empty()) return absl::OkStatus();
    v1::Heartbeat& heartbeat = *message.mutable_heartbeat();
    heartbeat.set_facts_digest(digest);
    heartbeat.mutable_scan_ids()->Assign(scan_ids.begin(), scan_ids.end());
    *heartbeat.mutable_host_time() = ToTimestamp(now);
    return Send(message);
  }
  v1::FactsDelta& delta = *message.mutable_facts_delta();
  delta.set_sequence(++sequence_);
  delta.set_new_digest(digest);
  *delta.mutable_observed_time() = facts.observed_time();
  delta.mutable_scan_ids()->Assign(scan_ids.begin(), scan_ids.end());
  *delta.mutable_changed() = std::move(facts);
  resync_ = false;
  unacknowledged_ = sequence_;
  unacknowledged_digest_ = digest;
  return Send(message);
}

absl::Status Session::SendHeartbeat() {
  next_heartbeat_ = env_.clock.Now() + heartbeat_interval_;
  v1::FromCollector message;
  *message.mutable_heartbeat()->mutable_host_time() = ToTimestamp(env_.clock.Now());
  return Send(message);
}

absl::Status Session::AskForRenewal() {
  renewal_asked_ = true;
  auto request = uplink::MakeRequest(identity_.key_pem);
  if (!request.ok()) return request.status();
  v1::FromCollector message;
  message.mutable_renew()->set_certificate_signing_request(*std::move(request));
  return Send(message);
}

absl::Time Session::NextDue() const {
  absl::Time due = next_heartbeat_;
  if (unacknowledged_ == 0) due = std::min(due, std::max(next_collection_, silent_until_));
  if (unacknowledged_ == 0 && collect_now_) due = std::min(due, silent_until_);
  return due;
}

absl::Status Session::Send(const v1::FromCollector& message) {
  return uplink_.Send(message) ? absl::OkStatus() : absl::UnavailableError("the session is over");
}

}  // namespace plimsoll::agent
