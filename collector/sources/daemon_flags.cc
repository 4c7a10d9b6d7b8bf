#include "collector/sources/daemon_flags.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "collector/sources/settings.h"

namespace plimsoll::sources {
namespace {

// Flags outside the closed list whose grammar must be known to read what follows them.
constexpr absl::string_view kOtherBooleans[] = {"allow-direct-routing",
                                                "cri-containerd",
                                                "help",
                                                "init",
                                                "ip-forward",
                                                "ip-forward-no-drop",
                                                "ip-masq",
                                                "ipv6",
                                                "raw-logs",
                                                "restart",
                                                "validate",
                                                "version",
                                                "api-enable-cors"};
constexpr absl::string_view kOtherValued[] = {"add-runtime",
                                              "allow-nondistributable-artifacts",
                                              "api-cors-header",
                                              "bip",
                                              "bip6",
                                              "bridge-accept-fwmark",
                                              "cdi-spec-dir",
                                              "cluster-advertise",
                                              "cluster-store",
                                              "cluster-store-opt",
                                              "containerd-namespace",
                                              "containerd-plugins-namespace",
                                              "cpu-rt-period",
                                              "cpu-rt-runtime",
                                              "default-address-pool",
                                              "default-cgroupns-mode",
                                              "default-gateway",
                                              "default-gateway-v6",
                                              "default-ipc-mode",
                                              "default-network-opt",
                                              "default-runtime",
                                              "default-shm-size",
                                              "deprecated-key-path",
                                              "dns",
                                              "dns-opt",
                                              "dns-search",
                                              "exec-opt",
                                              "feature",
                                              "fixed-cidr",
                                              "fixed-cidr-v6",
                                              "host-gateway-ip",
                                              "http-proxy",
                                              "https-proxy",
                                              "init-path",
                                              "label",
                                              "log-format",
                                              "max-concurrent-downloads",
                                              "max-concurrent-uploads",
                                              "max-download-attempts",
                                              "mtu",
                                              "network-control-plane-mtu",
                                              "no-proxy",
                                              "node-generic-resource",
                                              "oom-score-adjust",
                                              "registry-mirror",
                                              "seccomp-profile",
                                              "shutdown-timeout",
                                              "swarm-default-advertise-addr"};
constexpr absl::string_view kOtherBooleanLetters = "rvh";

class Parser {
 public:
  explicit Parser(std::vector<absl::string_view> arguments) : left_(std::move(arguments)) {}

  v1::DaemonFacts::CommandLine Run() {
    while (next_ < left_.size()) {
      const absl::string_view word = left_[next_++];
      if (word == "--") {
        if (next_ < left_.size()) result_.set_stray_argument(true);
        break;
      }
      if (absl::StartsWith(word, "--")) {
        Long(word.substr(2));
      } else if (word.size() > 1 && word[0] == '-') {
        Short(word.substr(1));
      } else {
        result_.set_stray_argument(true);
      }
    }
    return std::move(result_);
  }

 private:
  void Long(absl::string_view text) {
    const size_t equals = text.find('=');
    const absl::string_view name = text.substr(0, equals);
    std::optional<absl::string_view> value;
    if (equals != absl::string_view::npos) value = text.substr(equals + 1);
    if (const SettingSpec* spec = FindSettingByFlag(name); spec != nullptr) {
      if (!value && spec->kind != SettingKind::kBool) value = TakeNext();
      Store(*spec, value);
      return;
    }
    CountOther();
    if (value || absl::c_linear_search(kOtherBooleans, name)) return;
    const bool takes_value = absl::c_linear_search(kOtherValued, name);
    const bool looks_like_value = next_ < left_.size() && !absl::StartsWith(left_[next_], "-");
    if (takes_value || looks_like_value) TakeNext();
  }

  void Short(absl::string_view cluster) {
    while (!cluster.empty()) {
      const char letter = cluster[0];
      cluster.remove_prefix(1);
      const SettingSpec* spec = FindSettingByShorthand(letter);
      if (spec == nullptr) {
        CountOther();
        const bool known = absl::StrContains(kOtherBooleanLetters, absl::string_view(&letter, 1));
        if (!known || (cluster.size() > 1 && cluster[0] == '=')) return;
        continue;
      }
      if (cluster.size() > 1 && cluster[0] == '=') {
        Store(*spec, cluster.substr(1));
        return;
      }
      if (spec->kind == SettingKind::kBool) {
        Store(*spec, std::nullopt);
        continue;
      }
      Store(*spec, cluster.empty() ? TakeNext() : cluster);
      return;
    }
  }

  std::optional<absl::string_view> TakeNext() {
    if (next_ >= left_.size()) return std::nullopt;
    return left_[next_++];
  }

  // Without a value: a bare boolean is true; anything else lacks its argument.
  void Store(const SettingSpec& spec, std::optional<absl::string_view> value) {
    v1::Settings* settings = result_.mutable_settings();
    bool taken = false;
    if (spec.kind == SettingKind::kBool) {
      const std::optional<bool> flag = value ? ParseGoBool(*value) : true;
      if (flag) SetBoolSetting(spec, *flag, settings);
      taken = flag.has_value();
    } else if (spec.kind == SettingKind::kInteger) {
      int64_t number = 0;
      taken = value && absl::SimpleAtoi(*value, &number);
      if (taken) SetIntegerSetting(spec, number, settings);
    } else {
      taken = value && AddSetting(spec, *value, settings);
    }
    if (!taken) result_.set_stray_argument(true);
  }

  void CountOther() { result_.set_other_flag_count(result_.other_flag_count() + 1); }

  const std::vector<absl::string_view> left_;
  size_t next_ = 0;
  v1::DaemonFacts::CommandLine result_;
};

}  // namespace

v1::DaemonFacts::CommandLine ParseCommandLine(absl::string_view cmdline) {
  absl::ConsumeSuffix(&cmdline, absl::string_view("\0", 1));
  std::vector<absl::string_view> arguments = absl::StrSplit(cmdline, '\0');
  if (!arguments.empty()) arguments.erase(arguments.begin());
  Parser parser(std::move(arguments));
  v1::DaemonFacts::CommandLine result = parser.Run();
  result.mutable_settings();
  return result;
}

}  // namespace plimsoll::sources
