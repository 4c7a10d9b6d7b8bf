#include "controller/notify/compose.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/fleet/selector.h"
#include "proto/support/times.h"

namespace plimsoll::notify {
namespace {

using Event = v1::NotificationEvent;

bool IsAboutRule(Event::Kind kind) { return kind == Event::NEW_FAILURE || kind == Event::RECOVERY; }

bool IsWantedKind(Event::Kind kind, const v1::NotificationChannel& channel) {
  if (!channel.kinds().empty()) {
    return std::find(channel.kinds().begin(), channel.kinds().end(), kind) != channel.kinds().end();
  }
  return IsAboutRule(kind) || kind == Event::HOST_STALE || kind == Event::HOST_BACK;
}

// What an event takes back, and what it is about.
Event::Kind OppositeOf(Event::Kind kind) {
  switch (kind) {
    case Event::NEW_FAILURE:
      return Event::RECOVERY;
    case Event::RECOVERY:
      return Event::NEW_FAILURE;
    case Event::HOST_STALE:
      return Event::HOST_BACK;
    case Event::HOST_BACK:
      return Event::HOST_STALE;
    default:
      return Event::KIND_UNSPECIFIED;
  }
}
using Subject = std::tuple<std::string, std::string, std::string, std::string>;
Subject SubjectOf(const Event& event) {
  return {event.host_id(), event.baseline_id(), event.rule_id(), event.object_id()};
}

// Of several events about one subject the newest counts; one that takes the first back leaves none.
std::vector<const Event*> NetOf(const std::vector<Event>& events) {
  struct Course {
    const Event* first = nullptr;
    const Event* last = nullptr;
  };
  std::map<Subject, Course> courses;
  for (const Event& event : events) {
    Course& course = courses[SubjectOf(event)];
    if (course.first == nullptr) course.first = &event;
    course.last = &event;
  }
  std::vector<const Event*> net;
  for (const Event& event : events) {
    const Course& course = courses[SubjectOf(event)];
    if (course.last != &event) continue;
    if (course.first->kind() == OppositeOf(event.kind())) continue;
    net.push_back(&event);
  }
  return net;
}

// Order of groups: kind, worst severity first, baseline, rule.
using GroupKey = std::tuple<int, int, std::string, std::string>;

std::string Plural(int count, absl::string_view one, absl::string_view many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

std::string CountOf(Event::Kind kind, int count) {
  switch (kind) {
    case Event::NEW_FAILURE:
      return Plural(count, "new failure", "new failures");
    case Event::RECOVERY:
      return Plural(count, "recovery", "recoveries");
    case Event::HOST_STALE:
      return Plural(count, "host stopped reporting", "hosts stopped reporting");
    case Event::HOST_BACK:
      return Plural(count, "host reports again", "hosts report again");
    case Event::SCAN_ENDED:
      return Plural(count, "scan ended", "scans ended");
    case Event::WAIVER_EXPIRING:
      return Plural(count, "waiver expires", "waivers expire");
    default:
      return "test";
  }
}

std::string TitleOf(const std::vector<const Event*>& events) {
  std::map<int, int> by_kind;
  std::map<int, int, std::greater<>> failing;
  std::set<std::string> hosts;
  for (const Event* event : events) {
    ++by_kind[event->kind()];
    if (event->kind() == Event::NEW_FAILURE) ++failing[event->severity()];
    if (IsAboutRule(event->kind())) hosts.insert(event->host_id());
  }
  std::vector<std::string> parts;
  // "3 new failures, 1 recovery on 2 hosts, 1 scan ended": only rules fail on hosts.
  int last_about_rules = 0;
  for (const auto& [kind, count] : by_kind) {
    if (IsAboutRule(static_cast<Event::Kind>(kind))) last_about_rules = kind;
  }
  for (const auto& [kind, count] : by_kind) {
    std::string part = CountOf(static_cast<Event::Kind>(kind), count);
    if (kind == Event::NEW_FAILURE) {
      const auto& [severity, worst] = *failing.begin();
      absl::StrAppend(&part, " (", worst, " ",
                      absl::AsciiStrToLower(v1::Severity_Name(static_cast<v1::Severity>(severity))),
                      ")");
    }
    if (kind == last_about_rules) {
      absl::StrAppend(&part, " on ", Plural(static_cast<int>(hosts.size()), "host", "hosts"));
    }
    parts.push_back(std::move(part));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace

bool Wants(const Event& event, const v1::NotificationChannel& channel,
           const fleet::SavedSelectors& saved) {
  if (!IsWantedKind(event.kind(), channel)) return false;
  if (IsAboutRule(event.kind())) {
    const v1::Severity least = channel.minimum_severity() == v1::SEVERITY_UNSPECIFIED
                                   ? v1::HIGH
                                   : channel.minimum_severity();
    if (event.severity() < least) return false;
    if (!channel.baselines().empty() &&
        std::find(channel.baselines().begin(), channel.baselines().end(), event.baseline_id()) ==
            channel.baselines().end()) {
      return false;
    }
  }
  if (channel.selector().empty() || event.host_id().empty()) return true;
  const auto selector = fleet::SelectorOf({}, channel.selector(), saved);
  return selector.ok() && fleet::Matches(*selector, {event.labels().begin(), event.labels().end()});
}

v1::Notification Compose(const std::string& id, const v1::NotificationChannel& channel,
                         const std::vector<Event>& events, absl::Time now) {
  const std::vector<const Event*> net = NetOf(events);
  const int most = channel.has_syslog() ? kMostLines : kMostShown;
  std::map<GroupKey, v1::NotificationGroup> groups;
  std::map<GroupKey, std::set<std::string>> hosts;
  for (const Event* event : net) {
    const GroupKey key = {event->kind(), -event->severity(), event->baseline_id(),
                          event->rule_id()};
    v1::NotificationGroup& group = groups[key];
    group.set_kind(event->kind());
    group.set_baseline_id(event->baseline_id());
    group.set_rule_id(event->rule_id());
    group.set_rule_title(event->rule_title());
    group.set_severity(event->severity());
    group.set_event_count(group.event_count() + 1);
    if (!event->host_id().empty()) hosts[key].insert(event->host_id());
    if (group.events_size() < most) *group.add_events() = *event;
  }
  v1::Notification notification;
  notification.set_id(id);
  notification.set_channel(channel.name());
  *notification.mutable_create_time() = support::ToTimestamp(now);
  notification.set_title(TitleOf(net));
  notification.set_event_count(static_cast<int>(net.size()));
  for (auto& [key, group] : groups) {
    group.set_host_count(static_cast<int>(hosts[key].size()));
    *notification.add_groups() = std::move(group);
  }
  return notification;
}

v1::Notification ComposeTest(const std::string& id, const v1::NotificationChannel& channel,
                             const std::string& asked_by, absl::Time now) {
  Event event;
  event.set_kind(Event::TEST);
  event.set_message(absl::StrCat("asked for by ", asked_by));
  *event.mutable_time() = support::ToTimestamp(now);
  v1::Notification notification = Compose(id, channel, {event}, now);
  notification.set_title("Test of this notification channel");
  return notification;
}

}  // namespace plimsoll::notify
