#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/notify/sender.h"
#include "tests/controller/notify/events.h"

namespace plimsoll::notify {
namespace {

struct TargetCase {
  const char* channel;
  // Empty: good.
  const char* wrong_field;
};

TEST(CheckTargetTest, SaysWhichFieldIsWrong) {
  const TargetCase cases[] = {
      {"", "channel"},
      {"webhook {url: 'https://example.com/hook?x=1'}", ""},
      {"webhook {url: 'http://localhost:8080/hook'}", ""},
      {"webhook {url: 'http://127.0.0.1/'}", ""},
      {"webhook {url: 'http://example.com/'}", "webhook.url"},
      {"webhook {url: 'http://localhost.example.com/'}", "webhook.url"},
      {"webhook {url: 'file:///etc/shadow'}", "webhook.url"},
      {"webhook {url: 'https://user:word@example.com/'}", "webhook.url"},
      {"webhook {url: 'https://example.com/ a'}", "webhook.url"},
      {"webhook {url: 'https://example.com/', secret: 'short'}", "webhook.secret"},
      {"webhook {url: 'https://example.com/', ca_pem: 'none'}", "webhook.ca_pem"},
      {"email {server: 'mail.example.com:587', from: 'a@b.example', to: 'c@d.example'}", ""},
      {"email {server: 'mail.example.com', from: 'a@b.example', to: 'c@d.example'}",
       "email.server"},
      {"email {server: 'm:99999', from: 'a@b.example', to: 'c@d.example'}", "email.server"},
      {"email {server: 'm/x:25', from: 'a@b.example', to: 'c@d.example'}", "email.server"},
      {"email {server: 'm:25', from: 'a@b.example'}", "email.to"},
      {"email {server: 'm:25', from: 'a@b\\r\\nRCPT', to: 'c@d.example'}", "email.from"},
      {"email {server: 'm:25', from: 'a@b.example', to: 'x>,<y@d.example'}", "email.to"},
      {"email {server: 'm:25', from: 'a@b.example', to: 'c@d.example', plain: true}",
       "email.plain"},
      {"email {server: 'localhost:25', from: 'a@b.example', to: 'c@d.example', plain: true}", ""},
      {"syslog {server: '[::1]:6514'}", ""},
      {"syslog {server: 'siem.example.com:514', transport: UDP, format: OCSF}", ""},
      {"syslog {server: 'siem.example.com'}", "syslog.server"},
  };
  for (const TargetCase& one : cases) {
    const absl::Status status = CheckTarget(ChannelOf(one.channel));
    if (one.wrong_field[0] == '\0') {
      EXPECT_TRUE(status.ok()) << one.channel << ": " << status;
    } else {
      EXPECT_TRUE(absl::IsInvalidArgument(status)) << one.channel;
      EXPECT_THAT(std::string(status.message()),
                  ::testing::StartsWith(std::string(one.wrong_field) + ": expected"))
          << one.channel;
    }
  }
}

}  // namespace
}  // namespace plimsoll::notify
