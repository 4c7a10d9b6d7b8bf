#include "controller/upkeep.h"

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "controller/setup.h"

namespace plimsoll::controller {
namespace {

// Some at a time, so that scans of now are not kept waiting.
void RemoveOldScans(const UpkeepParts& parts, absl::Time before) {
  // Of a large fleet each may have a hundred thousand hosts, and twice as many answers.
  constexpr int kBatch = 4;
  int all = 0;
  while (true) {
    const auto removed = parts.store.scans().Remove(before, kBatch);
    if (!removed.ok()) return Warn("old scans not removed", removed.status());
    all += *removed;
    if (*removed < kBatch) break;
  }
  if (all > 0) spdlog::info("old scans removed scans={}", all);
}

// Takes hosts not seen for --remove-after out of the fleet.
void RemoveUnseen(const UpkeepParts& parts) {
  const absl::Time now = parts.clock.Now();
  const absl::Duration after = parts.config.remove_after;
  auto removed = parts.store.hosts().RemoveUnseen(
      now - after, absl::StrCat("not seen for ", absl::FormatDuration(after)), now);
  if (!removed.ok()) return Warn("unseen hosts not removed", removed.status());
  for (const std::string& id : *removed) {
    spdlog::info("host removed host={} reason=unseen", id);
    parts.activity.Note(
        ActivityOfController(parts.id, "RemoveUnseenHost", absl::StrCat("hosts/", id)));
  }
}

// Drops history and scans that ended longer ago than --keep-history.
void RetainHistory(const UpkeepParts& parts) {
  const absl::Time now = parts.clock.Now();
  RemoveOldScans(parts, now - parts.config.keep_history);
  Warn("old runs of schedules not removed",
       parts.store.schedules().RemoveRuns(now - parts.config.keep_history));
  auto retained = parts.store.controllers().Retain(now - parts.config.keep_history, now);
  if (!retained.ok()) return Warn("history not shortened", retained.status());
  for (const std::string& name : retained->dropped) {
    spdlog::info("history dropped table={}", name);
  }
}

// Drops activity older than --keep-activity.
void RetainActivity(const UpkeepParts& parts) {
  const absl::Time now = parts.clock.Now();
  int64_t all = 0;
  while (true) {
    const auto dropped = parts.store.activity().Retain(
        now - parts.config.keep_activity, ActivityOfController(parts.id, "DropActivity", "", now));
    if (!dropped.ok()) return Warn("activity log not shortened", dropped.status());
    all += *dropped;
    if (*dropped == 0) break;
  }
  if (all > 0) spdlog::info("activity dropped entries={}", all);
}

// Drops records of certificates that nobody can present any more, whatever the clocks say.
void RemoveOldCertificates(const UpkeepParts& parts) {
  constexpr absl::Duration kGrace = absl::Hours(24 * 30);
  constexpr int kBatch = 10000;
  int all = 0;
  while (true) {
    const auto removed =
        parts.store.enrollment().RemoveCertificates(parts.clock.Now() - kGrace, kBatch);
    if (!removed.ok()) return Warn("old certificates not removed", removed.status());
    all += *removed;
    if (*removed < kBatch) break;
  }
  if (all > 0) spdlog::info("records of old certificates removed certificates={}", all);
}

}  // namespace

void Warn(const char* what, const absl::Status& status) {
  if (!status.ok()) spdlog::warn("{} error=\"{}\"", what, status.ToString());
}

void ExpireControllers(const UpkeepParts& parts) {
  auto ended = parts.store.controllers().ExpireDead(parts.config.controller_timeout);
  if (!ended.ok()) return Warn("dead controllers not ended", ended.status());
  if (!ended->empty()) spdlog::warn("sessions of dead controllers ended hosts={}", ended->size());
}

void AddUpkeep(const UpkeepParts& parts, support::Ticker& ticker) {
  ticker.Add("activity left out", absl::Minutes(1), [&parts] { parts.activity.Sweep(); });
  ticker.Add("dead sessions", absl::Hours(1), [&parts] {
    Warn("dead sessions not removed",
         parts.store.users().RemoveDead(parts.clock.Now(), parts.config.sessions.idle));
  });
  ticker.Add("old certificates", absl::Hours(6), [&parts] { RemoveOldCertificates(parts); });
  if (parts.config.remove_after > absl::ZeroDuration()) {
    // Not at once: after a long standstill nobody has seen the hosts, and they need time to return.
    ticker.Add("remove unseen", absl::Minutes(10), [&parts] { RemoveUnseen(parts); });
  }
  if (parts.config.keep_activity > absl::ZeroDuration()) {
    ticker.Add(
        "activity retention", absl::Hours(6), [&parts] { RetainActivity(parts); }, true);
  }
  if (parts.config.keep_history > absl::ZeroDuration()) {
    ticker.Add(
        "retention", absl::Hours(6), [&parts] { RetainHistory(parts); }, true);
  }
}

}  // namespace plimsoll::controller
