#include "controller/api/activity.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

using google::protobuf::FieldDescriptor;

class ActivityTest : public ::testing::Test {
 protected:
  v1::Activity Newest() {
    EXPECT_TRUE(parts_.log.Flush(absl::Seconds(30)));
    const auto entries = parts_.activities.List(Auditor(), {});
    EXPECT_TRUE(entries.ok()) << entries.status();
    return entries.ok() && entries->entries_size() > 0 ? entries->entries(0) : v1::Activity();
  }
  int64_t Count() {
    EXPECT_TRUE(parts_.log.Flush(absl::Seconds(30)));
    return parts_.activities.GetHead(Auditor(), {})->sequence();
  }
  Parts parts_;
};

TEST_F(ActivityTest, AChangeHasItsObjectBeforeAndAfter) {
  v1::CreateUserRequest create;
  create.set_name("ann");
  create.set_role(v1::ROLE_VIEWER);
  const auto made = parts_.users.Create(Admin(), create);
  ASSERT_TRUE(made.ok());
  ASSERT_TRUE(
      parts_.recorder.Ended({Admin(), "UserService.CreateUser", create, &*made, {}, ""}).ok());
  v1::Activity entry = Newest();
  EXPECT_EQ(entry.object(), "users/" + made->user().id());
  EXPECT_EQ(entry.actor_name(), "ada");
  EXPECT_EQ(entry.before_json(), "");
  EXPECT_TRUE(absl::StrContains(entry.after_json(), "\"ann\"")) << entry.after_json();
  EXPECT_FALSE(absl::StrContains(entry.after_json(), made->one_time_password()));

  v1::UpdateUserRequest update;
  update.set_user("ann");
  update.set_role(v1::ROLE_OPERATOR);
  const std::string before = parts_.recorder.Before("UserService.UpdateUser", update);
  const auto user = parts_.users.Update(Admin(), update);
  ASSERT_TRUE(user.ok()) << user.status();
  ASSERT_TRUE(
      parts_.recorder.Ended({Admin(), "UserService.UpdateUser", update, &*user, {}, before}).ok());
  entry = Newest();
  EXPECT_TRUE(absl::StrContains(entry.before_json(), "ROLE_VIEWER")) << entry.before_json();
  EXPECT_TRUE(absl::StrContains(entry.after_json(), "ROLE_OPERATOR")) << entry.after_json();
}

TEST_F(ActivityTest, ReadsAndMistakesAreNotWrittenDown) {
  v1::ListHostsRequest list;
  v1::ListHostsResponse hosts;
  EXPECT_TRUE(
      parts_.recorder.Ended({Viewer(), "HostService.ListHosts", list, &hosts, {}, ""}).ok());
  v1::RemoveHostRequest remove;
  remove.set_host("nosuch");
  EXPECT_TRUE(parts_.recorder
                  .Ended({Admin(), "HostService.RemoveHost", remove, nullptr,
                          absl::NotFoundError("no host"), ""})
                  .ok());
  EXPECT_EQ(Count(), 0);
  EXPECT_TRUE(parts_.recorder
                  .Ended({Viewer(), "HostService.RemoveHost", remove, nullptr,
                          absl::PermissionDeniedError("no"), ""})
                  .ok());
  EXPECT_EQ(Newest().outcome(), "PERMISSION_DENIED");
  EXPECT_EQ(Newest().object(), "hosts/nosuch");
}

