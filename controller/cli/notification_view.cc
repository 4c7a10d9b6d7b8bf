#include "controller/cli/notification_view.h"

#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "proto/support/times.h"

namespace plimsoll::cli {
namespace {

// Where a channel leads, e.g. "webhook https://example.com/hook".
std::string TargetOf(const v1::NotificationChannel& channel) {
  switch (channel.target_case()) {
    case v1::NotificationChannel::kWebhook:
      return absl::StrCat("webhook ", Printable(channel.webhook().url(), 200));
    case v1::NotificationChannel::kEmail:
      return absl::StrCat("email ", Printable(absl::StrJoin(channel.email().to(), ", "), 200));
    case v1::NotificationChannel::kSyslog:
      return absl::StrCat("syslog ", Printable(channel.syslog().server(), 200));
    default:
      return "-";
  }
}

std::string KindsOf(const v1::NotificationChannel& channel) {
  if (channel.kinds().empty()) return "new-failure, recovery, host-stale, host-back";
  return absl::StrJoin(channel.kinds(), ", ", [](std::string* out, int kind) {
    out->append(KindName(static_cast<v1::NotificationEvent::Kind>(kind)));
  });
}

std::string SeverityOf(const v1::NotificationChannel& channel) {
  return channel.minimum_severity() == v1::SEVERITY_UNSPECIFIED
             ? "high"
             : SeverityName(channel.minimum_severity());
}

std::string WindowOf(const v1::NotificationChannel& channel) {
  if (!channel.has_window()) return "10s";
  return absl::FormatDuration(support::FromDuration(channel.window()));
}

std::string PaintState(const Session& session, v1::NotificationDelivery::State state) {
  const std::string name = absl::AsciiStrToLower(v1::NotificationDelivery::State_Name(state));
  const Style style = state == v1::NotificationDelivery::SENT     ? Style::kGreen
                      : state == v1::NotificationDelivery::FAILED ? Style::kRed
                                                                  : Style::kYellow;
  return session.terminal.Paint(name, style);
}

}  // namespace

std::string KindName(v1::NotificationEvent::Kind kind) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(v1::NotificationEvent::Kind_Name(kind)),
                             {{"_", "-"}});
}

void PrintChannel(const v1::NotificationChannel& channel, Session& session) {
  std::ostream& out = *session.out;
  out << session.terminal.Paint(Printable(channel.name()), Style::kBold) << "  "
      << (channel.paused() ? session.terminal.Paint("paused", Style::kYellow) : "active") << "\n";
  const auto line = [&out](absl::string_view name, absl::string_view value) {
    if (!value.empty()) out << "  " << name << std::string(14 - name.size(), ' ') << value << "\n";
  };
  line("id", channel.id());
  line("target", TargetOf(channel));
  if (channel.has_webhook()) {
    line("signed", channel.webhook().has_secret() ? "yes" : "no: set --secret-file");
  }
  if (channel.has_email()) {
    line("relay", Printable(channel.email().server()));
    line("from", Printable(channel.email().from()));
  }
  if (channel.has_syslog()) {
    line("transport", channel.syslog().transport() == v1::SyslogTarget::TCP   ? "tcp"
                      : channel.syslog().transport() == v1::SyslogTarget::UDP ? "udp"
                                                                              : "tls");
    line("format", channel.syslog().format() == v1::SyslogTarget::OCSF ? "ocsf" : "cef");
  }
  line("about", KindsOf(channel));
  line("severity", absl::StrCat(SeverityOf(channel), " and worse"));
  line("selector", Printable(channel.selector()));
  line("baselines", Printable(absl::StrJoin(channel.baselines(), ", ")));
  line("window", WindowOf(channel));
  line("description", Printable(channel.description()));
  line("created",
       absl::StrCat(FormatInstant(channel.create_time()), " by ", Printable(channel.created_by())));
}

void PrintChannels(const v1::ListNotificationChannelsResponse& channels, Session& session) {
  if (channels.channels().empty()) {
    *session.out << "no notification channels; `plimsoll notification create --help` says how to "
                    "make one\n";
    return;
  }
  Table table({"NAME", "STATE", "TARGET", "ABOUT", "SEVERITY"});
  for (const v1::NotificationChannel& channel : channels.channels()) {
    table.Row({Printable(channel.name()), channel.paused() ? "paused" : "active", TargetOf(channel),
               KindsOf(channel), SeverityOf(channel)});
  }
  table.Print(session.terminal, *session.out);
}

void PrintDelivery(const v1::NotificationDelivery& delivery, Session& session) {
  std::ostream& out = *session.out;
  out << PaintState(session, delivery.state()) << "  " << delivery.id() << "  "
      << Printable(delivery.title()) << "\n";
  if (!delivery.error().empty()) out << "  " << Printable(delivery.error()) << "\n";
}

void PrintDeliveries(const v1::ListNotificationDeliveriesResponse& deliveries, Session& session) {
  if (deliveries.deliveries().empty()) {
    *session.out << "nothing was sent yet\n";
    return;
  }
  Table table({"CREATED", "STATE", "ATTEMPTS", "ID", "TITLE", "ERROR"});
  for (const v1::NotificationDelivery& delivery : deliveries.deliveries()) {
    table.Row({FormatInstant(delivery.create_time()), PaintState(session, delivery.state()),
               absl::StrCat(delivery.attempt_count()), delivery.id(), Printable(delivery.title()),
               delivery.error().empty() ? "-" : Printable(delivery.error(), 200)});
  }
  table.Print(session.terminal, *session.out);
  SayMore(!deliveries.next_page_token().empty(), session);
}

}  // namespace plimsoll::cli
