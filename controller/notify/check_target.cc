// What a person may set as a target.
#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/notify/sender.h"

namespace plimsoll::notify {
namespace {

constexpr size_t kLongestUrl = 2048;
constexpr size_t kLongestServer = 300;
constexpr size_t kLongestAddress = 254;
constexpr size_t kLongestPem = 64 << 10;
constexpr size_t kShortestSecret = 16;
constexpr size_t kLongestSecret = 256;
constexpr int kMostReceivers = 50;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

absl::Status Wrong(absl::string_view field, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": expected ", expected));
}

bool IsPlainText(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
}

bool IsThisMachine(absl::string_view host) {
  return absl::EqualsIgnoreCase(host, "localhost") || host == "127.0.0.1" || host == "::1" ||
         host == "[::1]";
}

std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

absl::Status CheckPem(absl::string_view field, const std::string& pem) {
  if (pem.empty()) return absl::OkStatus();
  if (pem.size() > kLongestPem || !absl::StrContains(pem, "-----BEGIN CERTIFICATE-----")) {
    return Wrong(field, "PEM certificates of at most 64 KiB");
  }
  return absl::OkStatus();
}

absl::Status CheckWebhook(const v1::WebhookTarget& target) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  if (target.url().empty() || target.url().size() > kLongestUrl || !IsPlainText(target.url()) ||
      curl_url_set(url.get(), CURLUPART_URL, target.url().c_str(), 0) != CURLUE_OK) {
    return Wrong("webhook.url", "an address such as https://example.com/hook, at most 2048 bytes");
  }
  const std::string scheme = PartOf(url.get(), CURLUPART_SCHEME);
  const std::string host = PartOf(url.get(), CURLUPART_HOST);
  if (scheme != "https" && !(scheme == "http" && IsThisMachine(host))) {
    return Wrong("webhook.url", "https; http only to this machine itself");
  }
  if (!PartOf(url.get(), CURLUPART_USER).empty() ||
      !PartOf(url.get(), CURLUPART_PASSWORD).empty()) {
    return Wrong("webhook.url", "no user name or password inside; use webhook.secret");
  }
  if (!target.secret().empty() &&
      (target.secret().size() < kShortestSecret || target.secret().size() > kLongestSecret)) {
    return Wrong("webhook.secret", "16 to 256 bytes");
  }
  return CheckPem("webhook.ca_pem", target.ca_pem());
}

// "host:port"; `host` receives the former.
absl::Status CheckServer(absl::string_view field, const std::string& server, std::string& host) {
  const size_t colon = server.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 || server.size() > kLongestServer ||
      !absl::SimpleAtoi(server.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return Wrong(field, "host:port, e.g. mail.example.com:587");
  }
  host = server.substr(0, colon);
  const bool good = std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ||
           c == ':' || c == '[' || c == ']';
  });
  if (!good) return Wrong(field, "a host name or address before the port");
  return absl::OkStatus();
}

absl::Status CheckAddress(absl::string_view field, const std::string& address) {
  const size_t at = address.find('@');
  if (at == 0 || at == std::string::npos || at + 1 == address.size() ||
      address.size() > kLongestAddress || !IsPlainText(address) ||
      address.find_first_of("<>,;\"\\") != std::string::npos) {
    return Wrong(field, "an address such as security@example.com");
  }
  return absl::OkStatus();
}

absl::Status CheckEmail(const v1::EmailTarget& target) {
  std::string host;
  if (auto status = CheckServer("email.server", target.server(), host); !status.ok()) return status;
  if (auto status = CheckAddress("email.from", target.from()); !status.ok()) return status;
  if (target.to_size() < 1 || target.to_size() > kMostReceivers) {
    return Wrong("email.to", "1 to 50 receivers");
  }
  for (const std::string& to : target.to()) {
    if (auto status = CheckAddress("email.to", to); !status.ok()) return status;
  }
  if (target.plain() && !IsThisMachine(host)) {
    return Wrong("email.plain", "TLS, unless the relay is on this machine itself");
  }
  if (target.username().size() > kLongestSecret || target.password().size() > kLongestSecret) {
    return Wrong("email.username", "name and password of at most 256 bytes");
  }
  return CheckPem("email.ca_pem", target.ca_pem());
}

absl::Status CheckSyslog(const v1::SyslogTarget& target) {
  std::string host;
  if (auto status = CheckServer("syslog.server", target.server(), host); !status.ok()) {
    return status;
  }
  if (!v1::SyslogTarget::Transport_IsValid(target.transport())) {
    return Wrong("syslog.transport", "TLS, TCP or UDP");
  }
  if (!v1::SyslogTarget::Format_IsValid(target.format())) {
    return Wrong("syslog.format", "CEF or OCSF");
  }
  return CheckPem("syslog.ca_pem", target.ca_pem());
}

}  // namespace

absl::Status CheckTarget(const v1::NotificationChannel& channel) {
  switch (channel.target_case()) {
    case v1::NotificationChannel::kWebhook:
      return CheckWebhook(channel.webhook());
    case v1::NotificationChannel::kEmail:
      return CheckEmail(channel.email());
    case v1::NotificationChannel::kSyslog:
      return CheckSyslog(channel.syslog());
    default:
      return Wrong("channel", "one of webhook, email and syslog");
  }
}

}  // namespace plimsoll::notify
