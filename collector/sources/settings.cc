#include "collector/sources/settings.h"

#include <arpa/inet.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using v1::Settings;
using Kind = SettingKind;

constexpr SettingSpec kSettings[] = {
    {"icc", 0, "icc", Kind::kBool, Settings::kIccFieldNumber},
    {"debug", 'D', "debug", Kind::kBool, Settings::kDebugFieldNumber},
    {"log-level", 'l', "log-level", Kind::kText, Settings::kLogLevelFieldNumber},
    {"iptables", 0, "iptables", Kind::kBool, Settings::kIptablesFieldNumber},
    {"ip6tables", 0, "ip6tables", Kind::kBool, Settings::kIp6TablesFieldNumber},
    {"insecure-registry", 0, "insecure-registries", Kind::kAddressList,
     Settings::kInsecureRegistriesFieldNumber},
    {"storage-driver", 's', "storage-driver", Kind::kText, Settings::kStorageDriverFieldNumber},
    {"storage-opt", 0, "storage-opts", Kind::kStorageOptions, Settings::kStorageOptsFieldNumber},
    {"host", 'H', "hosts", Kind::kAddressList, Settings::kHostsFieldNumber},
    {"tls", 0, "tls", Kind::kBool, Settings::kTlsFieldNumber},
    {"tlsverify", 0, "tlsverify", Kind::kBool, Settings::kTlsverifyFieldNumber},
    {"tlscacert", 0, "tlscacert", Kind::kQuotedPath, Settings::kTlscacertFieldNumber},
    {"tlscert", 0, "tlscert", Kind::kQuotedPath, Settings::kTlscertFieldNumber},
    {"tlskey", 0, "tlskey", Kind::kQuotedPath, Settings::kTlskeyFieldNumber},
    {"default-ulimit", 0, "default-ulimits", Kind::kUlimits, Settings::kDefaultUlimitsFieldNumber},
    {"userns-remap", 0, "userns-remap", Kind::kText, Settings::kUsernsRemapFieldNumber},
    {"rootless", 0, "rootless", Kind::kBool, Settings::kRootlessFieldNumber},
    {"no-new-privileges", 0, "no-new-privileges", Kind::kBool,
     Settings::kNoNewPrivilegesFieldNumber},
    {"authorization-plugin", 0, "authorization-plugins", Kind::kList,
     Settings::kAuthorizationPluginsFieldNumber},
    {"log-driver", 0, "log-driver", Kind::kText, Settings::kLogDriverFieldNumber},
    {"log-opt", 0, "log-opts", Kind::kLogOptions, Settings::kLogOptsFieldNumber},
    {"live-restore", 0, "live-restore", Kind::kBool, Settings::kLiveRestoreFieldNumber},
    {"userland-proxy", 0, "userland-proxy", Kind::kBool, Settings::kUserlandProxyFieldNumber},
    {"userland-proxy-path", 0, "userland-proxy-path", Kind::kText,
     Settings::kUserlandProxyPathFieldNumber},
    {"experimental", 0, "experimental", Kind::kBool, Settings::kExperimentalFieldNumber},
    {"data-root", 0, "data-root", Kind::kText, Settings::kDataRootFieldNumber},
    {"graph", 'g', "graph", Kind::kText, Settings::kDataRootFieldNumber},
    {"exec-root", 0, "exec-root", Kind::kText, Settings::kExecRootFieldNumber},
    {"group", 'G', "group", Kind::kText, Settings::kGroupFieldNumber},
    {"bridge", 'b', "bridge", Kind::kText, Settings::kBridgeFieldNumber},
    {"ip", 0, "ip", Kind::kText, Settings::kIpFieldNumber},
    {"cgroup-parent", 0, "cgroup-parent", Kind::kText, Settings::kCgroupParentFieldNumber},
    {"config-file", 0, "", Kind::kText, Settings::kConfigFileFieldNumber},
    {"pidfile", 'p', "pidfile", Kind::kText, Settings::kPidfileFieldNumber},
    {"containerd", 0, "containerd", Kind::kAddress, Settings::kContainerdFieldNumber},
    {"firewall-backend", 0, "firewall-backend", Kind::kText, Settings::kFirewallBackendFieldNumber},
    {"metrics-addr", 0, "metrics-addr", Kind::kAddress, Settings::kMetricsAddrFieldNumber},
    {"network-diagnostic-port", 0, "network-diagnostic-port", Kind::kInteger,
     Settings::kNetworkDiagnosticPortFieldNumber},
    {"selinux-enabled", 0, "selinux-enabled", Kind::kBool, Settings::kSelinuxEnabledFieldNumber},
    {"disable-legacy-registry", 0, "disable-legacy-registry", Kind::kBool,
     Settings::kDisableLegacyRegistryFieldNumber},
};

