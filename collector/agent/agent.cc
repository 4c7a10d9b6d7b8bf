#include "collector/agent/agent.h"

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/key_files.h"
#include "proto/support/logging.h"

namespace plimsoll::agent {
namespace {

constexpr char kQuarantineAdvice[] =
    "Changes are kept meanwhile. If the host is in quarantine, two machines use its identity: give "
    "the cloned one a token of its own and --enroll-again; then an administrator releases the host "
    "at the controller.";
constexpr char kCertificateAdvice[] =
    "Changes are kept meanwhile. This machine's certificate is not accepted: if the host was "
    "enrolled again elsewhere, stop this collector; else give it a token and --enroll-again.";

// What to do where a controller's answer waits for somebody to act: asking every minute would only
// fill two logs. Null: it does not.
const char* AdviceFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kFailedPrecondition:
      return kQuarantineAdvice;
    case absl::StatusCode::kUnauthenticated:
      return kCertificateAdvice;
    case absl::StatusCode::kOutOfRange:
      return "Changes are kept meanwhile.";
    default:
      return nullptr;
  }
}

// Trying again may mend it.
bool IsPassing(const absl::Status& enrolled) {
  return absl::IsUnavailable(enrolled) || absl::IsDeadlineExceeded(enrolled) ||
         absl::IsResourceExhausted(enrolled) || absl::IsAborted(enrolled);
}

std::string Shown(absl::Duration pause) {
  return absl::FormatDuration(absl::Trunc(pause, absl::Milliseconds(100)));
}

std::string Hostname() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

std::string BootId(const host::HostEnv& env) {
  const auto id = env.files.ReadFile("/proc/sys/kernel/random/boot_id", 64);
  return id.ok() ? id->substr(0, id->find('\n')) : "";
}

// Of this thread and of those it starts.
void BeModest(int nice) {
  if (setpriority(PRIO_PROCESS, 0, nice) != 0) spdlog::warn("--nice {} was refused", nice);
  // An arena a thread would cost more memory than all facts.
  mallopt(M_ARENA_MAX, 2);
}

}  // namespace

Agent::Agent(host::HostEnv& env, Config config, std::unique_ptr<Sight> sight)
    : env_(env),
      config_(std::move(config)),
      sight_(std::move(sight)),
      backoff_(config_.reconnect_min, config_.reconnect_max) {}

Agent::~Agent() = default;

absl::Status Agent::Run() {
  BeModest(config_.nice);
  absl::Status status = RunUntilStopped();
  if (recorder_ != nullptr) recorder_->Stop();
  if (spool_ != nullptr) spool_->Flush();
  absl::MutexLock lock(&mutex_);
  done_ = true;
  return status;
}

absl::Status Agent::RunUntilStopped() {
  // How the last session ended.
  absl::Status last;
  bool renewed = false;
  while (!stopped()) {
    auto identity = EnsureEnrolled();
    if (!identity.ok()) {
      const absl::Status& status = identity.status();
      if (IsPassing(status)) {
        PauseAfter(status);
      } else if (absl::IsFailedPrecondition(status) && recorder_ != nullptr) {
        // What is recorded is worth more than an end: a new token may still come.
        PauseForPeople(absl::StrCat("this host cannot go to the controller ", config_.controller,
                                    ": ", status.message(), ". Changes are kept meanwhile."));
      } else {
        return status;
      }
      continue;
    }
    if (auto status = StartRecording(); !status.ok()) return status;
    if (auto status = RenewOutside(last, *identity); !status.ok()) return status;
    const Ended ended = Serve(*identity);
    if (stopped()) break;
    if (absl::IsPermissionDenied(ended.status)) return ended.status;
    if (ended.lasted >= config_.worthwhile_session) backoff_.Reset();
    last = ended.status;
    // The certificate was renewed: go on with the new one at once. Again and again it is not worth
    // the hurry: it lives for minutes, or a clock is wrong.
    const bool again = std::exchange(renewed, last.ok());
    if (!last.ok() || (again && ended.lasted < config_.worthwhile_session)) PauseAfter(last);
  }
  return absl::OkStatus();
}

void Agent::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  drain_deadline_ = env_.clock.Now() + config_.drain_time;
  if (recorder_ != nullptr) recorder_->RequestStop();
  if (session_ != nullptr) session_->Drain(drain_deadline_);
  mutex_.AwaitWithTimeout(absl::Condition(&done_), config_.drain_time);
  // Blocked in the network.
  if (uplink_ != nullptr) uplink_->Cancel();
}

