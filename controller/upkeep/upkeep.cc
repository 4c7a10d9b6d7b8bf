#include "controller/upkeep/upkeep.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/logging.h"

namespace plimsoll::upkeep {
namespace {

using support::WarnUnlessOk;

// Of a large fleet each may have a hundred thousand hosts, and twice as many answers: a few at a
// time, so that scans of now are not kept waiting.
constexpr int kScansAtOnce = 4;
constexpr int kCertificatesAtOnce = 10000;
constexpr absl::Duration kCertificateGrace = absl::Hours(24 * 30);

}  // namespace

Upkeep::Upkeep(store::Store& store, access::ActivityLog& activity, const support::Clock& clock,
               v1::Activity controller, UpkeepOptions options)
    : store_(store),
      activity_(activity),
      clock_(clock),
      controller_(std::move(controller)),
      options_(options) {}

void Upkeep::AddTo(support::Ticker& ticker) {
  ticker.Add("activity left out", absl::Minutes(1), [this] { activity_.Sweep(); });
  ticker.Add("dead sessions", absl::Hours(1), [this] { RemoveDeadSessions(); });
  ticker.Add("old certificates", absl::Hours(6), [this] { RemoveOldCertificates(); });
  // Not at once: after a long standstill nobody has seen the hosts, and they need time to return.
  ticker.Add("remove unseen", absl::Minutes(10), [this] { RemoveUnseenHosts(); });
  ticker.Add(
      "activity retention", absl::Hours(6), [this] { RetainActivity(); }, true);
  ticker.Add(
      "retention", absl::Hours(6), [this] { RetainHistory(); }, true);
}

void Upkeep::Beat(const std::string& name) {
  const absl::Time now = clock_.Now();
  const absl::Status stored = store_.controllers().Beat(controller_.actor_id(), name, now);
  WarnUnlessOk("sign of life not stored", stored);
  if (!stored.ok()) return;
  {
    absl::MutexLock lock(&mutex_);
    if (now < last_beat_ || now - last_beat_ > options_.controller_timeout / 2) steady_since_ = now;
    last_beat_ = now;
    if (now - steady_since_ < options_.controller_timeout) return;
  }
  ExpireControllers();
}

void Upkeep::ExpireControllers() {
  const auto ended = store_.controllers().ExpireDead(options_.controller_timeout);
  if (!ended.ok()) return WarnUnlessOk("dead controllers not ended", ended.status());
  if (!ended->empty()) spdlog::warn("sessions of dead controllers ended hosts={}", ended->size());
}

void Upkeep::RemoveUnseenHosts() {
  if (options_.remove_after <= absl::ZeroDuration()) return;
  const absl::Time now = clock_.Now();
  const auto removed = store_.hosts().RemoveUnseen(
      now - options_.remove_after,
      absl::StrCat("not seen for ", absl::FormatDuration(options_.remove_after)), now);
  if (!removed.ok()) return WarnUnlessOk("unseen hosts not removed", removed.status());
  for (const std::string& id : *removed) {
    spdlog::info("host removed host={} reason=unseen", id);
    activity_.Note(Did("RemoveUnseenHost", absl::StrCat("hosts/", id)));
  }
}

void Upkeep::RetainHistory() {
  if (options_.keep_history <= absl::ZeroDuration()) return;
  const absl::Time now = clock_.Now();
  const absl::Time keep_from = now - options_.keep_history;
  RemoveOldScans(keep_from);
  WarnUnlessOk("old runs of schedules not removed", store_.schedules().RemoveRuns(keep_from));
  const auto retained = store_.controllers().Retain(keep_from, now);
  if (!retained.ok()) return WarnUnlessOk("history not shortened", retained.status());
  for (const std::string& name : retained->dropped) {
    spdlog::info("history dropped table={}", name);
  }
}

void Upkeep::RemoveOldScans(absl::Time before) {
  int all = 0;
  while (true) {
    const auto removed = store_.scans().Remove(before, kScansAtOnce);
    if (!removed.ok()) return WarnUnlessOk("old scans not removed", removed.status());
    all += *removed;
    if (*removed < kScansAtOnce) break;
  }
  if (all > 0) spdlog::info("old scans removed scans={}", all);
}

void Upkeep::RetainActivity() {
  if (options_.keep_activity <= absl::ZeroDuration()) return;
  const absl::Time now = clock_.Now();
  v1::Activity note = Did("DropActivity", "");
  note.mutable_time()->set_seconds(absl::ToUnixSeconds(now));
  int64_t all = 0;
  while (true) {
    const auto dropped = store_.activity().Retain(now - options_.keep_activity, note);
    if (!dropped.ok()) return WarnUnlessOk("activity log not shortened", dropped.status());
    all += *dropped;
    if (*dropped == 0) break;
  }
  if (all > 0) spdlog::info("activity dropped entries={}", all);
}

void Upkeep::RemoveDeadSessions() {
  WarnUnlessOk("dead sessions not removed",
               store_.users().RemoveDead(clock_.Now(), options_.session_idle));
}

void Upkeep::RemoveOldCertificates() {
  int all = 0;
  while (true) {
    const auto removed = store_.enrollment().RemoveCertificates(clock_.Now() - kCertificateGrace,
                                                                kCertificatesAtOnce);
    if (!removed.ok()) return WarnUnlessOk("old certificates not removed", removed.status());
    all += *removed;
    if (*removed < kCertificatesAtOnce) break;
  }
  if (all > 0) spdlog::info("records of old certificates removed certificates={}", all);
}

v1::Activity Upkeep::Did(const std::string& action, const std::string& object) const {
  v1::Activity entry = controller_;
  entry.set_action(action);
  entry.set_object(object);
  entry.set_outcome("OK");
  return entry;
}

}  // namespace plimsoll::upkeep
