#include "controller/notify/render.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "proto/support/version.h"

namespace plimsoll::notify {
namespace {

using Event = v1::NotificationEvent;
using google::protobuf::util::TimeUtil;

constexpr size_t kLongestText = 1024;

// RFC 5424: facility 13 (log audit), severity 4 (warning) or 5 (notice).
constexpr int kFacility = 13;

// One line of printable text: control characters and line breaks of any kind are blanks.
std::string OneLine(absl::string_view text, size_t limit = kLongestText) {
  std::string line(text.substr(0, limit));
  // Not in the middle of a character.
  while (!line.empty() && text.size() > limit && (line.back() & 0xC0) == 0x80) line.pop_back();
  if (!line.empty() && text.size() > limit && (line.back() & 0x80) != 0) line.pop_back();
  for (size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    // C1 controls are two bytes of UTF-8.
    const bool is_c1 = c == 0xC2 && i + 1 < line.size() &&
                       static_cast<unsigned char>(line[i + 1]) >= 0x80 &&
                       static_cast<unsigned char>(line[i + 1]) <= 0x9F;
    if (is_c1) line.erase(i + 1, 1);
    if (is_c1 || absl::ascii_iscntrl(c)) line[i] = ' ';
  }
  // Line and paragraph separators.
  return absl::StrReplaceAll(line, {{"\xE2\x80\xA8", " "}, {"\xE2\x80\xA9", " "}});
}

std::string JsonOf(const google::protobuf::Message& message) {
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(message, &json);
  return json;
}

std::string LowerName(v1::Severity severity) {
  return absl::AsciiStrToLower(v1::Severity_Name(severity));
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ",
                          absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(time)),
                          absl::UTCTimeZone());
}

std::string KindText(Event::Kind kind) {
  switch (kind) {
    case Event::NEW_FAILURE:
      return "New failure";
    case Event::RECOVERY:
      return "Recovery";
    case Event::HOST_STALE:
      return "Host stopped reporting";
    case Event::HOST_BACK:
      return "Host reports again";
    case Event::SCAN_ENDED:
      return "Scan ended";
    case Event::WAIVER_EXPIRING:
      return "Waiver expires";
    default:
      return "Test";
  }
}

std::string GroupHeading(const v1::NotificationGroup& group) {
  std::string heading = KindText(group.kind());
  if (group.rule_id().empty()) return heading;
  absl::StrAppend(&heading, ", ", LowerName(group.severity()), ": ", group.baseline_id(), " ",
                  group.rule_id(), " ", OneLine(group.rule_title()));
  return heading;
}

// Events of the group that it does not show. One that an earlier version composed counts hosts
// only.
int LeftOut(const v1::NotificationGroup& group) {
  return std::max(group.event_count(), group.host_count()) - group.events_size();
}

// Stands for those; of no rule and no host, so that nobody takes it for one of them.
Event RestOf(const v1::NotificationGroup& group) {
  Event rest;
  rest.set_kind(group.kind());
  rest.set_severity(group.severity());
  *rest.mutable_time() = group.events(group.events_size() - 1).time();
  rest.set_message(absl::StrCat("and ", LeftOut(group), " more: ", GroupHeading(group)));
  return rest;
}

std::string CefHeader(absl::string_view text) {
  return absl::StrReplaceAll(OneLine(text, 256), {{"\\", "\\\\"}, {"|", "\\|"}});
}
std::string CefValue(absl::string_view text) {
  return absl::StrReplaceAll(OneLine(text), {{"\\", "\\\\"}, {"=", "\\="}});
}

// 0 to 10.
int CefSeverity(const Event& event) {
  if (event.kind() == Event::NEW_FAILURE) {
    static constexpr int kBySeverity[] = {5, 2, 4, 6, 8, 10};
    return kBySeverity[event.severity()];
  }
  return event.kind() == Event::HOST_STALE || event.kind() == Event::WAIVER_EXPIRING ? 5 : 1;
}

// OCSF severity_id: 1 informational, 2 low, 3 medium, 4 high, 5 critical.
int OcsfSeverity(const Event& event) {
  if (event.kind() != Event::NEW_FAILURE) return 1;
  return event.severity() == v1::SEVERITY_UNSPECIFIED ? 0 : event.severity();
}

using Fields = google::protobuf::Map<std::string, google::protobuf::Value>;

void Put(Fields& fields, const std::string& name, const std::string& text) {
  fields[name].set_string_value(text);
}
void Put(Fields& fields, const std::string& name, double number) {
  fields[name].set_number_value(number);
}
Fields& Object(Fields& fields, const std::string& name) {
  return *fields[name].mutable_struct_value()->mutable_fields();
}

void PutComplianceFinding(const Event& event, Fields& all) {
  const bool failed = event.kind() == Event::NEW_FAILURE;
  // A finding lives from its failure (create) to its recovery (close).
  const int activity = failed ? 1 : 3;
  Put(all, "class_uid", 2003);
  Put(all, "category_uid", 2);
  Put(all, "activity_id", activity);
  Put(all, "type_uid", 200300 + activity);
  Put(all, "status_id", failed ? 1 : 4);
  Fields& finding = Object(all, "finding_info");
  Put(finding, "uid",
      absl::StrCat(event.host_id(), "/", event.baseline_id(), "/", event.rule_id()));
  Put(finding, "title", OneLine(event.rule_title()));
  Fields& compliance = Object(all, "compliance");
  compliance["standards"].mutable_list_value()->add_values()->set_string_value(event.baseline_id());
  Put(compliance, "control", event.rule_id());
  Put(compliance, "status_id", failed ? 3 : 1);
}

}  // namespace

