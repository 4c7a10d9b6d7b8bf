#include "controller/api/follow.h"

#include <utility>

namespace plimsoll::api {

Follower::Follower(const MethodTable& table, support::WorkerPool& workers, const Method& method,
                   AnyMessage request, Authenticate authenticate, std::string peer)
    : table_(table),
      workers_(workers),
      method_(method),
      request_(std::move(request)),
      authenticate_(std::move(authenticate)),
      peer_(std::move(peer)),
      begin_(table.clock().Now()) {}

std::shared_ptr<Follower> Follower::Start(const MethodTable& table, support::WorkerPool& workers,
                                          const Method& method, AnyMessage request,
                                          Authenticate authenticate, std::string peer) {
  return std::shared_ptr<Follower>(new Follower(table, workers, method, std::move(request),
                                                std::move(authenticate), std::move(peer)));
}

void Follower::Next(Step step) {
  absl::StatusOr<AnyMessage> end = AnyMessage();
  {
    absl::MutexLock lock(&mutex_);
    if (!over_) {
      step_ = std::move(step);
      Kick();
      return;
    }
    if (!end_.ok()) end = end_;
  }
  step(std::move(end));
}

void Follower::Close(const absl::Status& why) {
  Step step;
  {
    absl::MutexLock lock(&mutex_);
    if (over_) return;
    over_ = true;
    end_ = why;
    // Run sees to it that a step is called, if it is under way.
    if (!running_) step = std::exchange(step_, nullptr);
  }
  if (step != nullptr) step(why);
}

void Follower::Changed() {
  absl::MutexLock lock(&mutex_);
  changed_ = true;
  Kick();
}

void Follower::Kick() {
  if (running_ || over_ || !changed_ || step_ == nullptr) return;
  running_ = true;
  changed_ = false;
  workers_.Add([self = shared_from_this()] { self->Run(); });
}

absl::StatusOr<Stream::Step> Follower::Advance() {
  const auto who = authenticate_();
  absl::Status status = who.status();
  if (status.ok()) status = access::RequirePermission(*who, method_.spec.permission);
  if (status.ok() && stream_ == nullptr) {
    auto stream = method_.open(*request_, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->Changed();
    });
    status = stream.status();
    if (status.ok()) stream_ = *std::move(stream);
  }
  absl::StatusOr<Stream::Step> step = Stream::Step();
  if (status.ok()) {
    step = stream_->Next(*who);
  } else {
    step = status;
  }
  if (!std::exchange(told_, true)) {
    table_.Tell({.method = method_,
                 .who = who.ok() ? &*who : nullptr,
                 .request = request_.get(),
                 .outcome = step.status(),
                 .peer = peer_,
                 .begin = begin_,
                 .duration = table_.clock().Now() - begin_});
  }
  return step;
}

void Follower::Run() {
  absl::StatusOr<Stream::Step> next = Advance();
  Step step;
  absl::StatusOr<AnyMessage> answer = AnyMessage();
  {
    absl::MutexLock lock(&mutex_);
    running_ = false;
    if (over_) {
      if (!end_.ok()) answer = end_;
    } else if (!next.ok()) {
      over_ = true;
      end_ = next.status();
      answer = end_;
    } else if (next->message == nullptr) {
      // Nothing yet; or something, meanwhile.
      Kick();
      return;
    } else {
      over_ = next->last;
      answer = std::move(next->message);
      // There may be more behind it.
      changed_ = true;
    }
    step = std::exchange(step_, nullptr);
  }
  if (step != nullptr) step(std::move(answer));
}

}  // namespace plimsoll::api
