#include "controller/cli/host_filter.h"

#include <ostream>

namespace plimsoll::cli {

void AddHostFilter(CLI::App& command, HostFilter& filter) {
  AddLabelOption(command, filter.labels, "Only hosts with this label; may be repeated");
  command
      .add_option("-l,--selector", filter.selector,
                  "Only hosts whose labels fit, e.g. 'env=prod,tier!=db,!legacy'")
      ->type_name("SELECTOR");
}

void AddLimitOption(CLI::App& command, int& limit) {
  command.add_option("--limit", limit, "At most this many; 0 for all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("COUNT");
}

void SayMore(bool more, Session& session) {
  if (more) *session.out << "… more; --limit 0 lists all\n";
}

}  // namespace plimsoll::cli
