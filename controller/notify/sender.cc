#include "controller/notify/sender.h"

#include <curl/curl.h>

#include <memory>
#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/notify/render.h"
#include "controller/notify/syslog_connection.h"

namespace plimsoll::notify {
namespace {

constexpr long kMostAnswerBytes = 64 << 10;

struct FreeEasy {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Curl = std::unique_ptr<CURL, FreeEasy>;
using List = std::unique_ptr<curl_slist, FreeList>;

void Append(List& list, const std::string& text) {
  list.reset(curl_slist_append(list.release(), text.c_str()));
}

// Takes an answer up to a limit, and throws it away.
size_t Discard(char*, size_t size, size_t count, void* taken) {
  long& bytes = *static_cast<long*>(taken);
  bytes += static_cast<long>(size * count);
  return bytes > kMostAnswerBytes ? 0 : size * count;
}

struct Upload {
  const std::string& text;
  size_t at = 0;
};
size_t Read(char* buffer, size_t size, size_t count, void* source) {
  Upload& upload = *static_cast<Upload*>(source);
  const size_t n = std::min(size * count, upload.text.size() - upload.at);
  upload.text.copy(buffer, n, upload.at);
  upload.at += n;
  return n;
}

Curl NewCurl(absl::Duration timeout, const std::string& ca_pem, char* error) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  Curl curl(curl_easy_init());
  error[0] = '\0';
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(timeout)));
  curl_easy_setopt(curl.get(), CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // Surroundings do not redirect what is sent.
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Discard);
  if (!ca_pem.empty()) {
    curl_blob blob{const_cast<char*>(ca_pem.data()), ca_pem.size(), CURL_BLOB_COPY};
    curl_easy_setopt(curl.get(), CURLOPT_CAINFO_BLOB, &blob);
  }
  return curl;
}

absl::Status Failed(const std::string& where, CURLcode code, const char* error) {
  return absl::UnavailableError(
      absl::StrCat(where, ": ", error[0] != '\0' ? error : curl_easy_strerror(code)));
}

}  // namespace

NetworkSender::NetworkSender(const support::Clock& clock, std::string controller,
                             absl::Duration timeout)
    : clock_(clock), controller_(std::move(controller)), timeout_(timeout) {}

absl::Status NetworkSender::Send(const v1::NotificationChannel& channel, const std::string& secret,
                                 const v1::Notification& notification) {
  // Checked again: what was set under other rules is not sent in the clear.
  if (auto status = CheckTarget(channel); !status.ok()) return status;
  switch (channel.target_case()) {
    case v1::NotificationChannel::kWebhook:
      return SendWebhook(channel.webhook(), secret, notification);
    case v1::NotificationChannel::kEmail:
      return SendEmail(channel.email(), secret, notification);
    case v1::NotificationChannel::kSyslog:
      return SendSyslog(channel.syslog(), notification);
    default:
      return absl::InvalidArgumentError("the channel has no target");
  }
}

absl::Status NetworkSender::SendWebhook(const v1::WebhookTarget& target, const std::string& secret,
                                        const v1::Notification& notification) {
  char error[CURL_ERROR_SIZE];
  const Curl curl = NewCurl(timeout_, target.ca_pem(), error);
  const std::string body = WebhookBody(notification);
  List headers;
  Append(headers, "Content-Type: application/json");
  Append(headers, "User-Agent: plimsoll-controller");
  Append(headers, "Expect:");
  Append(headers, absl::StrCat("X-Plimsoll-Delivery: ", notification.id()));
  if (!secret.empty()) {
    Append(headers, absl::StrCat("X-Plimsoll-Signature: ", Signature(secret, body, clock_.Now())));
  }
  long taken = 0;
  curl_easy_setopt(curl.get(), CURLOPT_URL, target.url().c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &taken);
  const CURLcode code = curl_easy_perform(curl.get());
  long answer = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer);
  // An answer that is too long to read is an answer.
  if (code != CURLE_OK && (code != CURLE_WRITE_ERROR || answer == 0)) {
    return Failed("webhook", code, error);
  }
  if (answer / 100 == 2) return absl::OkStatus();
  if (answer == 410) return absl::NotFoundError("webhook: the receiver answered 410 Gone");
  return absl::UnavailableError(absl::StrCat(
      "webhook: the receiver answered ", answer,
      answer / 100 == 3 ? "; redirects are not followed, set the address they lead to" : ""));
}

absl::Status NetworkSender::SendEmail(const v1::EmailTarget& target, const std::string& password,
                                      const v1::Notification& notification) {
  char error[CURL_ERROR_SIZE];
  const Curl curl = NewCurl(timeout_, target.ca_pem(), error);
  const std::string text = EmailMessage(notification, target, clock_.Now());
  Upload upload{text};
  List to;
  for (const std::string& receiver : target.to()) Append(to, absl::StrCat("<", receiver, ">"));
  const bool implicit = absl::EndsWith(target.server(), ":465");
  long taken = 0;
  curl_easy_setopt(curl.get(), CURLOPT_URL,
                   absl::StrCat(implicit ? "smtps://" : "smtp://", target.server()).c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(curl.get(), CURLOPT_USE_SSL,
                   static_cast<long>(target.plain() ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  if (!target.username().empty()) {
    curl_easy_setopt(curl.get(), CURLOPT_USERNAME, target.username().c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PASSWORD, password.c_str());
  }
  curl_easy_setopt(curl.get(), CURLOPT_MAIL_FROM, absl::StrCat("<", target.from(), ">").c_str());
  curl_easy_setopt(curl.get(), CURLOPT_MAIL_RCPT, to.get());
  curl_easy_setopt(curl.get(), CURLOPT_READFUNCTION, Read);
  curl_easy_setopt(curl.get(), CURLOPT_READDATA, &upload);
  curl_easy_setopt(curl.get(), CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &taken);
  const CURLcode code = curl_easy_perform(curl.get());
  return code == CURLE_OK ? absl::OkStatus() : Failed("e-mail", code, error);
}

absl::Status NetworkSender::SendSyslog(const v1::SyslogTarget& target,
                                       const v1::Notification& notification) {
  auto connection = SyslogConnection::Open(target, timeout_);
  if (!connection.ok()) return connection.status();
  for (const std::string& message :
       SyslogMessages(notification, target.format(), controller_, clock_.Now())) {
    if (auto status = (*connection)->Write(message); !status.ok()) return status;
  }
  return (*connection)->Close();
}

}  // namespace plimsoll::notify
