#include "collector/sources/auditd_conf.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "collector/sources/outcome.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr char kPath[] = "/etc/audit/auditd.conf";
constexpr size_t kMaxBytes = size_t{64} << 10;

}  // namespace

v1::AuditFacts::DaemonConfig ParseAuditdConf(absl::string_view text) {
  v1::AuditFacts::DaemonConfig config;
  config.set_log_file(kDefaultAuditLog);
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(line), "#")) continue;
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    const absl::string_view key = absl::StripAsciiWhitespace(parts.first);
    const absl::string_view value = absl::StripAsciiWhitespace(parts.second);
    if (absl::EqualsIgnoreCase(key, "max_log_file_action")) {
      config.set_max_log_file_action(CleanText(absl::AsciiStrToLower(value)));
    } else if (absl::EqualsIgnoreCase(key, "num_logs")) {
      int number = 0;
      config.clear_num_logs();
      if (absl::SimpleAtoi(value, &number)) config.set_num_logs(number);
    } else if (absl::EqualsIgnoreCase(key, "log_file") && absl::StartsWith(value, "/")) {
      config.set_log_file(CleanText(value, kMaxPathBytes));
    }
  }
  return config;
}

void CollectAuditdConf(host::HostEnv& env, v1::AuditFacts::DaemonConfig* config) {
  v1::SourceOutcome outcome;
  {
    OutcomeTimer timer(env.clock, &outcome);
    const absl::StatusOr<std::string> text = env.files.ReadFile(kPath, kMaxBytes);
    timer.Set(text.status());
    *config = ParseAuditdConf(text.ok() ? absl::string_view(*text) : absl::string_view());
  }
  *config->mutable_outcome() = outcome;
}

}  // namespace plimsoll::sources
