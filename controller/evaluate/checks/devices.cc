// Host devices inside containers (rules.md 5.17).
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/containers.h"
#include "controller/evaluate/checks/paths.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;
using Args = v1::ContainerDevicesArgs;
using Mount = v1::Container::Mount;

constexpr char kExpected[] = "no host device beyond the allowed ones";
constexpr absl::string_view kDev = "/dev";

// Devices that may be exposed, with the most permissions.
class AllowedDevices {
 public:
  AllowedDevices(const Args& args, absl::Time as_of) : list_(args.allowed(), as_of) {
    for (const char* entry : list_.globs()) {
      const absl::string_view text = entry;
      const size_t colon = text.rfind(':');
      const bool bare = colon == absl::string_view::npos;
      entries_.push_back(
          {std::string(text.substr(0, colon)), bare ? "rwm" : std::string(text.substr(colon + 1))});
    }
  }

  bool Allow(const std::string& path, absl::string_view permissions) const {
    for (const Entry& entry : entries_) {
      if (GlobMatches(entry.glob.c_str(), path) &&
          permissions.find_first_not_of(entry.permissions) == absl::string_view::npos) {
        return true;
      }
    }
    return false;
  }

 private:
  struct Entry {
    std::string glob;
    std::string permissions;
  };
  GlobList list_;
  absl::InlinedVector<Entry, 8> entries_;
};

void AppendTo(std::string& list, const std::string& item) {
  absl::StrAppend(&list, list.empty() ? "" : "; ", item);
}

bool IsDeviceNode(const Mount& mount) {
  return mount.source_type() == Mount::CHARACTER_DEVICE ||
         mount.source_type() == Mount::BLOCK_DEVICE;
}

// A bind of /dev, of what holds it, or of a device node.
void JudgeMount(const Context& context, const AllowedDevices& allowed, const Mount& mount,
                std::string& bad, std::string& open) {
  MountOrigin origin;
  FindOrigin(mount, origin);
  if (!origin.HasPath()) {
    if (origin.state == MountOrigin::State::kUnknown) AppendTo(open, DescribeMount(mount, origin));
    return;
  }
  if (IsDeviceNode(mount)) {
    const std::string path(origin.path);
    if (!allowed.Allow(path, mount.read_write() ? "rw" : "r")) {
      AppendTo(bad, absl::StrCat("device node ", DescribeMount(mount, origin)));
    }
    return;
  }
  const Exposes exposes = MountExposes(context.index, mount, origin.path, kDev);
  if (exposes == Exposes::kYes) {
    AppendTo(bad, absl::StrCat("device directory ", DescribeMount(mount, origin)));
  } else if (exposes == Exposes::kUnknown) {
    AppendTo(open, DescribeMount(mount, origin));
  } else if (IsBelow(origin.path, kDev) && mount.source_type() == Mount::SOURCE_TYPE_UNSPECIFIED) {
    AppendTo(open, DescribeMount(mount, origin));
  }
}

Outcome JudgeContainer(const Context& context, const Args& args, const AllowedDevices& allowed,
                       const Container& c) {
  std::string bad;
  std::string open;
  if (args.count_privileged() && c.privileged()) AppendTo(bad, "privileged: every device");
  for (const auto& device : c.devices()) {
    const absl::string_view permissions =
        device.permissions().empty() ? "rwm" : absl::string_view(device.permissions());
    if (!allowed.Allow(device.host_path(), permissions)) {
      AppendTo(bad,
               absl::StrCat("device ", device.host_path(), " (", std::string(permissions), ")"));
    }
  }
  for (const std::string& rule : c.device_cgroup_rules()) {
    AppendTo(bad, absl::StrCat("device rule ", rule));
  }
  if (!args.accept_gpu()) {
    for (const auto& request : c.device_requests()) {
      AppendTo(bad, absl::StrCat("device request ", request.driver(), " ",
                                 request.capabilities().empty() ? "" : request.capabilities(0)));
    }
  }
  for (const Mount& mount : c.mounts()) JudgeMount(context, allowed, mount, bad, open);
  if (!bad.empty()) return Fail(std::move(bad), kExpected, "inspect HostConfig.Devices, Mounts");
  if (args.count_privileged() && !c.has_privileged()) {
    return Unknown(reason::kParseError, "the engine did not send Privileged", kExpected,
                   "inspect HostConfig.Privileged");
  }
  if (open.empty()) return Pass();
  return Unknown(reason::kNotCollected, absl::StrCat("not known what it is: ", open), kExpected,
                 "inspect Mounts");
}

}  // namespace

void JudgeDevices(const Context& context, const v1::Check& check, Judge& judge) {
  const Args& args = check.container_devices();
  const AllowedDevices allowed(args, context.as_of);
  ForEachContainer(context, args.scope(), judge,
                   [&](const Container& c) { return JudgeContainer(context, args, allowed, c); });
}

}  // namespace plimsoll::evaluate
