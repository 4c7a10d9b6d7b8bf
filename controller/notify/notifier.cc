#include "controller/notify/notifier.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "controller/access/tokens.h"
#include "controller/notify/compose.h"
#include "proto/support/logging.h"

namespace plimsoll::notify {
namespace {

constexpr int kEventsAtOnce = 5000;
constexpr int kThreads = 4;
constexpr int kMostUnderWay = 8;
// Longer than an attempt may take.
constexpr absl::Duration kLease = absl::Minutes(2);

std::string NewDeliveryId() { return access::NewSecret("nd-").substr(0, 19); }

void Warn(const char* what, const absl::Status& status) {
  if (!status.ok()) spdlog::warn("{} error=\"{}\"", what, support::LogSafe(status.ToString()));
}

}  // namespace

absl::Duration PauseAfter(int attempts) {
  // Beyond this the longest pause is reached.
  const int doublings = std::clamp(attempts - 1, 0, 12);
  return std::min(kFirstPause * (1 << doublings), kLongestPause);
}

Notifier::Notifier(store::NotificationStore& store, Sender& sender, access::SecretBox box,
                   Selectors selectors, const support::Clock& clock, absl::Duration stale_after)
    : store_(store),
      sender_(sender),
      box_(std::move(box)),
      selectors_(std::move(selectors)),
      clock_(clock),
      stale_after_(stale_after),
      threads_(kThreads) {}

void Notifier::Collect() {
  absl::StatusOr<bool> more = true;
  const fleet::SavedSelectors saved = selectors_();
  const auto wanted = [&saved](const auto& event, const auto& channel) {
    return Wants(event, channel, saved);
  };
  while (more.ok() && *more) more = store_.Distribute(kEventsAtOnce, wanted);
  Warn("events not distributed", more.status());
  const absl::Time now = clock_.Now();
  Warn("notifications not put together",
       store_.PutTogether(now, [now](const v1::NotificationChannel& channel,
                                     const std::vector<v1::NotificationEvent>& events) {
         return Compose(NewDeliveryId(), channel, events, now);
       }));
}

void Notifier::Deliver() {
  const int room = kMostUnderWay - under_way_;
  if (room <= 0) return;
  auto due = store_.Take(clock_.Now(), kLease, room);
  if (!due.ok()) return Warn("due notifications unknown", due.status());
  for (store::DueDelivery& delivery : *due) {
    ++under_way_;
    threads_.Add([this, delivery = std::move(delivery)] {
      DeliverOne(delivery);
      --under_way_;
    });
  }
}

void Notifier::DeliverOne(const store::DueDelivery& delivery) {
  store::Attempt attempt =
      Try(delivery.channel, delivery.notification, delivery.attempts, delivery.created);
  attempt.delivery_id = delivery.id;
  Warn("outcome of a notification not stored", store_.Finish(attempt));
}

store::Attempt Notifier::Try(const store::StoredChannel& stored,
                             const v1::Notification& notification, int attempts,
                             absl::Time created) {
  absl::Status status;
  std::string secret;
  if (!stored.sealed_secret.empty()) {
    auto opened = box_.Open(stored.sealed_secret);
    status = opened.status();
    if (opened.ok()) secret = *std::move(opened);
  }
  if (status.ok()) status = sender_.Send(stored.channel, secret, notification);
  store::Attempt attempt;
  attempt.time = clock_.Now();
  const std::string name = support::LogSafe(stored.channel.name());
  if (status.ok()) {
    attempt.state = v1::NotificationDelivery::SENT;
    spdlog::info("notification sent channel={} delivery={} events={}", name, notification.id(),
                 notification.event_count());
    return attempt;
  }
  attempt.error = std::string(status.message());
  const absl::Duration pause = PauseAfter(attempts + 1);
  const bool give_up = absl::IsNotFound(status) || attempt.time + pause > created + kGiveUpAfter;
  attempt.state = give_up ? v1::NotificationDelivery::FAILED : v1::NotificationDelivery::PENDING;
  attempt.next = attempt.time + pause;
  spdlog::warn("notification not sent channel={} delivery={} attempt={} given_up={} error=\"{}\"",
               name, notification.id(), attempts + 1, give_up, support::LogSafe(attempt.error));
  return attempt;
}

void Notifier::Upkeep() {
  const absl::Time now = clock_.Now();
  Warn("what time brings not noted", store_.NoteWhatTimeBrings(now - stale_after_, now));
  Warn("old notifications not removed", store_.RemoveDeliveries(now - kKeepDeliveries));
}

absl::StatusOr<v1::NotificationDelivery> Notifier::Test(const store::StoredChannel& channel,
                                                        const std::string& asked_by) {
  const v1::Notification notification =
      ComposeTest(NewDeliveryId(), channel.channel, asked_by, clock_.Now());
  store::Attempt attempt = Try(channel, notification, 0, clock_.Now());
  attempt.delivery_id = notification.id();
  // A test is tried once.
  if (attempt.state == v1::NotificationDelivery::PENDING) {
    attempt.state = v1::NotificationDelivery::FAILED;
  }
  return store_.Add(channel.channel.id(), notification, attempt);
}

}  // namespace plimsoll::notify