constexpr absl::string_view kAddressSchemes[] = {"tcp",  "udp",   "tcp+tls",  "tls",
                                                 "unix", "fd",    "unixgram", "unixpacket",
                                                 "http", "https", "npipe"};

const google::protobuf::FieldDescriptor* FieldOf(const SettingSpec& spec) {
  return Settings::descriptor()->FindFieldByNumber(spec.field);
}

google::protobuf::Message* MutableListOf(const SettingSpec& spec, Settings* settings) {
  return Settings::GetReflection()->MutableMessage(settings, FieldOf(spec));
}

// An option's name as the engine knows them; a value never looks like one by accident of a missing
// "=".
bool IsOptionName(absl::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  for (const unsigned char c : name) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

std::string WithoutUserInfo(absl::string_view address) {
  const size_t scheme = address.find("://");
  const size_t start = scheme == absl::string_view::npos ? 0 : scheme + 3;
  const size_t end = std::min(address.find('/', start), address.size());
  const size_t at = address.substr(0, end).rfind('@');
  if (at == absl::string_view::npos || at < start) return std::string(address);
  return absl::StrCat(address.substr(0, start), address.substr(at + 1));
}

std::string WithoutQuotes(absl::string_view path) {
  if (path.size() >= 2 && (path.front() == '"' || path.front() == '\'') &&
      path.front() == path.back()) {
    path = path.substr(1, path.size() - 2);
  }
  return std::string(path);
}

bool IsLoopbackHost(absl::string_view host) {
  const std::string name = absl::AsciiStrToLower(absl::StripSuffix(host, "."));
  if (name.empty() || name == "localhost" || absl::EndsWith(name, ".localhost")) return true;
  in_addr v4;
  if (inet_pton(AF_INET, name.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24) == 127 || v4.s_addr == 0;
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, name.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6);
}

absl::string_view HostOf(absl::string_view authority) {
  if (absl::StartsWith(authority, "[")) {
    return authority.substr(1, authority.substr(1).find(']'));
  }
  const size_t colon = authority.rfind(':');
  // More than one colon without brackets is a bare IPv6 address.
  if (colon == absl::string_view::npos || authority.find(':') != colon) return authority;
  return authority.substr(0, colon);
}

void DescribeAddress(absl::string_view address, Settings::LogOption* option) {
  const size_t scheme = address.find("://");
  if (scheme != absl::string_view::npos) {
    const std::string word = absl::AsciiStrToLower(address.substr(0, scheme));
    const bool known = absl::c_linear_search(kAddressSchemes, word);
    option->set_address_scheme(known ? word : "other");
    address.remove_prefix(scheme + 3);
    if (absl::StartsWith(word, "unix") || word == "fd" || word == "npipe") {
      option->set_address_is_loopback(true);
      return;
    }
  } else if (absl::StartsWith(address, "/")) {
    option->set_address_is_loopback(true);
    return;
  }
  const std::string bare = WithoutUserInfo(address);
  const absl::string_view authority = absl::string_view(bare).substr(0, bare.find('/'));
  option->set_address_is_loopback(IsLoopbackHost(HostOf(authority)));
}

bool AddStorageOption(absl::string_view value, v1::StringList* list) {
  const size_t equals = value.find('=');
  if (equals == absl::string_view::npos) return false;
  const absl::string_view name = absl::StripAsciiWhitespace(value.substr(0, equals));
  if (!IsOptionName(name)) return false;
  list->add_values(absl::EqualsIgnoreCase(name, "dm.basesize")
                       ? CleanText(absl::StrCat("dm.basesize=", value.substr(equals + 1)))
                       : std::string(name));
  return true;
}

bool AddUlimitText(absl::string_view text, Settings* settings) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  const std::vector<absl::string_view> limits = absl::StrSplit(parts.second, ':');
  int64_t soft = 0;
  // Splitting nothing gives nothing, not one empty piece.
  if (limits.empty() || limits.size() > 2 || !absl::SimpleAtoi(limits[0], &soft)) return false;
  int64_t hard = soft;
  if (limits.size() == 2 && !absl::SimpleAtoi(limits[1], &hard)) return false;
  return AddUlimit(parts.first, soft, hard, settings);
}

