#include "controller/cli/waiver_view.h"

#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/civil_time.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/selector_options.h"

namespace plimsoll::cli {
namespace {

std::string StateName(const v1::Waiver& waiver) {
  if (waiver.state() == v1::Waiver::APPROVED) return waiver.active() ? "active" : "approved";
  return absl::AsciiStrToLower(v1::Waiver::State_Name(waiver.state()));
}

std::string State(const v1::Waiver& waiver, const Terminal& terminal) {
  const Style style = waiver.active()                          ? Style::kGreen
                      : waiver.state() == v1::Waiver::PROPOSED ? Style::kYellow
                                                               : Style::kDim;
  return terminal.Paint(StateName(waiver), style);
}

std::string Rules(const v1::Waiver& waiver, int most) {
  std::vector<std::string> rules;
  for (const v1::RuleRef& ref : waiver.rules()) {
    if (static_cast<int>(rules.size()) == most) {
      rules.push_back(absl::StrCat("and ", waiver.rules_size() - most, " more"));
      break;
    }
    rules.push_back(absl::StrCat(Printable(ref.baseline(), 64), ":", Printable(ref.rule(), 64)));
  }
  return absl::StrJoin(rules, ", ");
}

std::string Objects(const v1::Waiver& waiver) {
  return waiver.object_pattern().empty() ? "all" : Printable(waiver.object_pattern(), 64);
}

void AddFindings(const google::protobuf::RepeatedPtrField<v1::FleetFinding>& findings,
                 Table& table) {
  for (const v1::FleetFinding& fleet : findings) {
    table.Row(
        {Printable(fleet.hostname(), 40),
         absl::StrCat(Printable(fleet.baseline_id(), 64), ":", Printable(fleet.rule_id(), 64)),
         Printable(fleet.finding().object(), 60), Printable(fleet.finding().observed(), 100)});
  }
}

void PrintFindings(const char* what, int64_t count,
                   const google::protobuf::RepeatedPtrField<v1::FleetFinding>& findings,
                   Session& session) {
  if (count == 0) return;
  *session.out << "\n" << what << ":\n";
  Table table({"HOST", "RULE", "OBJECT", "OBSERVED"});
  AddFindings(findings, table);
  table.Print(session.terminal, *session.out);
  if (count > findings.size()) *session.out << "… and " << count - findings.size() << " more\n";
}

}  // namespace

bool ParseMoment(absl::string_view text, absl::Time now, absl::Time& moment) {
  absl::string_view number = text;
  int64_t days = 0;
  if (absl::ConsumeSuffix(&number, "d") && absl::SimpleAtoi(number, &days)) {
    moment = now + absl::Hours(24) * days;
    return days > 0;
  }
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration)) {
    moment = now + duration;
    return duration > absl::ZeroDuration() && duration != absl::InfiniteDuration();
  }
  absl::CivilDay day;
  if (absl::ParseCivilTime(text, &day)) {
    moment = absl::FromCivil(day, absl::UTCTimeZone());
    return true;
  }
  std::string ignored;
  return absl::ParseTime(absl::RFC3339_full, text, &moment, &ignored) &&
         moment != absl::InfiniteFuture() && moment != absl::InfinitePast();
}

