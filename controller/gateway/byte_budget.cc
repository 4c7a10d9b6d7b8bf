#include "controller/gateway/byte_budget.h"

#include <utility>

namespace plimsoll::gateway {

bool ByteBudget::Fits(int64_t bytes) const {
  return open_ || in_use_ == 0 || in_use_ + bytes <= limit_;
}

ByteBudget::Result ByteBudget::Acquire(int64_t bytes, int64_t held, Granted granted) {
  absl::MutexLock lock(&mutex_);
  if (waiters_.empty() && Fits(bytes)) {
    in_use_ += bytes;
    stats_.budget_in_use = in_use_;
    return Result::kGranted;
  }
  if (!waiters_.empty() && waiting_bytes_ + held > waiting_limit_) {
    ++stats_.budget_refusals;
    return Result::kRefused;
  }
  waiting_bytes_ += held;
  waiters_.push_back({bytes, held, std::move(granted)});
  ++stats_.budget_waits;
  stats_.budget_waiting = static_cast<int64_t>(waiters_.size());
  return Result::kWaiting;
}

void ByteBudget::Release(int64_t bytes) {
  std::vector<Granted> granted;
  {
    absl::MutexLock lock(&mutex_);
    in_use_ -= bytes;
    granted = Serve();
  }
  for (const Granted& call : granted) call();
}

void ByteBudget::Open() {
  std::vector<Granted> granted;
  {
    absl::MutexLock lock(&mutex_);
    open_ = true;
    granted = Serve();
  }
  for (const Granted& call : granted) call();
}

size_t ByteBudget::waiting() const {
  absl::MutexLock lock(&mutex_);
  return waiters_.size();
}

std::vector<ByteBudget::Granted> ByteBudget::Serve() {
  std::vector<Granted> granted;
  while (!waiters_.empty() && Fits(waiters_.front().bytes)) {
    in_use_ += waiters_.front().bytes;
    waiting_bytes_ -= waiters_.front().held;
    granted.push_back(std::move(waiters_.front().granted));
    waiters_.pop_front();
  }
  stats_.budget_in_use = in_use_;
  stats_.budget_waiting = static_cast<int64_t>(waiters_.size());
  return granted;
}

}  // namespace plimsoll::gateway
