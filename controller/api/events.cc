#include "controller/api/events.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "controller/api/scope.h"
#include "controller/fleet/summaries.h"

namespace plimsoll::api {
namespace {

// Hosts that one event names.
constexpr size_t kMostHosts = 100;
constexpr size_t kMostWatchers = 256;

class EventStream final : public Stream {
 public:
  EventStream(const fleet::FleetIndex& index, fleet::ChangeLog& log, const policy::PolicyBook& book,
              const support::Clock& clock, fleet::Selector selector, std::string after)
      : index_(index),
        log_(log),
        book_(book),
        clock_(clock),
        selector_(std::move(selector)),
        position_(log.last()) {
    resync_ = !after.empty() && !log.PositionOf(after, position_);
  }
  ~EventStream() override { log_.Unwatch(handle_); }

  absl::Status Watch(std::function<void()> changed) {
    handle_ = log_.Watch(std::move(changed), kMostWatchers);
    if (handle_ != 0) return absl::OkStatus();
    return absl::ResourceExhaustedError("too many clients watch events; try again later");
  }

  absl::StatusOr<Step> Next(const store::Principal& who) override {
    const auto scope = ScopeOf(who);
    if (!scope.ok()) return scope.status();
    const fleet::ChangeLog::Changes changes = log_.After(position_);
    if (told_ && !changes.missed && changes.last == position_) return Step();
    auto event = std::make_unique<v1::Event>();
    event->set_id(log_.TextOf(changes.last));
    event->set_resync(resync_ || changes.missed || changes.host_ids.size() > kMostHosts);
    index_.Read([&](const fleet::Fleet& fleet) {
      Count(fleet, *scope, *event);
      if (!event->resync()) Name(fleet, *scope, changes.host_ids, *event);
    });
    *event->mutable_as_of_time() =
        google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
    told_ = true;
    resync_ = false;
    position_ = changes.last;
    return Step{std::move(event), false};
  }

 private:
  fleet::Selection Selected(const fleet::Selector& scope) const {
    fleet::Selection selection{selector_, ""};
    // Saved selectors may have changed, or gone, since it began.
    fleet::Expand(book_.current()->selectors(), selection.selector).IgnoreError();
    selection.selector.insert(selection.selector.end(), scope.begin(), scope.end());
    return selection;
  }

  void Count(const fleet::Fleet& fleet, const fleet::Selector& scope, v1::Event& event) const {
    const fleet::Selection selection = Selected(scope);
    const fleet::Bitmap selected = fleet.Select(selection);
    event.set_host_count(static_cast<int32_t>(selected.Count()));
    fleet::Bitmap stale = selected;
    if (stale.words() != 0) stale.And(fleet.stale());
    event.set_stale_host_count(static_cast<int32_t>(stale.Count()));
    for (const auto& baseline : fleet.baselines()) {
      (*event.mutable_counts())[baseline->document().id()] =
          fleet::Summarize(fleet, *baseline, selection, clock_.Now()).counts();
    }
  }

  // Whoever sees a part of the fleet learns of no host outside it: what is gone may never have been
  // in that part, so it is not named.
  void Name(const fleet::Fleet& fleet, const fleet::Selector& scope,
            const std::vector<std::string>& ids, v1::Event& event) const {
    const fleet::Selection selection = Selected(scope);
    for (const std::string& id : ids) {
      fleet::Slot slot = 0;
      if (!fleet.hosts().Find(id, slot)) {
        if (scope.empty()) event.add_gone_host_ids(id);
        continue;
      }
      v1::Host host = fleet.Describe(slot);
      const std::map<std::string, std::string> labels(host.labels().begin(), host.labels().end());
      if (fleet::Matches(selection.selector, labels)) {
        *event.add_hosts() = std::move(host);
      } else if (fleet::Matches(scope, labels)) {
        event.add_gone_host_ids(id);
      }
    }
  }

  const fleet::FleetIndex& index_;
  fleet::ChangeLog& log_;
  const policy::PolicyBook& book_;
  const support::Clock& clock_;
  const fleet::Selector selector_;
  uint64_t handle_ = 0;
  uint64_t position_;
  bool resync_ = false;
  bool told_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Stream>> Events::Open(const v1::WatchEventsRequest& request,
                                                     std::function<void()> changed) {
  auto selector =
      fleet::SelectorOf({request.labels().begin(), request.labels().end()}, request.selector());
  if (!selector.ok()) return selector.status();
  fleet::Selector expanded = *selector;
  if (auto status = fleet::Expand(book_.current()->selectors(), expanded); !status.ok()) {
    return status;
  }
  auto stream = std::make_unique<EventStream>(index_, log_, book_, clock_, *std::move(selector),
                                              request.after());
  if (auto status = stream->Watch(std::move(changed)); !status.ok()) return status;
  return stream;
}

}  // namespace plimsoll::api
