#include "controller/cli/selector_options.h"

#include <google/protobuf/util/time_util.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace plimsoll::cli {
namespace {

// More than the API takes anywhere; "inf" is not a duration, but parses as one.
constexpr absl::Duration kLongestDuration = absl::Hours(24 * 366 * 100);

}  // namespace

bool SelectorOptions::given() const {
  return selector.all() || !selector.hosts().empty() || !labels.empty() ||
         !selector.expression().empty();
}

absl::StatusOr<v1::HostSelector> SelectorOptions::Take() const {
  if (!given()) {
    return absl::InvalidArgumentError(
        "say which hosts: --all, --host HOST, --label KEY=VALUE or -l SELECTOR");
  }
  v1::HostSelector taken = selector;
  taken.mutable_labels()->insert(labels.begin(), labels.end());
  return taken;
}

void AddSelectorOptions(Command command, SelectorOptions& options) {
  command.AddFlagCall(
      "--all", [&options] { options.selector.set_all(true); }, "Every host");
  command
      .AddOptionCall(
          "--host",
          [&options](const std::vector<std::string>& hosts) {
            options.selector.mutable_hosts()->Assign(hosts.begin(), hosts.end());
          },
          "This host, by name or id; may be repeated")
      .TypeName("HOST");
  AddLabelOption(command, options.labels, "Hosts with this label; may be repeated");
  command
      .AddOptionCall(
          "-l,--selector",
          [&options](const std::string& text) { options.selector.set_expression(text); },
          "Hosts whose labels fit, e.g. 'env in (prod, stage), !canary'")
      .TypeName("SELECTOR");
}

Option AddDurationOption(Command command, const std::string& name, absl::Duration& value,
                         const std::string& help, bool zero) {
  return command
      .AddOptionCall(
          name,
          [name, &value, zero](const std::string& text) {
            const absl::Duration least = zero ? absl::ZeroDuration() : absl::Seconds(1);
            if (!absl::ParseDuration(text, &value) || value < least || value > kLongestDuration) {
              RefuseOption(name,
                           absl::StrCat("expected a duration of at least ",
                                        absl::FormatDuration(least), ", e.g. 90s, 10m or 2h"));
            }
          },
          help)
      .TypeName("DURATION");
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::MillisecondsToDuration(
      absl::ToInt64Milliseconds(duration));
}

std::string Describe(const v1::HostSelector& selector) {
  if (selector.all()) return "all hosts";
  std::vector<std::string> parts;
  for (const std::string& host : selector.hosts()) {
    parts.push_back(absl::StrCat("--host ", Printable(host, 100)));
    if (parts.size() == 10 && selector.hosts_size() > 10) {
      parts.push_back(absl::StrCat("and ", selector.hosts_size() - 10, " more"));
      break;
    }
  }
  const std::map<std::string, std::string> labels(selector.labels().begin(),
                                                  selector.labels().end());
  for (const auto& [key, value] : labels) {
    parts.push_back(absl::StrCat("--label ", Printable(absl::StrCat(key, "=", value), 200)));
  }
  if (!selector.expression().empty()) {
    parts.push_back(absl::StrCat("-l '", Printable(selector.expression(), 400), "'"));
  }
  return absl::StrJoin(parts, " ");
}

}  // namespace plimsoll::cli