absl::StatusOr<uplink::Identity> Agent::EnsureEnrolled() {
  auto identity = uplink::LoadIdentity(config_.state_dir, env_.clock.Now());
  if (!absl::IsNotFound(identity.status()) && !MustEnrollAgain()) return identity;
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

absl::Status Agent::RenewOutside(const absl::Status& last, uplink::Identity& identity) {
  // A controller that is away or hangs renews nothing, and this would keep Stop waiting.
  const bool answers = !absl::IsUnavailable(last) && !absl::IsDeadlineExceeded(last);
  if (last.ok() || !answers || !identity.RenewalDue(env_.clock.Now())) return absl::OkStatus();
  auto renewed = uplink::Renew(config_.controller, identity, config_.state_dir);
  if (renewed.ok()) {
    spdlog::info("certificate renewed");
    identity = *std::move(renewed);
  } else if (absl::IsPermissionDenied(renewed.status())) {
    return renewed.status();
  } else {
    spdlog::warn("certificate not renewed: {}", support::LogSafe(renewed.status().message()));
  }
  return absl::OkStatus();
}

bool Agent::MustEnrollAgain() const {
  if (!config_.enroll_again) return false;
  const auto token = support::ReadKeyFile(config_.enroll_token_file, true);
  // Needed once, and often gone afterwards.
  if (!token.ok()) return !absl::IsNotFound(token.status());
  return !uplink::EnrolledWith(config_.state_dir, std::string(absl::StripAsciiWhitespace(*token)));
}

absl::Status Agent::StartRecording() {
  if (recorder_ != nullptr) return absl::OkStatus();
  spool::Spool::Options options;
  options.dir = config_.state_dir + "/spool";
  options.max_bytes = static_cast<int64_t>(config_.spool_max_mib) << 20;
  options.say = [](bool problem, const std::string& text) {
    spdlog::log(problem ? spdlog::level::warn : spdlog::level::info, "{}", text);
  };
  auto spool = spool::Spool::Open(std::move(options), env_.clock);
  if (!spool.ok()) return spool.status();
  spool_ = *std::move(spool);
  Recorder::Options recording;
  recording.interval = config_.interval;
  recording.first_plan_wait = config_.first_plan_wait;
  recording.plan_file = config_.state_dir + "/plan";
  recording.after_full = [this] { CheckSelf(); };
  absl::MutexLock lock(&mutex_);
  recorder_ = std::make_unique<Recorder>(std::move(sight_), *spool_, env_.clock, recording);
  if (stopped_) recorder_->RequestStop();
  return absl::OkStatus();
}

void Agent::CheckSelf() {
  // What a full collection needed for a moment goes back to the system.
  malloc_trim(0);
  const auto statm = env_.files.ReadFile("/proc/self/statm", 256);
  const auto notice = self_watch_.Check(UsageNow(env_.clock.Now(), statm.ok() ? *statm : ""));
  if (!notice.has_value()) return;
  spdlog::log(notice->problem ? spdlog::level::warn : spdlog::level::info, "{}", notice->text);
}

Agent::Ended Agent::Serve(const uplink::Identity& identity) {
  const absl::Time start = env_.clock.Now();
  uplink::Uplink uplink(config_.controller, identity);
  Session session(
      {config_, env_.clock, identity, uplink, *spool_, *recorder_, Hostname(), BootId(env_)},
      flat_);
  {
    absl::MutexLock lock(&mutex_);
    uplink_ = &uplink;
    session_ = &session;
    if (stopped_) session.Drain(drain_deadline_);
  }
  const absl::Status served = session.Serve();
  {
    absl::MutexLock lock(&mutex_);
    session_ = nullptr;
  }
  const absl::Status finished = uplink.Finish();
  {
    absl::MutexLock lock(&mutex_);
    uplink_ = nullptr;
  }
  if (session.welcomed()) flat_ = session.flat();
  Ended ended{served, env_.clock.Now() - start};
  // What the controller said is worth more than "the session is over".
  if (absl::IsUnavailable(served) && !finished.ok()) ended.status = finished;
  PassOverRefused(ended.status, session.delta_under_way());
  return ended;
}

void Agent::PassOverRefused(const absl::Status& status, bool under_way) {
  const uint64_t first = spool_->state().acknowledged_sequence + 1;
  switch (status.code()) {
    case absl::StatusCode::kOutOfRange:
      // Was not even sent.
      break;
    case absl::StatusCode::kInternal:
      // A proxy says this as well, of a connection that it lost: it counts when it is said twice.
      if (!under_way || std::exchange(refused_sequence_, first) != first) return;
      break;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      if (!under_way) return;
      break;
    default:
      return;
  }
  if (spool_->state().pending > 1) recorder_->RequestSnapshot(first - 1);
}

void Agent::PauseAfter(const absl::Status& status) {
  if (const char* advice = AdviceFor(status); advice != nullptr) {
    PauseForPeople(absl::StrCat("the controller ", config_.controller, " does not take this host: ",
                                support::LogSafe(status.message()), ". ", advice));
    return;
  }
  const absl::Duration pause = backoff_.Next();
  if (status.ok()) {
    spdlog::info("certificate renewed twice in a row; next session in {}", Shown(pause));
  } else {
    spdlog::warn("no session with {}: {}; next attempt in {}", config_.controller,
                 support::LogSafe(status.message()), Shown(pause));
  }
  Sleep(pause);
}

void Agent::PauseForPeople(const std::string& why) {
  const absl::Duration pause = backoff_.Between(config_.refused_pause, config_.refused_pause * 2);
  spdlog::error("{} Next attempt in {}", why, Shown(pause));
  Sleep(pause);
}

void Agent::Sleep(absl::Duration pause) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stopped_), pause);
}

bool Agent::stopped() const {
  absl::MutexLock lock(&mutex_);
  return stopped_;
}

}  // namespace plimsoll::agent