void PrintWaiver(const v1::Waiver& waiver, Session& session) {
  std::ostream& out = *session.out;
  out << "Waiver " << Printable(waiver.id(), 64) << ", " << State(waiver, session.terminal)
      << ", version " << waiver.version() << "\n"
      << "  rules: " << Rules(waiver, 100) << "\n"
      << "  hosts: " << Describe(waiver.selector()) << "\n"
      << "  objects: " << Objects(waiver);
  if (waiver.bound_to_facts()) {
    out << ", as they were when it was approved";
    if (waiver.bound_object_count() > 0) out << " (" << waiver.bound_object_count() << ")";
  }
  out << "\n  reason: " << Printable(waiver.reason(), 2048) << "\n"
      << "  owner: " << Printable(waiver.owner(), 256);
  if (!waiver.ticket().empty()) out << ", ticket " << Printable(waiver.ticket(), 256);
  out << "\n  from " << (waiver.has_start_time() ? FormatInstant(waiver.start_time()) : "approval")
      << " until " << FormatInstant(waiver.expire_time()) << "\n"
      << "  proposed " << FormatInstant(waiver.propose_time()) << " by "
      << Printable(waiver.proposed_by(), 256) << "\n";
  if (!waiver.decided_by().empty()) {
    out << "  decided " << FormatInstant(waiver.decide_time()) << " by "
        << Printable(waiver.decided_by(), 256);
    if (!waiver.decision_note().empty()) out << ": " << Printable(waiver.decision_note(), 2048);
    out << "\n";
  }
  if (!waiver.has_covered_count()) return;
  out << "  covers " << waiver.covered_count() << " findings";
  if (waiver.bound_to_facts()) out << "; " << waiver.lapsed_count() << " lapsed";
  out << "\n";
  PrintFindings("Covered", waiver.covered_count(), waiver.covered(), session);
  PrintFindings("No longer what was approved", waiver.lapsed_count(), waiver.lapsed(), session);
}

void PrintWaivers(const v1::ListWaiversResponse& waivers, bool counted, Session& session) {
  if (waivers.waivers().empty()) {
    *session.out << "No waivers match; `plimsoll waiver propose --help` has examples.\n";
    return;
  }
  std::vector<std::string> header = {"ID",      "STATE",   "RULES", "HOSTS",
                                     "OBJECTS", "EXPIRES", "OWNER", "REASON"};
  if (counted) header.insert(header.begin() + 2, {"COVERS", "LAPSED"});
  Table table(header);
  for (const v1::Waiver& waiver : waivers.waivers()) {
    std::vector<std::string> row = {Printable(waiver.id(), 64),
                                    State(waiver, session.terminal),
                                    Rules(waiver, 3),
                                    Describe(waiver.selector()),
                                    Objects(waiver),
                                    FormatInstant(waiver.expire_time()),
                                    Printable(waiver.owner(), 64),
                                    Printable(waiver.reason(), 100)};
    if (counted) {
      row.insert(row.begin() + 2,
                 {absl::StrCat(waiver.covered_count()), absl::StrCat(waiver.lapsed_count())});
    }
    table.Row(std::move(row));
  }
  table.Print(session.terminal, *session.out);
  SayMore(!waivers.next_page_token().empty(), session);
}

void PrintPreview(const v1::PreviewWaiverResponse& preview, Session& session) {
  std::ostream& out = *session.out;
  out << "Would cover " << preview.finding_count() << " findings on " << preview.host_count()
      << " of " << preview.selected_host_count() << " hosts";
  if (preview.offline_host_count() > 0) {
    out << ", " << preview.offline_host_count() << " of them not connected";
  }
  out << ".\n";
  if (preview.uncounted_host_count() > 0) {
    out << preview.uncounted_host_count() << " more hosts with failing rules are not counted.\n";
  }
  if (preview.findings().empty()) return;
  Table table({"HOST", "RULE", "OBJECT", "OBSERVED"});
  AddFindings(preview.findings(), table);
  out << "\n";
  table.Print(session.terminal, out);
  SayMore(!preview.next_page_token().empty(), session);
}

void PrintWaiverHistory(const v1::ListWaiverHistoryResponse& history, Session& session) {
  Table table({"TIME", "WHO", "WHAT", "UNTIL", "NOTE"});
  for (const v1::WaiverChange& change : history.changes()) {
    table.Row({FormatInstant(change.time()), Printable(change.actor(), 64),
               absl::AsciiStrToLower(v1::WaiverChange::Action_Name(change.action())),
               FormatInstant(change.waiver().expire_time()), Printable(change.note(), 300)});
  }
  table.Print(session.terminal, *session.out);
}

}  // namespace plimsoll::cli
