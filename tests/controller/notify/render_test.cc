#include "controller/notify/render.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "controller/notify/compose.h"
#include "tests/controller/notify/events.h"

namespace plimsoll::notify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Event = v1::NotificationEvent;

const absl::Time kNow = absl::FromUnixSeconds(1800000005);
// What a host may call itself to be taken for something else.
constexpr char kEvil[] =
    "x\r\nBcc: all@example.com\n<104>1 forged=1|\\ \x1b[31m\xC2\x85\xC2\x9b[31m M\xC3\xBCnchen";

Event Evil() {
  Event event = Failure("h-1", "5.04", v1::CRITICAL);
  event.set_hostname(kEvil);
  event.set_message(kEvil);
  return event;
}

TEST(SignatureTest, IsWhatOpensslComputes) {
  // printf '1800000005.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
  EXPECT_EQ(Signature("0123456789abcdef", "{\"a\":1}", kNow),
            "t=1800000005,v1=66c4fa581a7ff857f62415c8031addfd814d781f98645d000ac65bf6b0e7038b");
}

TEST(WebhookTest, IsTheApisJson) {
  const v1::Notification told = Compose("nd-1", ChannelOf("name: 'oncall'"), {Evil()}, kNow);
  v1::Notification read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(WebhookBody(told), &read).ok());
  EXPECT_EQ(read.SerializeAsString(), told.SerializeAsString());
  EXPECT_THAT(WebhookBody(told), HasSubstr("\"eventCount\":1"));
}

TEST(EmailTest, HostileTextIsNoHeader) {
  v1::EmailTarget target;
  target.set_from("plimsoll@example.com");
  target.add_to("a@example.com");
  target.add_to("b@example.com");
  v1::Notification told = Compose("nd-1", ChannelOf(""), {Evil()}, kNow);
  told.set_title(kEvil);
  const std::string text = EmailMessage(told, target, kNow);
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits("\r\n\r\n", 1));
  ASSERT_EQ(parts.size(), 2);
  EXPECT_THAT(parts[0], HasSubstr("To: a@example.com, b@example.com\r\n"));
  EXPECT_THAT(parts[0], HasSubstr("Date: Fri, 15 Jan 2027 08:00:05 +0000\r\n"));
  EXPECT_THAT(parts[0], Not(HasSubstr("\nBcc")));
  EXPECT_EQ(absl::StrReplaceAll(text, {{"\r\n", ""}}).find_first_of("\r\n"), std::string::npos);
  std::string body;
  ASSERT_TRUE(absl::Base64Unescape(absl::StrReplaceAll(parts[1], {{"\r\n", ""}}), &body));
  EXPECT_THAT(body, HasSubstr("New failure, critical: azure-docker 5.04 Title of 5.04"));
  EXPECT_THAT(body, Not(HasSubstr("\x1b")));
}

TEST(CefTest, EscapesWhatItIsMadeOf) {
  const std::string line = CefLine(Evil());
  EXPECT_THAT(line, StartsWith("CEF:0|Plimsoll|plimsoll-controller|0.1.0|azure-docker:5.04|"
                               "New failure|10|rt=1800000000000 cat=NEW_FAILURE dvchost="));
  EXPECT_EQ(line.find_first_of("\r\n\x1b\xC2"), std::string::npos);
  EXPECT_THAT(line, HasSubstr("forged\\=1|\\\\"));
  EXPECT_THAT(line, HasSubstr(" [31m  [31m M\xC3\xBCnchen")) << "C1 controls are blanks";
}

TEST(OcsfTest, AFailureIsAComplianceFindingAndARecoveryClosesIt) {
  const std::string failed = OcsfLine(Evil(), kNow);
  EXPECT_THAT(failed, HasSubstr("\"class_uid\":2003"));
  EXPECT_THAT(failed, HasSubstr("\"type_uid\":200301"));
  EXPECT_THAT(failed, HasSubstr("\"time\":1800000000000"));
  EXPECT_EQ(failed.find_first_of("\r\n"), std::string::npos);
  Event recovered = Evil();
  recovered.set_kind(Event::RECOVERY);
  const std::string closed = OcsfLine(recovered, kNow);
  EXPECT_THAT(closed, HasSubstr("\"type_uid\":200303"));
  const std::string uid = "\"uid\":\"h-1/azure-docker/5.04\"";
  EXPECT_THAT(failed, HasSubstr(uid));
  EXPECT_THAT(closed, HasSubstr(uid)) << "the same finding";
}

TEST(EmailTest, SaysHowManyEventsAreLeftOut) {
  std::vector<Event> events;
  for (int i = 0; i < 103; ++i) {
    Event& scan = events.emplace_back();
    scan.set_kind(Event::SCAN_ENDED);
    scan.set_object_id(absl::StrCat("s", i));
  }
  const std::string text =
      EmailMessage(Compose("nd-1", ChannelOf(""), events, kNow), v1::EmailTarget(), kNow);
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits("\r\n\r\n", 1));
  std::string body;
  ASSERT_TRUE(absl::Base64Unescape(absl::StrReplaceAll(parts.at(1), {{"\r\n", ""}}), &body));
  EXPECT_THAT(body, HasSubstr("  and 3 more\n"));
}

TEST(SyslogTest, OneMoreMessageForWhatIsLeftOut) {
  std::vector<Event> events;
  for (int i = 0; i < kMostLines + 2; ++i) {
    events.push_back(Failure(absl::StrCat("h", i), "5.04", v1::CRITICAL));
  }
  const v1::Notification told = Compose("nd-1", ChannelOf("syslog { }"), events, kNow);
  const auto lines = SyslogMessages(told, v1::SyslogTarget::OCSF, "ctl-1", kNow);
  ASSERT_EQ(lines.size(), kMostLines + 1);
  EXPECT_THAT(lines.back(), HasSubstr("\"message\":\"and 2 more: New failure, critical: "
                                      "azure-docker 5.04 Title of 5.04\""));
  EXPECT_THAT(lines.back(), HasSubstr("\"class_uid\":0")) << "no finding of its own";
}

TEST(SyslogTest, OneMessageForEachEvent) {
  Event stale = Failure("h-2", "");
  stale.set_kind(Event::HOST_STALE);
  const v1::Notification told = Compose("nd-1", ChannelOf(""), {Evil(), stale}, kNow);
  EXPECT_THAT(
      SyslogMessages(told, v1::SyslogTarget::CEF, "ctl-1", kNow),
      ElementsAre(StartsWith("<108>1 2027-01-15T08:00:05.000000Z ctl-1 plimsoll-controller - "
                             "NEW_FAILURE - CEF:0|"),
                  StartsWith("<108>1 2027-01-15T08:00:05.000000Z ctl-1 plimsoll-controller - "
                             "HOST_STALE - CEF:0|")));
}

}  // namespace
}  // namespace plimsoll::notify
