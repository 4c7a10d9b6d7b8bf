#include "controller/evaluate/checks/effective_settings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proto/support/times.h"

namespace plimsoll::evaluate {
namespace {

using v1::SourceOutcome;

// /proc gives the start of a process relative to a boot time that is rounded to seconds.
constexpr absl::Duration kStartResolution = absl::Seconds(1);

bool NewerThanProcess(const v1::DaemonFacts& daemon) {
  const v1::DaemonFacts::ConfigFile& file = daemon.config_file();
  if (file.outcome().state() != SourceOutcome::OK) return false;
  if (!daemon.has_start_time() || !file.has_modify_time()) return true;
  return support::FromTimestamp(file.modify_time()) >
         support::FromTimestamp(daemon.start_time()) + kStartResolution;
}

}  // namespace

Provenance Weigh(const v1::DaemonFacts& daemon, absl::string_view flag, absl::string_view json_key,
                 bool on_command_line, bool in_file) {
  const v1::DaemonFacts::ConfigFile& file = daemon.config_file();
  Provenance p{.flag = flag, .json_key = json_key, .file_path = file.path()};
  if (daemon.outcome().state() != SourceOutcome::OK) {
    p.unread = &daemon.outcome();
    p.unread_source = Source::kDaemon;
    return p;
  }
  if (daemon.command_line().outcome().state() != SourceOutcome::OK) {
    p.unread = &daemon.command_line().outcome();
    p.unread_source = Source::kCommandLine;
    return p;
  }
  p.stray_argument = daemon.command_line().stray_argument();
  const bool mistyped = std::find(file.mistyped_keys().begin(), file.mistyped_keys().end(),
                                  json_key) != file.mistyped_keys().end();
  p.edited_after_start = mistyped || (on_command_line && in_file);
  if (on_command_line) {
    p.origin = Origin::kCommandLine;
    return p;
  }
  const SourceOutcome::State state = file.outcome().state();
  const bool absent_default = state == SourceOutcome::NOT_PRESENT && !file.path_is_explicit();
  if (state != SourceOutcome::OK && !absent_default) {
    p.unread = &file.outcome();
    p.unread_source = Source::kConfigFile;
    return p;
  }
  if (in_file) p.origin = Origin::kConfigFile;
  p.drifted = mistyped || NewerThanProcess(daemon);
  return p;
}

std::string SourceText(const Provenance& provenance) {
  switch (provenance.origin) {
    case Origin::kCommandLine:
      return absl::StrCat("command line --", provenance.flag);
    case Origin::kConfigFile:
      return absl::StrCat(provenance.file_path, " ", provenance.json_key);
    case Origin::kDefault:
      break;
  }
  return "default";
}

bool UnknownUnlessKnown(const Provenance& provenance, Judge& judge) {
  if (provenance.known()) return false;
  if (provenance.unread->state() == SourceOutcome::NOT_PRESENT &&
      provenance.unread_source == Source::kConfigFile) {
    judge.Decide(v1::Verdict::UNKNOWN, reason::kConfigNewerThanProcess,
                 absl::StrCat(provenance.file_path,
                              ", which --config-file names, is gone; restart the daemon or restore "
                              "the file"));
    return true;
  }
  return judge.UnknownFrom(provenance.unread_source, *provenance.unread);
}

void JudgeSetting(const Provenance& provenance, bool holds, const Evidence& evidence,
                  Judge& judge) {
  if (UnknownUnlessKnown(provenance, judge)) return;
  const std::string source = SourceText(provenance);
  Evidence full = evidence;
  if (full.source.empty()) full.source = source;
  if (!holds) {
    if (provenance.drifted) full.reason = reason::kPendingRestart;
    judge.Fail(DaemonObject(), full);
  } else if (provenance.drifted) {
    full.reason = reason::kConfigNewerThanProcess;
    judge.Unknown(DaemonObject(), full);
  } else {
    judge.Pass(DaemonObject(), full);
  }
  NoteSetting(provenance, judge);
}

absl::string_view ReasonNotInForce(const Provenance& provenance, bool configured_holds) {
  const bool written = provenance.known() && provenance.origin != Origin::kDefault;
  return written && configured_holds ? reason::kConfiguredNotInForce : "";
}

void NoteSetting(const Provenance& provenance, Judge& judge) {
  if (provenance.edited_after_start) {
    judge.Note(kEditedAfterStart, absl::StrCat(provenance.file_path,
                                               " was edited after the daemon started: it would "
                                               "not start with \"",
                                               provenance.json_key, "\" as it is written now"));
  }
  if (provenance.stray_argument) {
    judge.Note(kStrayArgument, "the command line holds a word that is neither flag nor value");
  }
}

}  // namespace plimsoll::evaluate
