#include "collector/agent/sight.h"

#include <map>
#include <string>
#include <utility>

#include "collector/tracker/watcher.h"

namespace plimsoll::agent {
namespace {

class HostSight : public Sight {
 public:
  HostSight(host::HostEnv& env, const Config& config)
      : env_(env),
        socket_path_(config.docker_socket),
        host_root_(config.host_root),
        labels_(config.labels),
        watch_(!config.no_watch) {}

  void Begin(std::function<void()> wake) override {
    if (!watch_) return;
    tracker::Watcher::Options options;
    options.socket_path = socket_path_;
    options.host_root = host_root_;
    watcher_ = std::make_unique<tracker::Watcher>(env_, std::move(options), std::move(wake));
  }

  void Refresh(const v1::CollectionPlan& plan, const sources::Scope& scope,
               v1::HostFacts& facts) override {
    sources::Refresh(env_, plan, socket_path_, labels_, scope, facts);
  }

  void Follow(const v1::CollectionPlan& plan, const v1::HostFacts& facts) override {
    if (watcher_ != nullptr) watcher_->Follow(plan, facts);
  }

  std::optional<sources::Scope> Take() override {
    if (watcher_ == nullptr) return std::nullopt;
    sources::Scope scope = watcher_->Take();
    if (scope.empty()) return std::nullopt;
    return scope;
  }

  absl::Time NextDue() const override {
    return watcher_ == nullptr ? absl::InfiniteFuture() : watcher_->NextDue();
  }

 private:
  host::HostEnv& env_;
  const std::string socket_path_;
  const std::string host_root_;
  const std::map<std::string, std::string> labels_;
  const bool watch_;
  std::unique_ptr<tracker::Watcher> watcher_;
};

}  // namespace

std::unique_ptr<Sight> LookAtHost(host::HostEnv& env, const Config& config) {
  return std::make_unique<HostSight>(env, config);
}

}  // namespace plimsoll::agent
