#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "collector/sources/container_parse.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using host::JsonObject;
using Port = v1::Container::Port;

constexpr int kMaxPorts = 4096;

// strconv.ParseBool of Go.
std::optional<bool> GoBool(absl::string_view text) {
  for (const absl::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const absl::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

void ReadLabelOption(absl::string_view option, v1::Container::SecurityOptions* options) {
  const std::pair<absl::string_view, absl::string_view> pair =
      absl::StrSplit(option, absl::MaxSplits(':', 1));
  if (option == "disable") {
    options->set_label_disabled(true);
  } else if (pair.first == "type") {
    options->set_label_type(CleanText(pair.second));
  } else if (pair.first == "level") {
    options->set_label_level(CleanText(pair.second));
  } else {
    options->set_other_count(options->other_count() + 1);
  }
}

void ReadSeccomp(absl::string_view profile, v1::Container::SecurityOptions* options) {
  if (profile == "unconfined") {
    options->set_seccomp(v1::Container::SecurityOptions::SECCOMP_UNCONFINED);
  } else if (profile.empty() || profile == "builtin") {
    options->set_seccomp(v1::Container::SecurityOptions::SECCOMP_DEFAULT);
  } else {
    options->set_seccomp(v1::Container::SecurityOptions::SECCOMP_CUSTOM);
  }
}

void ReadSecurityOption(absl::string_view entry, v1::Container::SecurityOptions* options) {
  if (entry == "no-new-privileges") return options->set_no_new_privileges(true);
  if (entry == "disable") return options->set_label_disabled(true);
  size_t split = entry.find('=');
  if (split == absl::string_view::npos) split = entry.find(':');
  const absl::string_view key = entry.substr(0, split);
  const absl::string_view value =
      split == absl::string_view::npos ? absl::string_view() : entry.substr(split + 1);
  if (key == "no-new-privileges" && GoBool(value).has_value()) {
    options->set_no_new_privileges(*GoBool(value));
  } else if (key == "apparmor") {
    options->set_apparmor(CleanText(value));
  } else if (key == "seccomp") {
    ReadSeccomp(value, options);
  } else if (key == "label") {
    ReadLabelOption(value, options);
  } else if (key == "systempaths" && value == "unconfined") {
    options->set_systempaths_unconfined(true);
  } else {
    options->set_other_count(options->other_count() + 1);
  }
}

// "80/tcp", or "80", which means tcp.
std::pair<uint32_t, std::string> ParsePortKey(absl::string_view key) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(key, absl::MaxSplits('/', 1));
  uint32_t number = 0;
  if (!absl::SimpleAtoi(parts.first, &number) || number > 65535) number = 0;
  return {number, parts.second.empty() ? std::string("tcp") : CleanText(parts.second)};
}

uint32_t ParseHostPort(absl::string_view text) {
  uint32_t number = 0;
  const absl::string_view first = text.substr(0, text.find('-'));
  return absl::SimpleAtoi(first, &number) && number <= 65535 ? number : 0;
}

std::tuple<uint32_t, const std::string&, const std::string&, uint32_t> SortKey(const Port& port) {
  return {port.container_port(), port.protocol(), port.host_ip(), port.host_port()};
}

void ReadBindings(const JsonObject& bindings, Port::Origin origin, std::vector<Port>* ports,
                  std::set<std::pair<uint32_t, std::string>>* exposed,
                  std::set<std::pair<uint32_t, std::string>>* published) {
  for (const auto& [key, list] : bindings.ObjectListMembers()) {
    const auto [number, protocol] = ParsePortKey(key);
    (list.empty() ? exposed : published)->insert({number, protocol});
    for (const JsonObject& binding : list) {
      Port port;
      port.set_container_port(number);
      port.set_protocol(protocol);
      port.set_host_ip(CleanText(binding.String("HostIp")));
      port.set_host_port(ParseHostPort(binding.String("HostPort")));
      port.set_origin(origin);
      ports->push_back(std::move(port));
    }
  }
}

}  // namespace

void ReadSecurityOptions(const JsonObject& host_config, v1::Container::SecurityOptions* options) {
  for (const absl::string_view entry : host_config.Strings("SecurityOpt")) {
    ReadSecurityOption(entry, options);
  }
  // The command line sends systempaths=unconfined as two empty lists; null means the defaults.
  const auto emptied = [&](absl::string_view key) {
    return host_config.Has(key) == JsonObject::Presence::kPresent &&
           host_config.Strings(key).empty();
  };
  if (emptied("MaskedPaths") && emptied("ReadonlyPaths")) options->set_systempaths_unconfined(true);
}

bool ReadPorts(const JsonObject& inspect, v1::Container* container) {
  std::vector<Port> ports;
  std::set<std::pair<uint32_t, std::string>> exposed;
  std::set<std::pair<uint32_t, std::string>> published;
  ReadBindings(inspect.Object("NetworkSettings").Object("Ports"), Port::LIVE, &ports, &exposed,
               &published);
  ReadBindings(inspect.Object("HostConfig").Object("PortBindings"), Port::CONFIGURED, &ports,
               &exposed, &published);
  for (const absl::string_view key : inspect.Object("Config").Object("ExposedPorts").Keys()) {
    exposed.insert(ParsePortKey(key));
  }
  for (const auto& port : published) exposed.erase(port);
  container->set_exposed_only_count(static_cast<int32_t>(exposed.size()));
  std::stable_sort(ports.begin(), ports.end(),
                   [](const Port& a, const Port& b) { return SortKey(a) < SortKey(b); });
  const bool fits = ports.size() <= kMaxPorts;
  if (!fits) ports.resize(kMaxPorts);
  for (Port& port : ports) container->add_ports()->Swap(&port);
  return fits;
}

}  // namespace plimsoll::sources
