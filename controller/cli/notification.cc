#include <memory>
#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/notification_view.h"
#include "controller/cli/selector_options.h"
#include "plimsoll/v1/notification_service.grpc.pb.h"
#include "proto/support/key_files.h"

namespace plimsoll::cli {
namespace {

using Service = v1::NotificationService;

// What was given on the command line; `given` holds only that.
struct NotificationOptions {
  std::string name;
  v1::NotificationChannel given;
  bool has_selector = false;
  bool has_description = false;
  std::string webhook, syslog, transport, format;
  std::vector<std::string> email;
  std::string smtp, from, username;
  bool plain = false;
  std::string secret_file, ca_file;
  std::vector<std::string> kinds;
  absl::Duration window = absl::InfiniteDuration();
  std::string new_name, delivery;
  int limit = 20;
};
using Options = std::shared_ptr<NotificationOptions>;

std::unique_ptr<Service::Stub> Stub(Client& client) { return Service::NewStub(client.channel()); }

// A secret is read from a file, so that it is in no process list and no history of a shell.
absl::StatusOr<std::string> SecretIn(const std::string& file) {
  if (file.empty()) return "";
  auto text = support::ReadKeyFile(file, true);
  if (!text.ok()) return text.status();
  std::string secret(absl::StripAsciiWhitespace(*text));
  if (secret.empty()) return absl::InvalidArgumentError(absl::StrCat(file, " is empty"));
  return secret;
}

absl::StatusOr<std::string> TextIn(const std::string& file) {
  if (file.empty()) return "";
  return support::ReadKeyFile(file, false);
}

// Refuses what would be dropped: a second target, and settings of another than `channel` has.
absl::Status CheckTarget(const NotificationOptions& options,
                         const v1::NotificationChannel& channel) {
  if (!options.webhook.empty() + !options.email.empty() + !options.syslog.empty() > 1) {
    return absl::InvalidArgumentError("--webhook, --email and --syslog: a channel has one of them");
  }
  const bool mail =
      !options.smtp.empty() || !options.from.empty() || !options.username.empty() || options.plain;
  if (mail && !channel.has_email()) {
    return absl::InvalidArgumentError(
        "--smtp, --from, --username and --plain-smtp go with --email only");
  }
  if ((!options.transport.empty() || !options.format.empty()) && !channel.has_syslog()) {
    return absl::InvalidArgumentError("--transport and --format go with --syslog only");
  }
  if (!options.secret_file.empty() && channel.has_syslog()) {
    return absl::InvalidArgumentError("--secret-file goes with --webhook and --email only");
  }
  return absl::OkStatus();
}

absl::Status ApplyTarget(const NotificationOptions& options, v1::NotificationChannel& channel) {
  auto secret = SecretIn(options.secret_file);
  if (!secret.ok()) return secret.status();
  auto ca = TextIn(options.ca_file);
  if (!ca.ok()) return ca.status();
  if (!options.webhook.empty()) channel.mutable_webhook()->set_url(options.webhook);
  if (!options.syslog.empty()) channel.mutable_syslog()->set_server(options.syslog);
  if (!options.email.empty()) {
    *channel.mutable_email()->mutable_to() = {options.email.begin(), options.email.end()};
  }
  if (auto status = CheckTarget(options, channel); !status.ok()) return status;
  if (channel.has_email()) {
    v1::EmailTarget& email = *channel.mutable_email();
    if (!options.smtp.empty()) email.set_server(options.smtp);
    if (!options.from.empty()) email.set_from(options.from);
    if (!options.username.empty()) email.set_username(options.username);
    if (options.plain) email.set_plain(true);
    if (!secret->empty()) email.set_password(*secret);
    if (!ca->empty()) email.set_ca_pem(*ca);
  } else if (channel.has_webhook()) {
    if (!secret->empty()) channel.mutable_webhook()->set_secret(*secret);
    if (!ca->empty()) channel.mutable_webhook()->set_ca_pem(*ca);
  } else if (channel.has_syslog()) {
    v1::SyslogTarget& syslog = *channel.mutable_syslog();
    v1::SyslogTarget::Transport transport = v1::SyslogTarget::TLS;
    v1::SyslogTarget::Format format = v1::SyslogTarget::CEF;
    if (!options.transport.empty() &&
        v1::SyslogTarget::Transport_Parse(absl::AsciiStrToUpper(options.transport), &transport)) {
      syslog.set_transport(transport);
    }
    if (!options.format.empty() &&
        v1::SyslogTarget::Format_Parse(absl::AsciiStrToUpper(options.format), &format)) {
      syslog.set_format(format);
    }
    if (!ca->empty()) syslog.set_ca_pem(*ca);
  }
  return absl::OkStatus();
}

// Lays what was given over `channel`.
absl::Status Apply(const NotificationOptions& options, v1::NotificationChannel& channel) {
  if (auto status = ApplyTarget(options, channel); !status.ok()) return status;
  if (!options.kinds.empty()) channel.clear_kinds();
  for (const std::string& name : options.kinds) {
    v1::NotificationEvent::Kind kind = v1::NotificationEvent::KIND_UNSPECIFIED;
    v1::NotificationEvent::Kind_Parse(
        absl::StrReplaceAll(absl::AsciiStrToUpper(name), {{"-", "_"}}), &kind);
    channel.add_kinds(kind);
  }
  if (options.given.minimum_severity() != v1::SEVERITY_UNSPECIFIED) {
    channel.set_minimum_severity(options.given.minimum_severity());
  }
  if (options.window != absl::InfiniteDuration()) {
    *channel.mutable_window() = ToProto(options.window);
  }
  if (!options.given.baselines().empty()) *channel.mutable_baselines() = options.given.baselines();
  if (options.has_selector) channel.set_selector(options.given.selector());
  if (options.has_description) channel.set_description(options.given.description());
  return absl::OkStatus();
}

// Prints an answer as JSON or by `print`.
template <class Response, class Print>
absl::Status Show(const absl::StatusOr<Response>& response, Session& session, Print print) {
  if (!response.ok()) return response.status();
  if (session.json()) {
    session.PrintJson(*response);
  } else {
    print(*response, session);
  }
  return absl::OkStatus();
}

absl::Status Create(Client& client, const NotificationOptions& options, Session& session) {
  v1::CreateNotificationChannelRequest request;
  v1::NotificationChannel& channel = *request.mutable_channel();
  channel.set_name(options.name);
  channel.set_paused(options.given.paused());
  if (auto status = Apply(options, channel); !status.ok()) return status;
  return Show(client.Call(&Service::Stub::CreateNotificationChannel, Stub(client), request),
              session, PrintChannel);
}

absl::StatusOr<v1::NotificationChannel> Get(Client& client, const std::string& name) {
  v1::GetNotificationChannelRequest request;
  request.set_channel(name);
  return client.Call(&Service::Stub::GetNotificationChannel, Stub(client), request);
}

// Reads the channel, lets `change` change it, writes it back; somebody else's change in between is
// not overwritten.
absl::Status Change(Client& client, const NotificationOptions& options, Session& session,
                    const std::function<absl::Status(v1::NotificationChannel&)>& change) {
  auto channel = Get(client, options.name);
  if (!channel.ok()) return channel.status();
  v1::UpdateNotificationChannelRequest request;
  *request.mutable_channel() = *std::move(channel);
  if (auto status = change(*request.mutable_channel()); !status.ok()) return status;
  return Show(client.Call(&Service::Stub::UpdateNotificationChannel, Stub(client), request),
              session, PrintChannel);
}

absl::Status Update(Client& client, const NotificationOptions& options, Session& session) {
  return Change(client, options, session, [&](v1::NotificationChannel& channel) {
    if (!options.new_name.empty()) channel.set_name(options.new_name);
    return Apply(options, channel);
  });
}

absl::Status SetPaused(Client& client, const NotificationOptions& options, Session& session,
                       bool paused) {
  return Change(client, options, session, [paused](v1::NotificationChannel& channel) {
    channel.set_paused(paused);
    return absl::OkStatus();
  });
}

absl::Status List(Client& client, const NotificationOptions&, Session& session) {
  return Show(client.Call(&Service::Stub::ListNotificationChannels, Stub(client),
                          v1::ListNotificationChannelsRequest()),
              session, PrintChannels);
}

absl::Status Delete(Client& client, const NotificationOptions& options, Session& session) {
  v1::DeleteNotificationChannelRequest request;
  request.set_channel(options.name);
  return Show(client.Call(&Service::Stub::DeleteNotificationChannel, Stub(client), request),
              session, [](const v1::DeleteNotificationChannelResponse& gone, Session& s) {
                *s.out << "deleted " << gone.id() << "\n";
              });
}

// Exit status 1: the test did not arrive.
absl::Status Test(Client& client, const NotificationOptions& options, Session& session) {
  v1::TestNotificationChannelRequest request;
  request.set_channel(options.name);
  const auto delivery = client.Call(&Service::Stub::TestNotificationChannel, Stub(client), request);
  if (delivery.ok() && delivery->state() != v1::NotificationDelivery::SENT) {
    session.exit_status = kNotCompliant;
  }
  return Show(delivery, session, PrintDelivery);
}

absl::Status Deliveries(Client& client, const NotificationOptions& options, Session& session) {
  v1::ListNotificationDeliveriesResponse all;
  const auto more = ReadPages(
      options.limit,
      [&](int size, const std::string& token) {
        v1::ListNotificationDeliveriesRequest request;
        request.set_channel(options.name);
        request.set_page_size(size);
        request.set_page_token(token);
        return client.Call(&Service::Stub::ListNotificationDeliveries, Stub(client), request);
      },
      [&all](const auto& page) {
        all.mutable_deliveries()->MergeFrom(page.deliveries());
        all.set_next_page_token(page.next_page_token());
      },
      [&all] { return all.deliveries_size(); });
  if (!more.ok()) return more.status();
  return Show(absl::StatusOr<v1::ListNotificationDeliveriesResponse>(std::move(all)), session,
              PrintDeliveries);
}

absl::Status Retry(Client& client, const NotificationOptions& options, Session& session) {
  v1::RetryNotificationDeliveryRequest request;
  request.set_delivery(options.delivery);
  return Show(client.Call(&Service::Stub::RetryNotificationDelivery, Stub(client), request),
              session, PrintDelivery);
}

// Options that say where to and what about.
void AddSettings(Command command, const Options& options) {
  command.AddOption("--webhook", options->webhook, "HTTPS address that gets a signed POST")
      .TypeName("URL");
  command.AddOption("--email", options->email, "Receivers of an e-mail").TypeName("ADDRESS");
  command.AddOption("--smtp", options->smtp, "Relay of e-mails").TypeName("HOST:PORT");
  command.AddOption("--from", options->from, "Sender of e-mails").TypeName("ADDRESS");
  command.AddOption("--username", options->username, "Sign-in at the relay").TypeName("NAME");
  command.AddFlag("--plain-smtp", options->plain,
                  "No TLS: only to a relay on the controller's host");
  command.AddOption("--syslog", options->syslog, "Receiver of syslog messages")
      .TypeName("HOST:PORT");
  command.AddOption("--transport", options->transport, "Of syslog: tls, tcp, udp [tls]")
      .OneOf({"tls", "tcp", "udp"})
      .TypeName("NAME");
  command.AddOption("--format", options->format, "Of syslog: cef, ocsf [cef]")
      .OneOf({"cef", "ocsf"})
      .TypeName("NAME");
  command
      .AddOption("--secret-file", options->secret_file,
                 "File with the key of a webhook's signature, or the relay's password")
      .TypeName("FILE");
  command.AddOption("--ca-file", options->ca_file, "Authorities of the receiver, PEM")
      .TypeName("FILE");
  command
      .AddOption("--about", options->kinds,
                 "Kinds of events [new-failure recovery host-stale host-back]")
      .OneOf(
          {"new-failure", "recovery", "host-stale", "host-back", "scan-ended", "waiver-expiring"})
      .TypeName("KIND");
  AddSeverityOption(
      command, "--severity", "Failures at least this severe [high]",
      [options](v1::Severity severity) { options->given.set_minimum_severity(severity); });
  command
      .AddOptionCall(
          "-l,--selector",
          [options](const std::string& text) {
            options->given.set_selector(text);
            options->has_selector = true;
          },
          "Only hosts with these labels, e.g. 'env=prod,tier!=db'")
      .TypeName("SELECTOR");
  command
      .AddOptionCall(
          "--baseline",
          [options](const std::vector<std::string>& ids) {
            *options->given.mutable_baselines() = {ids.begin(), ids.end()};
          },
          "Only these baselines")
      .TypeName("ID");
  AddDurationOption(command, "--window", options->window,
                    "What happens within this time is one message [10s]", true);
  command
      .AddOptionCall(
          "--description",
          [options](const std::string& text) {
            options->given.set_description(text);
            options->has_description = true;
          },
          "For people")
      .TypeName("TEXT");
}

}  // namespace

void AddNotification(Command app, Session& session) {
  auto options = std::make_shared<NotificationOptions>();
  Command notification = app.AddSubcommand(
      "notification", "Channels that tell people and systems what happened: create, test and more");
  notification.RequireSubcommand(1, 1);
  using Action = std::function<absl::Status(Client&, const NotificationOptions&, Session&)>;
  const auto add = [&](const std::string& name, const std::string& help, bool named,
                       Action action) -> Command {
    Command command = AddAction(notification, session, options, name, help, std::move(action));
    if (named) {
      command.AddOption("name", options->name, "Name or id").Required().TypeName("NAME");
    }
    return command;
  };
  Command create = add("create", "Make a channel", true, Create);
  AddSettings(create, options);
  create.AddFlagCall(
      "--paused", [options] { options->given.set_paused(true); }, "Make it without starting it");
  create.Footer(
      "A webhook is signed: X-Plimsoll-Signature: t=SECONDS,v1=HEX, the HMAC-SHA256 of\n"
      "\"SECONDS.BODY\" by the secret.\n\nExamples:\n"
      "  plimsoll notification create oncall --webhook https://example.com/hook --secret-file key\n"
      "  plimsoll notification create siem --syslog siem.example.com:6514 --format ocsf --severity "
      "low\n"
      "  plimsoll notification create team --email sec@example.com --smtp mail.example.com:587 "
      "--from plimsoll@example.com -l team=payments");
  add("list", "All channels", false, List);
  add("show", "One channel", true, [](Client& client, const NotificationOptions& o, Session& s) {
    return Show(Get(client, o.name), s, PrintChannel);
  });
  Command update = add("update", "Change what is given, leave the rest", true, Update);
  AddSettings(update, options);
  update.AddOption("--name", options->new_name, "Another name").TypeName("NAME");
  add("pause", "Note nothing for it until resumed", true,
      [](Client& client, const NotificationOptions& o, Session& s) {
        return SetPaused(client, o, s, true);
      });
  add("resume", "Tell it again what happens from now on", true,
      [](Client& client, const NotificationOptions& o, Session& s) {
        return SetPaused(client, o, s, false);
      });
  add("delete", "Remove a channel; what waits is not sent", true, Delete);
  add("test", "Send a test at once; exit status 1 when it does not arrive", true, Test);
  Command deliveries =
      add("deliveries", "What was sent and what waits, newest first", false, Deliveries);
  deliveries.AddOption("name", options->name, "Channel; all when left out").TypeName("NAME");
  AddLimitOption(deliveries, options->limit);
  add("retry", "Try a delivery that failed again", false, Retry)
      .AddOption("delivery", options->delivery, "Id of the delivery")
      .Required()
      .TypeName("ID");
}

}  // namespace plimsoll::cli