TEST_F(ActivityTest, SignInsAreWrittenDownWithoutWhatWasTyped) {
  v1::SignInRequest request;
  request.set_name("my secret password");
  request.set_password("hunter2hunter2");
  Principal nobody;
  nobody.kind = store::CallerKind::kNobody;
  nobody.peer = "10.0.0.1";
  const absl::Status wrong = absl::UnauthenticatedError("wrong");
  EXPECT_TRUE(
      parts_.recorder.Ended({nobody, "SessionService.SignIn", request, nullptr, wrong, ""}).ok());
  v1::Activity entry = Newest();
  EXPECT_EQ(entry.actor_kind(), v1::Activity::NOBODY);
  EXPECT_EQ(entry.outcome(), "UNAUTHENTICATED");
  EXPECT_EQ(entry.peer(), "10.0.0.1");
  EXPECT_FALSE(absl::StrContains(entry.DebugString(), "secret password"));
  EXPECT_FALSE(absl::StrContains(entry.DebugString(), "hunter2"));

  ASSERT_TRUE(parts_.users.EnsureAdministrator().ok());
  request.set_name("admin");
  v1::SignInResponse response;
  response.set_secret("pls_x");
  response.set_csrf_token("csrf_x");
  response.mutable_user()->set_id("u-7");
  response.mutable_user()->set_name("admin");
  EXPECT_TRUE(
      parts_.recorder.Ended({nobody, "SessionService.SignIn", request, &response, {}, ""}).ok());
  entry = Newest();
  EXPECT_EQ(entry.actor_kind(), v1::Activity::USER);
  EXPECT_EQ(entry.actor_name(), "admin");
  EXPECT_EQ(entry.outcome(), "OK");
  EXPECT_EQ(entry.object(), "users/u-7");
  EXPECT_FALSE(absl::StrContains(entry.DebugString(), "pls_x"));

  response.mutable_session()->set_id("s-9");
  ASSERT_TRUE(parts_.recorder
                  .Ended({nobody, "SessionService.RedeemSignInCode", v1::RedeemSignInCodeRequest(),
                          &response, absl::OkStatus(), ""})
                  .ok());
  entry = Newest();
  EXPECT_EQ(entry.actor_kind(), v1::Activity::USER);
  EXPECT_EQ(entry.actor_name(), "admin");
  EXPECT_EQ(entry.object(), "sessions/s-9");
  EXPECT_FALSE(absl::StrContains(entry.DebugString(), "pls_x"));
  EXPECT_FALSE(absl::StrContains(entry.DebugString(), "csrf_x"));
}

TEST_F(ActivityTest, WhatWasAskedForIsKeptWhereTheAnswerDoesNotSayIt) {
  v1::RemoveHostRequest remove;
  remove.set_host("web-1");
  remove.set_reason("scrapped");
  v1::RemoveHostResponse removed;
  removed.set_host_id("h-7c9e6679f4b54d1aa2be3b51");
  v1::SwitchAuthorityRequest force;
  force.set_force(true);
  v1::AuthorityStatus status;
  status.add_authorities();
  status.set_ca_bundle_pem("the bundle");
  const v1::CancelRotationRequest nothing;
  v1::SetTailoringRequest set;
  set.mutable_tailoring()->set_name("lab");
  v1::Tailoring tailoring = set.tailoring();
  tailoring.set_etag("e-1");
  const struct {
    const char* method;
    const google::protobuf::Message& request;
    const google::protobuf::Message& response;
    const char* kept;
  } rows[] = {
      {"HostService.RemoveHost", remove, removed, "scrapped"},
      {"AuthorityService.SwitchAuthority", force, status, "\"force\":true"},
      {"AuthorityService.CancelRotation", nothing, status, "the bundle"},
      {"TailoringService.SetTailoring", set, tailoring, "e-1"},
  };
  for (const auto& row : rows) {
    ASSERT_TRUE(
        parts_.recorder.Ended({Admin(), row.method, row.request, &row.response, {}, ""}).ok());
    EXPECT_TRUE(absl::StrContains(Newest().after_json(), row.kept)) << Newest().DebugString();
  }
}

