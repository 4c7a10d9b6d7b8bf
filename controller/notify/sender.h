// The way out: HTTPS, SMTP and syslog.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "plimsoll/v1/notification_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::notify {

// Thread-safe. Blocking, at most `timeout` a message.
class Sender {
 public:
  virtual ~Sender() = default;
  // One attempt. `secret` is that of the channel's target; empty: none. OK: the receiver has taken
  // it. NOT_FOUND: the receiver says that it is gone for good (410). Any other error is worth
  // another attempt; its message says what was wrong, where, and never holds a secret or what the
  // receiver answered beyond its status line.
  virtual absl::Status Send(const v1::NotificationChannel& channel, const std::string& secret,
                            const v1::Notification& notification) = 0;
};

// Through libcurl (HTTPS, SMTP) and OpenSSL (syslog over TLS). Certificates are verified always.
class NetworkSender : public Sender {
 public:
  // `controller` is the host name that syslog messages come from.
  NetworkSender(const support::Clock& clock, std::string controller,
                absl::Duration timeout = absl::Seconds(10));
  absl::Status Send(const v1::NotificationChannel& channel, const std::string& secret,
                    const v1::Notification& notification) override;

 private:
  absl::Status SendWebhook(const v1::WebhookTarget& target, const std::string& secret,
                           const v1::Notification& notification);
  absl::Status SendEmail(const v1::EmailTarget& target, const std::string& password,
                         const v1::Notification& notification);
  absl::Status SendSyslog(const v1::SyslogTarget& target, const v1::Notification& notification);

  const support::Clock& clock_;
  const std::string controller_;
  const absl::Duration timeout_;
};

// What is wrong with the target of a channel that a person sets; names the field. Also for http and
// e-mail without TLS to anywhere but this machine; syslog over TCP and UDP is allowed anywhere.
// INVALID_ARGUMENT. Pure.
absl::Status CheckTarget(const v1::NotificationChannel& channel);

}  // namespace plimsoll::notify