template <typename Match>
const SettingSpec* Find(Match match) {
  for (const SettingSpec& spec : kSettings) {
    if (match(spec)) return &spec;
  }
  return nullptr;
}

}  // namespace

const SettingSpec* FindSettingByFlag(absl::string_view flag) {
  return Find([&](const SettingSpec& spec) { return spec.flag == flag; });
}

const SettingSpec* FindSettingByShorthand(char letter) {
  if (letter == 0) return nullptr;
  return Find([&](const SettingSpec& spec) { return spec.shorthand == letter; });
}

const SettingSpec* FindSettingByKey(absl::string_view key) {
  if (key.empty()) return nullptr;
  return Find([&](const SettingSpec& spec) { return spec.key == key; });
}

std::optional<bool> ParseGoBool(absl::string_view text) {
  for (const absl::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const absl::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

void SetBoolSetting(const SettingSpec& spec, bool value, Settings* settings) {
  Settings::GetReflection()->SetBool(settings, FieldOf(spec), value);
}

void SetIntegerSetting(const SettingSpec& spec, int64_t value, Settings* settings) {
  Settings::GetReflection()->SetInt64(settings, FieldOf(spec), value);
}

bool AddSetting(const SettingSpec& spec, absl::string_view value, Settings* settings) {
  const auto set_text = [&](absl::string_view text) {
    Settings::GetReflection()->SetString(settings, FieldOf(spec), CleanText(text, kMaxPathBytes));
    return true;
  };
  const auto list = [&] { return static_cast<v1::StringList*>(MutableListOf(spec, settings)); };
  switch (spec.kind) {
    case Kind::kText:
      return set_text(value);
    case Kind::kQuotedPath:
      return set_text(WithoutQuotes(value));
    case Kind::kAddress:
      return set_text(WithoutUserInfo(value));
    case Kind::kList:
      list()->add_values(CleanText(value, kMaxPathBytes));
      return true;
    case Kind::kAddressList:
      list()->add_values(CleanText(WithoutUserInfo(value), kMaxPathBytes));
      return true;
    case Kind::kStorageOptions:
      return AddStorageOption(value, list());
    case Kind::kLogOptions: {
      const std::pair<absl::string_view, absl::string_view> option =
          absl::StrSplit(value, absl::MaxSplits('=', 1));
      return absl::StrContains(value, '=') && AddLogOption(option.first, option.second, settings);
    }
    case Kind::kUlimits:
      return AddUlimitText(value, settings);
    case Kind::kBool:
    case Kind::kInteger:
      break;
  }
  return false;
}

void TouchListSetting(const SettingSpec& spec, Settings* settings) {
  MutableListOf(spec, settings);
}

bool AddLogOption(absl::string_view name, absl::string_view value, Settings* settings) {
  if (!IsOptionName(name)) return false;
  Settings::LogOption* option = settings->mutable_log_opts()->add_options();
  option->set_name(std::string(name));
  if (absl::EndsWith(name, "-address")) DescribeAddress(value, option);
  return true;
}

bool AddUlimit(absl::string_view name, int64_t soft, int64_t hard, Settings* settings) {
  if (!IsOptionName(name)) return false;
  Settings::Ulimit* limit = nullptr;
  for (Settings::Ulimit& known : *settings->mutable_default_ulimits()->mutable_ulimits()) {
    if (known.name() == name) limit = &known;
  }
  if (limit == nullptr) limit = settings->mutable_default_ulimits()->add_ulimits();
  limit->set_name(std::string(name));
  limit->set_soft(soft);
  limit->set_hard(hard);
  return true;
}

}  // namespace plimsoll::sources
