#include "controller/cli/what_if.h"

#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/what_if_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

using Service = v1::WhatIfService::Stub;

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(1);

std::unique_ptr<Service> Stub(Client& client) {
  return v1::WhatIfService::NewStub(client.channel());
}

std::string Status(const Terminal& terminal, v1::Verdict::Status status, bool waived) {
  return absl::StrCat(PaintStatus(terminal, status), waived ? " (waived)" : "");
}

absl::StatusOr<v1::WhatIf> AwaitEnd(Client& client, v1::WhatIf what_if, Session& session) {
  v1::GetWhatIfRequest request;
  request.set_id(what_if.id());
  absl::Duration pause = kFirstPause;
  while (!what_if.done() && what_if.error().empty()) {
    absl::SleepFor(pause);
    pause = std::min(pause * 2, kLongestPause);
    auto next = client.Call(&Service::GetWhatIf, Stub(client), request);
    if (!next.ok()) return next.status();
    what_if = *std::move(next);
    if (session.error_terminal.interactive()) {
      *session.err << "\r" << what_if.judged_host_count() << " of " << what_if.host_count()
                   << " hosts judged" << std::flush;
    }
  }
  if (session.error_terminal.interactive()) *session.err << "\n";
  if (!what_if.error().empty()) return absl::InternalError(what_if.error());
  return what_if;
}

}  // namespace

absl::Status RunWhatIf(Client& client, const v1::StartWhatIfRequest& request, int limit,
                       Session& session) {
  auto started = client.Call(&Service::StartWhatIf, Stub(client), request);
  if (!started.ok()) return started.status();
  auto what_if = AwaitEnd(client, *std::move(started), session);
  if (!what_if.ok()) return what_if.status();
  v1::ListWhatIfFlipsRequest page_of;
  page_of.set_id(what_if->id());
  v1::ListWhatIfFlipsResponse all;
  const auto get = [&](int size, const std::string& token) {
    page_of.set_page_size(size);
    page_of.set_page_token(token);
    return client.Call(&Service::ListWhatIfFlips, Stub(client), page_of);
  };
  const auto more = ReadPages(
      limit, get,
      [&all](const auto& page) {
        all.mutable_flips()->MergeFrom(page.flips());
        all.set_next_page_token(page.next_page_token());
      },
      [&all] { return all.flips_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    *all.mutable_what_if() = *std::move(what_if);
    session.PrintJson(all);
  } else {
    PrintWhatIf(*what_if, all, session);
  }
  v1::CancelWhatIfRequest done;
  done.set_id(page_of.id());
  return client.Call(&Service::CancelWhatIf, Stub(client), done).status();
}

void PrintWhatIf(const v1::WhatIf& what_if, const v1::ListWhatIfFlipsResponse& flips,
                 Session& session) {
  std::ostream& out = *session.out;
  const Terminal& terminal = session.terminal;
  out << what_if.flip_count() << " verdicts would flip, on " << what_if.flipped_host_count()
      << " of " << what_if.host_count() << " hosts";
  if (what_if.offline_host_count() > 0) {
    out << " (" << what_if.offline_host_count() << " judged without being connected)";
  }
  out << ".\n";
  if (what_if.skipped_host_count() > 0) {
    out << what_if.skipped_host_count() << " hosts have no facts to judge.\n";
  }
  if (what_if.flip_count() == 0) return;
  Table counts({"COUNT", "FROM", "TO"});
  for (const v1::WhatIf::FlipCount& line : what_if.flips()) {
    counts.Row({absl::StrCat(line.count()), Status(terminal, line.from(), line.from_waived()),
                Status(terminal, line.to(), line.to_waived())});
  }
  Table rules({"COUNT", "HOSTS", "RULE"});
  for (const v1::WhatIf::RuleFlips& line : what_if.rules()) {
    rules.Row(
        {absl::StrCat(line.count()), absl::StrCat(line.host_count()),
         absl::StrCat(Printable(line.baseline_id(), 64), " ", Printable(line.rule_id(), 64))});
  }
  Table table({"HOST", "RULE", "OBJECT", "FROM", "TO"});
  for (const v1::Flip& flip : flips.flips()) {
    table.Row({Printable(flip.hostname(), 40),
               absl::StrCat(Printable(flip.baseline_id(), 64), " ", Printable(flip.rule_id(), 64)),
               Printable(flip.object(), 60), Status(terminal, flip.from(), flip.from_waived()),
               Status(terminal, flip.to(), flip.to_waived())});
  }
  for (Table* each : {&counts, &rules, &table}) {
    out << "\n";
    each->Print(terminal, out);
  }
  SayMore(!flips.next_page_token().empty(), session);
  if (what_if.unlisted_flip_count() > 0) {
    out << what_if.unlisted_flip_count() << " more are counted and not listed.\n";
  }
}

}  // namespace plimsoll::cli
