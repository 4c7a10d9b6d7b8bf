#include <array>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "controller/evaluate/checks/container_scope.h"
#include "controller/evaluate/checks/containers.h"
#include "controller/evaluate/checks/effective_settings.h"

namespace plimsoll::evaluate {
namespace {

using v1::Container;
using v1::SourceOutcome;
using CapabilityArgs = v1::ContainerCapabilitiesArgs;

constexpr char kPrivilegedSource[] = "inspect HostConfig.Privileged";

// By number, as linux/capability.h has them.
constexpr std::array<absl::string_view, 41> kCapabilities = {"CHOWN",
                                                             "DAC_OVERRIDE",
                                                             "DAC_READ_SEARCH",
                                                             "FOWNER",
                                                             "FSETID",
                                                             "KILL",
                                                             "SETGID",
                                                             "SETUID",
                                                             "SETPCAP",
                                                             "LINUX_IMMUTABLE",
                                                             "NET_BIND_SERVICE",
                                                             "NET_BROADCAST",
                                                             "NET_ADMIN",
                                                             "NET_RAW",
                                                             "IPC_LOCK",
                                                             "IPC_OWNER",
                                                             "SYS_MODULE",
                                                             "SYS_RAWIO",
                                                             "SYS_CHROOT",
                                                             "SYS_PTRACE",
                                                             "SYS_PACCT",
                                                             "SYS_ADMIN",
                                                             "SYS_BOOT",
                                                             "SYS_NICE",
                                                             "SYS_RESOURCE",
                                                             "SYS_TIME",
                                                             "SYS_TTY_CONFIG",
                                                             "MKNOD",
                                                             "LEASE",
                                                             "AUDIT_WRITE",
                                                             "AUDIT_CONTROL",
                                                             "SETFCAP",
                                                             "MAC_OVERRIDE",
                                                             "MAC_ADMIN",
                                                             "SYSLOG",
                                                             "WAKE_ALARM",
                                                             "BLOCK_SUSPEND",
                                                             "AUDIT_READ",
                                                             "PERFMON",
                                                             "BPF",
                                                             "CHECKPOINT_RESTORE"};
constexpr uint64_t kAll = ~uint64_t{0};
// What the engine gives a container that asks for nothing (rules.md 5.03).
constexpr uint64_t kDefaultSet = 0xa80425fb;

// Engines from here on list no-new-privileges among their security options when it is their
// default.
constexpr int kShowsNoNewPrivileges = 24;

// A set of capabilities; names that no kernel of ours knows count as one more.
struct Capabilities {
  uint64_t mask = 0;
  std::string unknown;
};

void Add(absl::string_view name, Capabilities& set) {
  std::string upper = absl::AsciiStrToUpper(name);
  const absl::string_view bare = absl::StripPrefix(upper, "CAP_");
  if (bare == "ALL") {
    set.mask = kAll;
    return;
  }
  for (size_t i = 0; i < kCapabilities.size(); ++i) {
    if (kCapabilities[i] == bare) {
      set.mask |= uint64_t{1} << i;
      return;
    }
  }
  absl::StrAppend(&set.unknown, set.unknown.empty() ? "" : " ", std::string(bare));
}

template <typename List>
Capabilities Parse(const List& names) {
  Capabilities set;
  for (const auto& name : names) Add(name, set);
  return set;
}

std::string Names(uint64_t mask) {
  if (mask == kAll) return "ALL";
  std::string text;
  for (size_t i = 0; i < kCapabilities.size(); ++i) {
    if (((mask >> i) & 1) != 0) {
      absl::StrAppend(&text, text.empty() ? "" : " ", std::string(kCapabilities[i]));
    }
  }
  return text;
}

std::string RuntimeText(const Container& container) {
  if (!container.runtime().has_cap_effective()) return "";
  return absl::StrFormat(" (CapEff %016x)", container.runtime().cap_effective());
}

Outcome JudgeCapabilitySet(const CapabilityArgs& args, const Capabilities& allowed,
                           const Capabilities& forbidden, const Container& c) {
  static constexpr char kExpected[] = "no capability beyond the default and allowed ones";
  static constexpr char kSource[] = "inspect HostConfig.CapAdd";
  if (args.count_privileged() && c.privileged()) {
    return Fail(absl::StrCat("privileged: every capability", RuntimeText(c)), kExpected,
                kPrivilegedSource);
  }
  uint64_t added = 0;
  if (!c.cap_add().empty()) {
    const Capabilities set = Parse(c.cap_add());
    added = set.mask;
    const uint64_t extra =
        added == kAll ? (allowed.mask == kAll ? 0 : kAll) : added & ~kDefaultSet & ~allowed.mask;
    const bool strange = !set.unknown.empty() && allowed.mask != kAll;
    if (extra != 0 || strange) {
      return Fail(absl::StrCat("adds ", Names(extra), extra != 0 && strange ? " " : "",
                               strange ? set.unknown : "", RuntimeText(c)),
                  kExpected, kSource);
    }
  }
  if (args.require_drop_all() || forbidden.mask != 0) {
    const uint64_t dropped = Parse(c.cap_drop()).mask;
    if (args.require_drop_all() && dropped != kAll) {
      return Fail("does not drop ALL", "cap_drop ALL", "inspect HostConfig.CapDrop");
    }
    const uint64_t kept = ((kDefaultSet & ~dropped) | added) & forbidden.mask;
    if (kept != 0) {
      return Fail(absl::StrCat("keeps ", Names(kept)), "forbidden capabilities are dropped",
                  "inspect HostConfig.CapDrop");
    }
  }
  if (args.count_privileged() && !c.has_privileged()) {
    return Unknown(reason::kParseError, "the engine did not send Privileged", kExpected,
                   kPrivilegedSource);
  }
  return Pass();
}

// The daemon's default for new containers now.
struct DaemonDefault {
  // Absent: not known, for this reason.
  std::optional<bool> value;
  absl::string_view reason = reason::kNotCollected;
};

DaemonDefault FindDaemonDefault(const Context& context) {
  const v1::EngineFacts& engine = context.facts.engine();
  const SourceOutcome& info = OutcomeOf(context.facts, Source::kEngineInfo);
  if (context.index.SecurityOption("no-new-privileges") != nullptr) return {.value = true};
  int major = 0;
  const absl::string_view version = absl::StripPrefix(engine.version(), "v");
  const bool numbered = absl::SimpleAtoi(version.substr(0, version.find('.')), &major);
  if (numbered && major >= kShowsNoNewPrivileges && info.state() == SourceOutcome::OK) {
    return {.value = false};
  }
  const auto configured = Configured(context, setting::kNoNewPrivileges, false);
  if (!configured.known()) {
    return {.value = std::nullopt,
            .reason = ReasonFor(configured.unread_source, *configured.unread)};
  }
  if (configured.drifted) {
    return {.value = std::nullopt, .reason = reason::kConfigNewerThanProcess};
  }
  return {.value = configured.value};
}

// What rules.md S11 finds for one container.
Outcome JudgeGain(const Context& context, const Container& c) {
  static constexpr char kExpected[] = "no-new-privileges";
  static constexpr char kOption[] = "inspect HostConfig.SecurityOpt";
  static constexpr char kStateFile[] = "config.v2.json NoNewPrivileges";
  static constexpr char kStatus[] = "/proc/<pid>/status NoNewPrivs";
  const bool by_option = c.security_options().has_no_new_privileges();
  if (by_option || c.has_state_file_no_new_privileges()) {
    const bool configured =
        by_option ? c.security_options().no_new_privileges() : c.state_file_no_new_privileges();
    const char* source = by_option ? kOption : kStateFile;
    if (!configured) return Fail("may gain privileges", kExpected, source);
    if (c.runtime().has_no_new_privs() && !c.runtime().no_new_privs()) {
      return Fail("set, but its process runs without it (NoNewPrivs: 0)", kExpected, kStatus,
                  reason::kConfiguredNotInForce);
    }
    return Pass();
  }
  if (c.runtime().has_no_new_privs()) {
    return c.runtime().no_new_privs()
               ? Pass()
               : Fail("may gain privileges (NoNewPrivs: 0)", kExpected, kStatus);
  }
  const DaemonDefault by_default = FindDaemonDefault(context);
  if (by_default.value == false) {
    return Fail("may gain privileges: neither the container nor the daemon restricts it", kExpected,
                kOption);
  }
  // What an existing container inherited is written in its state file alone.
  const SourceOutcome& file = c.state_file_outcome();
  const bool file_failed =
      file.state() != SourceOutcome::OK && file.state() != SourceOutcome::NOT_COLLECTED;
  return Unknown(file_failed ? ReasonFor(Source::kDaemon, file) : by_default.reason,
                 by_default.value.has_value()
                     ? "the daemon restricts new containers now; what this one inherited when it "
                       "was created could not be read"
                     : "neither the container's state nor the daemon's default could be read",
                 kExpected, kStateFile);
}

}  // namespace

void JudgeNotPrivileged(const Context& context, const v1::Check& check, Judge& judge) {
  static constexpr char kExpected[] = "not privileged";
  ForEachContainer(
      context, check.container_not_privileged().scope(), judge, [&](const Container& c) {
        if (!c.has_privileged()) {
          return Unknown(reason::kParseError, "the engine did not send the field", kExpected,
                         kPrivilegedSource);
        }
        return c.privileged() ? Fail("privileged", kExpected, kPrivilegedSource) : Pass();
      });
}

void JudgeCapabilities(const Context& context, const v1::Check& check, Judge& judge) {
  const CapabilityArgs& args = check.container_capabilities();
  const Capabilities allowed = Parse(GlobList(args.allowed(), context.as_of).globs());
  const Capabilities forbidden = Parse(args.forbidden());
  ForEachContainer(context, args.scope(), judge, [&](const Container& c) {
    return JudgeCapabilitySet(args, allowed, forbidden, c);
  });
}

void JudgeNoNewPrivileges(const Context& context, const v1::Check& check, Judge& judge) {
  ForEachContainer(context, check.container_no_new_privileges().scope(), judge,
                   [&](const Container& c) { return JudgeGain(context, c); });
}

}  // namespace plimsoll::evaluate
