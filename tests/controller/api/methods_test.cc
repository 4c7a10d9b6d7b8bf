#include "controller/api/methods.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/field_errors.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

using access::Permission;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Names of all methods of proto/plimsoll/v1/*_service.proto.
std::set<std::string> MethodsOfTheProtos() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(
           absl::StrCat(PLIMSOLL_SOURCE_DIR, "/proto/plimsoll/v1"))) {
    const std::string name = entry.path().filename();
    if (!absl::EndsWith(name, "_service.proto")) continue;
    const auto* file =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName("plimsoll/v1/" + name);
    EXPECT_NE(file, nullptr) << name << " is not linked";
    for (int s = 0; file != nullptr && s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        names.insert(file->service(s)->method(m)->full_name());
      }
    }
  }
  return names;
}

TEST(MethodTableTest, HasEveryMethodOfTheProtosAndNoOther) {
  Parts parts;
  std::set<std::string> names;
  for (const auto& [name, method] : parts.methods.all()) names.insert(name);
  EXPECT_EQ(names, MethodsOfTheProtos());
  EXPECT_GE(names.size(), 35u);
}

TEST(MethodTableTest, ReadsAreGetsAndNothingElseIs) {
  Parts parts;
  for (const auto& [name, method] : parts.methods.all()) {
    const std::string verb = name.substr(name.rfind('.') + 1);
    const bool reads = absl::StartsWith(verb, "Get") || absl::StartsWith(verb, "List") ||
                       absl::StartsWith(verb, "Watch") ||
                       (absl::StartsWith(verb, "Preview") && verb != "PreviewWaiver");
    EXPECT_EQ(method.verb == "GET", reads) << name;
    EXPECT_EQ(method.call == nullptr, absl::StartsWith(verb, "Watch")) << name;
    // A role that may only look changes nothing but what is its own.
    if (!reads && method.spec.permission != Permission::kSelf) {
      EXPECT_FALSE(access::Allows(store::Role::kViewer, method.spec.permission)) << name;
    }
  }
}

// A browser keeps or forgets its session by what the table says.
TEST(MethodTableTest, SessionsBeginAndEndWhereNamesSaySo) {
  Parts parts;
  for (const auto& [name, method] : parts.methods.all()) {
    const std::string verb = name.substr(name.rfind('.') + 1);
    const SessionEffect effect = verb == "SignIn"                    ? SessionEffect::kBegins
                                 : absl::StartsWith(verb, "SignOut") ? SessionEffect::kEnds
                                                                     : SessionEffect::kNone;
    EXPECT_EQ(method.spec.session, effect) << name;
  }
}

class CallTest : public ::testing::Test {
 protected:
  CallTest() {
    parts_.methods.Observe([this](const CallRecord& record) {
      seen_.push_back(absl::StrCat(
          record.method.spec.rpc, " ", record.who == nullptr ? "nobody" : record.who->name, " ",
          record.peer, " ", absl::StatusCodeToString(record.outcome.code()), " ",
          record.request == nullptr ? "no request" : record.request->GetTypeName(), " ",
          record.response == nullptr ? "no response" : record.response->GetTypeName()));
    });
    parts_.methods.Observe([this](const CallRecord&) { ++second_; });
  }
  absl::StatusOr<AnyMessage> Call(Principal who, const std::string& rpc) {
    who.peer = "10.0.0.1";
    const Method* method = parts_.methods.Find("plimsoll.v1." + rpc);
    EXPECT_NE(method, nullptr);
    return parts_.methods.Call(who, *method, *method->make_request());
  }
  Parts parts_;
  std::vector<std::string> seen_;
  int second_ = 0;
};

TEST_F(CallTest, AnswersAndTellsAllObservers) {
  const auto answer = Call(Viewer(), "BaselineService.ListBaselines");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(static_cast<const v1::ListBaselinesResponse&>(**answer).baselines_size(), 1);
  EXPECT_TRUE(absl::IsNotFound(Call(Viewer(), "HostService.GetHost").status()));
  EXPECT_THAT(seen_, ::testing::ElementsAre(
                         "BaselineService.ListBaselines vera 10.0.0.1 OK "
                         "plimsoll.v1.ListBaselinesRequest plimsoll.v1.ListBaselinesResponse",
                         "HostService.GetHost vera 10.0.0.1 NOT_FOUND "
                         "plimsoll.v1.GetHostRequest no response"));
  EXPECT_EQ(second_, 2);
}

TEST_F(CallTest, NamesTheFieldThatIsWrong) {
  const auto field = [this](const std::string& rpc, auto request) -> std::string {
    const Method& method = *parts_.methods.Find("plimsoll.v1." + rpc);
    const absl::Status status = parts_.methods.Call(Admin(), method, request).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    const auto fields = support::FieldErrorsOf(status);
    return fields.empty() ? "" : fields[0].field + ": " + fields[0].message;
  };
  v1::ListHostsRequest hosts;
  hosts.set_page_size(1001);
  EXPECT_EQ(field("HostService.ListHosts", hosts), "pageSize: 1001: expected 1 to 1000");
  hosts.set_page_size(1);
  hosts.set_page_token("x");
  EXPECT_THAT(field("HostService.ListHosts", hosts), HasSubstr("pageToken: is not one"));
  hosts.clear_page_token();
  hosts.set_selector("env in (");
  EXPECT_THAT(field("HostService.ListHosts", hosts), StartsWith("selector: column "));
  v1::SetTailoringRequest tailoring;
  tailoring.mutable_tailoring()->set_name("dev");
  tailoring.mutable_tailoring()->set_baseline("base");
  tailoring.mutable_tailoring()->mutable_selector()->set_all(true);
  tailoring.mutable_tailoring()->add_rules()->set_rule("r2");
  EXPECT_THAT(field("TailoringService.SetTailoring", tailoring), StartsWith("rules: [0]"));
  v1::CreateScheduleRequest schedule;
  EXPECT_THAT(field("ScheduleService.CreateSchedule", schedule), HasSubstr("name: expected"));
}

TEST_F(CallTest, ChecksThePermissionAndTellsOfRefusals) {
  const absl::Status refused = Call(Viewer(), "HostService.RemoveHost").status();
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("this needs admin"));
  parts_.methods.Refuse(*parts_.methods.Find("plimsoll.v1.HostService.GetHost"), nullptr,
                        "10.0.0.2", absl::UnauthenticatedError("no token"));
  EXPECT_THAT(seen_,
              ::testing::ElementsAre("HostService.RemoveHost vera 10.0.0.1 PERMISSION_DENIED "
                                     "plimsoll.v1.RemoveHostRequest no response",
                                     "HostService.GetHost nobody 10.0.0.2 UNAUTHENTICATED "
                                     "no request no response"));
}

TEST(MethodTableDeathTest, MistakesAreFatal) {
  Parts parts;
  const auto add = [&parts](MethodSpec spec) {
    MethodTable table(parts.clock);
    table.Add(std::move(spec), parts.hosts, &Hosts::Get);
  };
  EXPECT_DEATH(add({"HostService.Nosuch", Permission::kRead, "GET /v1/x"}), "");
  EXPECT_DEATH(add({"HostService.ListHosts", Permission::kRead, "GET /v1/x"}), "");
  EXPECT_DEATH(add({"HostService.GetHost", Permission::kRead, "GET /v1/{id}"}), "");
  EXPECT_DEATH(add({"HostService.GetHost", Permission::kRead, "GET /hosts/{host}"}), "");
  MethodSpec begins = {"HostService.GetHost", Permission::kRead, "GET /v1/{host}"};
  begins.session = SessionEffect::kBegins;
  EXPECT_DEATH(add(begins), "");
  EXPECT_DEATH(
      {
        MethodTable table(parts.clock);
        table.Add({"HostService.GetHost", Permission::kRead, "GET /v1/a/{host}"}, parts.hosts,
                  &Hosts::Get);
        table.Add({"HostService.ReleaseHost", Permission::kRead, "GET /v1/a/{host}"}, parts.hosts,
                  &Hosts::Release);
      },
      "");
}

}  // namespace
}  // namespace plimsoll::api
