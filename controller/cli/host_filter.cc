#include "controller/cli/host_filter.h"

#include <ostream>

namespace plimsoll::cli {

void AddHostFilter(Command command, HostFilter& filter) {
  AddLabelOption(command, filter.labels, "Only hosts with this label; may be repeated");
  command
      .AddOption("-l,--selector", filter.selector,
                 "Only hosts whose labels fit, e.g. 'env=prod,tier!=db,!legacy'")
      .TypeName("SELECTOR");
}

void AddLimitOption(Command command, int& limit) {
  command.AddOption("--limit", limit, "At most this many; 0 for all")
      .NotNegative()
      .ShowDefault()
      .TypeName("COUNT");
}

void SayMore(bool more, Session& session) {
  if (more) *session.out << "… more; --limit 0 lists all\n";
}

}  // namespace plimsoll::cli
