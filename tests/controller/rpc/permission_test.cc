// Every method of every service, as every role and as nobody, against the table written by hand.
#include <gtest/gtest.h>

#include "controller/api/activity.h"
#include "tests/controller/api/permission_table.h"
#include "tests/controller/rpc/services_fixture.h"

namespace plimsoll::rpc {
namespace {

class PermissionTest : public ServicesTest {
 protected:
  // What the header of this caller says. Users, so that methods about oneself are answered.
  std::string Authorization(const std::string& caller) {
    if (caller == "nobody") return "";
    for (const Role role : {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}) {
      if (access::RoleName(role) != caller) continue;
      // Methods that end a session, such as SignOut, are walked too: each call has its own.
      v1::User user;
      user.set_id(absl::StrCat("u-", ++users_));
      user.set_name(absl::StrCat("user-", users_));
      user.set_role(api::ToProto(role));
      EXPECT_TRUE(parts_.store->users().Create(user, "no password").ok());
      const auto session = parts_.sign_ins.Begin({user, "no password"}, "", "");
      EXPECT_TRUE(session.ok()) << session.status();
      return session.ok() ? "Bearer " + session->secret() : "";
    }
    ADD_FAILURE() << caller << " is no role";
    return "";
  }
};

TEST_F(PermissionTest, EveryMethodAnswersThoseOfTheTableAndRefusesAllOthers) {
  auto table = api::PermissionTable();
  for (const MethodDescriptor* method : ApiMethods()) {
    const std::string name = absl::StrCat(method->service()->name(), ".", method->name());
    const auto row = table.find(name);
    if (row == table.end()) {
      ADD_FAILURE() << name << " is not in the table";
      continue;
    }
    for (const std::string& caller : api::TableCallers()) {
      const grpc::Status status = Call(*method, Authorization(caller));
      const std::string what = absl::StrCat(name, " as ", caller, ": ", status.error_message());
      const bool refused = status.error_code() == grpc::StatusCode::PERMISSION_DENIED ||
                           status.error_code() == grpc::StatusCode::UNAUTHENTICATED;
      if (row->second.count(caller) == 0) {
        EXPECT_EQ(status.error_code(), caller == "nobody" ? grpc::StatusCode::UNAUTHENTICATED
                                                          : grpc::StatusCode::PERMISSION_DENIED)
            << what;
      } else if (method->name() == "SignIn") {
        // Answered, by "the name or the password is wrong": no bearer token was asked for.
        EXPECT_TRUE(absl::StrContains(status.error_message(), "password")) << what;
      } else {
        EXPECT_FALSE(refused) << what;
        // An empty request is good enough, or it is the request that is refused.
        EXPECT_NE(status.error_code(), grpc::StatusCode::INTERNAL) << what;
        EXPECT_NE(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << what;
      }
    }
    table.erase(row);
  }
  for (const auto& [name, callers] : table) ADD_FAILURE() << name << " is no method";
}

TEST_F(PermissionTest, AOneTimePasswordOpensOnlyWhatChangesIt) {
  const auto made = [this] {
    v1::CreateUserRequest request;
    request.set_name("new");
    request.set_role(v1::ROLE_ADMIN);
    return parts_.users.Create(api::Admin(), request);
  }();
  ASSERT_TRUE(made.ok()) << made.status();
  const auto user = parts_.store->users().Get(made->user().id());
  ASSERT_TRUE(user.ok()) << user.status();
  for (const MethodDescriptor* method : ApiMethods()) {
    if (method->service()->name() == "SessionService") continue;
    const auto session = parts_.sign_ins.Begin(*user, "", "");
    ASSERT_TRUE(session.ok());
    const grpc::Status status = Call(*method, "Bearer " + session->secret());
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << method->full_name();
    EXPECT_TRUE(absl::StrContains(status.error_message(), "plimsoll password"))
        << method->full_name() << ": " << status.error_message();
  }
}

TEST_F(PermissionTest, TheActivityLogKnowsWhatEveryMethodDoes) {
  for (const MethodDescriptor* method : ApiMethods()) {
    const std::string name = absl::StrCat(method->service()->name(), ".", method->name());
    EXPECT_TRUE(api::IsKnown(name))
        << name << " is neither a read by its name nor in the list of changes";
  }
}

TEST_F(PermissionTest, ChangesAndRefusalsAreWrittenDownAndReadsAreNot) {
  const auto method = [](const char* service, const char* name) {
    for (const MethodDescriptor* each : ApiMethods()) {
      if (each->service()->name() == service && each->name() == name) return each;
    }
    return static_cast<const MethodDescriptor*>(nullptr);
  };
  const auto session = Authorization("viewer");
  EXPECT_TRUE(Call(*method("HostService", "ListHosts"), session).ok());
  EXPECT_FALSE(Call(*method("UserService", "ListUsers"), session).ok());
  EXPECT_FALSE(Call(*method("HostService", "ListHosts"), "Bearer plb_wrong").ok());
  EXPECT_TRUE(Call(*method("SessionService", "SignOut"), session).ok());
  ASSERT_TRUE(parts_.log.Flush(absl::Seconds(30)));
  const auto entries = parts_.store->activity().List({});
  ASSERT_TRUE(entries.ok()) << entries.status();
  std::vector<std::string> lines;
  for (const v1::Activity& entry : *entries) {
    lines.push_back(absl::StrCat(entry.actor_name(), " ", entry.action(), " ", entry.outcome()));
    EXPECT_EQ(entry.peer(), "127.0.0.1");
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"user-1 SessionService.SignOut OK",
                                             " HostService.ListHosts UNAUTHENTICATED",
                                             "user-1 UserService.ListUsers PERMISSION_DENIED"}));
}

}  // namespace
}  // namespace plimsoll::rpc