std::string WebhookBody(const v1::Notification& notification) { return JsonOf(notification); }

std::string Signature(absl::string_view secret, absl::string_view body, absl::Time now) {
  const std::string time = absl::StrCat(absl::ToUnixSeconds(now));
  const std::string signed_text = absl::StrCat(time, ".", body);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(), mac, &size);
  return absl::StrCat(
      "t=", time,
      ",v1=", absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(mac), size)));
}

std::string EmailMessage(const v1::Notification& notification, const v1::EmailTarget& target,
                         absl::Time now) {
  std::string text = absl::StrCat(
      "From: ", OneLine(target.from()), "\r\nTo: ",
      absl::StrJoin(target.to(), ", ",
                    [](std::string* out, const std::string& to) { out->append(OneLine(to)); }),
      "\r\nSubject: [Plimsoll] ", OneLine(notification.title(), 200),
      "\r\nDate: ", absl::FormatTime("%a, %d %b %Y %H:%M:%S +0000", now, absl::UTCTimeZone()),
      "\r\nMessage-ID: <", notification.id(),
      "@plimsoll.invalid>\r\nMIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
      "Auto-Submitted: auto-generated\r\n\r\n");
  std::string body = absl::StrCat(OneLine(notification.title()), "\n");
  for (const v1::NotificationGroup& group : notification.groups()) {
    absl::StrAppend(&body, "\n", GroupHeading(group), "\n");
    for (const Event& event : group.events()) {
      absl::StrAppend(&body, "  ", TimeText(event.time()), "  ",
                      event.hostname().empty() ? event.object_id() : OneLine(event.hostname()),
                      event.message().empty() ? "" : ": ", OneLine(event.message()), "\n");
    }
    if (const int more = LeftOut(group); more > 0) {
      absl::StrAppend(&body, "  and ", more, " more\n");
    }
  }
  // Base64: no line is too long for a relay, none begins with a dot, nothing hostile is a header.
  const std::string encoded = absl::Base64Escape(body);
  for (size_t at = 0; at < encoded.size(); at += 76) {
    absl::StrAppend(&text, encoded.substr(at, 76), "\r\n");
  }
  return text;
}

std::string CefLine(const Event& event) {
  std::string line = absl::StrCat(
      "CEF:0|Plimsoll|plimsoll-controller|", support::kVersion, "|",
      CefHeader(event.rule_id().empty() ? Event::Kind_Name(event.kind())
                                        : absl::StrCat(event.baseline_id(), ":", event.rule_id())),
      "|", CefHeader(KindText(event.kind())), "|", CefSeverity(event),
      "|rt=", TimeUtil::TimestampToMilliseconds(event.time()),
      " cat=", Event::Kind_Name(event.kind()));
  const auto add = [&line](absl::string_view key, absl::string_view value) {
    if (!value.empty()) absl::StrAppend(&line, " ", key, "=", CefValue(value));
  };
  add("dvchost", event.hostname());
  add("deviceExternalId", event.host_id());
  add("externalId", event.object_id());
  add("reason", event.rule_title());
  add("msg", event.message());
  return line;
}

std::string OcsfLine(const Event& event, absl::Time now) {
  google::protobuf::Struct root;
  Fields& all = *root.mutable_fields();
  if (!event.rule_id().empty()) {
    PutComplianceFinding(event, all);
  } else {
    Put(all, "class_uid", 0);
    Put(all, "category_uid", 0);
    Put(all, "activity_id", 99);
    Put(all, "activity_name", Event::Kind_Name(event.kind()));
    Put(all, "type_uid", 99);
  }
  Put(all, "severity_id", OcsfSeverity(event));
  Put(all, "time", static_cast<double>(TimeUtil::TimestampToMilliseconds(event.time())));
  Put(all, "message", OneLine(event.message()));
  Fields& metadata = Object(all, "metadata");
  Put(metadata, "version", "1.8.0");
  Put(metadata, "logged_time", static_cast<double>(absl::ToUnixMillis(now)));
  Fields& product = Object(metadata, "product");
  Put(product, "name", "Plimsoll");
  Put(product, "vendor_name", "Plimsoll");
  Put(product, "version", support::kVersion);
  if (!event.host_id().empty()) {
    Fields& device = Object(all, "device");
    Put(device, "type_id", 1);
    Put(device, "uid", event.host_id());
    Put(device, "hostname", OneLine(event.hostname(), 255));
  }
  return JsonOf(root);
}

std::vector<std::string> SyslogMessages(const v1::Notification& notification,
                                        v1::SyslogTarget::Format format,
                                        const std::string& controller, absl::Time now) {
  std::vector<std::string> messages;
  const auto add = [&](const Event& event) {
    const int severity = CefSeverity(event) >= 5 ? 4 : 5;
    messages.push_back(
        absl::StrCat("<", kFacility * 8 + severity, ">1 ",
                     absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", now, absl::UTCTimeZone()), " ",
                     controller.empty() ? "-" : controller, " plimsoll-controller - ",
                     Event::Kind_Name(event.kind()), " - ",
                     format == v1::SyslogTarget::OCSF ? OcsfLine(event, now) : CefLine(event)));
  };
  for (const v1::NotificationGroup& group : notification.groups()) {
    for (const Event& event : group.events()) add(event);
    if (LeftOut(group) > 0 && !group.events().empty()) add(RestOf(group));
  }
  return messages;
}

}  // namespace plimsoll::notify