TEST_F(ActivityTest, WhatWasThereBeforeIsFoundById) {
  v1::CreateNotificationChannelRequest create;
  create.mutable_channel()->set_name("old-name");
  create.mutable_channel()->mutable_webhook()->set_url("https://hooks.example.com/x");
  const auto channel = parts_.notifications.Create(Admin(), create);
  ASSERT_TRUE(channel.ok()) << channel.status();
  v1::UpdateNotificationChannelRequest update;
  update.mutable_channel()->set_id(channel->id());
  update.mutable_channel()->set_name("new-name");
  EXPECT_TRUE(absl::StrContains(
      parts_.recorder.Before("NotificationService.UpdateNotificationChannel", update), "old-name"));

  v1::CreateWaiverRequest propose;
  v1::Waiver& waiver = *propose.mutable_waiver();
  waiver.add_rules()->set_baseline("base");
  waiver.mutable_rules(0)->set_rule("r2");
  waiver.mutable_selector()->set_all(true);
  waiver.set_reason("accepted");
  waiver.set_owner("storage");
  waiver.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(store::At(1000)));
  const auto proposed = parts_.waivers.Create(Operator(), propose);
  ASSERT_TRUE(proposed.ok()) << proposed.status();
  v1::DecideWaiverRequest decide;
  decide.set_waiver(proposed->id());
  for (const char* method : {"ApproveWaiver", "RejectWaiver", "RevokeWaiver"}) {
    EXPECT_TRUE(absl::StrContains(
        parts_.recorder.Before(absl::StrCat("WaiverService.", method), decide), "PROPOSED"))
        << method;
  }
}

// Fills every text of a message, and of the messages in it, with its own full name.
void Fill(google::protobuf::Message& message, int depth) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_map()) continue;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string text = absl::StrCat("<", field->name(), ">");
      field->is_repeated() ? reflection->AddString(&message, field, text)
                           : reflection->SetString(&message, field, text);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && depth < 4 &&
               field->message_type()->file()->package() == "plimsoll.v1") {
      Fill(field->is_repeated() ? *reflection->AddMessage(&message, field)
                                : *reflection->MutableMessage(&message, field),
           depth + 1);
    }
  }
}

TEST_F(ActivityTest, NoSecretOfAnyMessageIsKept) {
  int secrets = 0;
  for (const char* name : {"user", "session", "token", "enrollment", "schedule", "scan", "host"}) {
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(
        absl::StrCat("plimsoll/v1/", name, "_service.proto"));
    ASSERT_NE(file, nullptr) << name;
    for (int i = 0; i < file->message_type_count(); ++i) {
      const std::unique_ptr<google::protobuf::Message> message(
          google::protobuf::MessageFactory::generated_factory()
              ->GetPrototype(file->message_type(i))
              ->New());
      Fill(*message, 0);
      const std::string all = message->DebugString();
      const std::string kept = WithoutSecrets(*message);
      for (const char* secret :
           {"<secret>", "<password>", "<old_password>", "<new_password>", "<one_time_password>"}) {
        secrets += absl::StrContains(all, secret);
        EXPECT_FALSE(absl::StrContains(kept, secret)) << file->message_type(i)->name();
      }
    }
  }
  EXPECT_GE(secrets, 7);
}

TEST(WithoutSecretsTest, OfAWebhookOnlyTheReceiverIsKept) {
  for (const auto& [url, kept] : std::vector<std::pair<std::string, std::string>>{
           {"https://hooks.example.com/services/T0/B0/key", "https://hooks.example.com/..."},
           {"https://hooks.example.com:8443?key=1", "https://hooks.example.com:8443/..."},
           {"https://hooks.example.com", "https://hooks.example.com"}}) {
    v1::CreateNotificationChannelRequest request;
    request.mutable_channel()->mutable_webhook()->set_url(url);
    EXPECT_EQ(WithoutSecrets(request),
              absl::StrCat(R"({"channel":{"webhook":{"url":")", kept, R"("}}})"));
  }
}

TEST_F(ActivityTest, PagesAreNewestFirst) {
  for (int i = 0; i < 5; ++i) {
    v1::Activity entry =
        access::ActivityBy(Admin(), "HostService.RemoveHost", absl::StrCat("hosts/", i));
    ASSERT_TRUE(parts_.log.Record(entry).ok());
  }
  v1::ListActivityRequest request;
  request.set_page_size(2);
  std::string seen;
  do {
    const auto page = parts_.activities.List(Auditor(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Activity& entry : page->entries()) seen += entry.object().substr(6);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, "43210");
  const Method& list = *parts_.methods.Find("plimsoll.v1.ActivityService.ListActivity");
  EXPECT_TRUE(absl::IsPermissionDenied(
      parts_.methods.Call(Operator(), list, v1::ListActivityRequest()).status()));
  request.set_page_token("nonsense");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.activities.List(Auditor(), request).status()));
}

}  // namespace
}  // namespace plimsoll::api
