#include "controller/rpc/services.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <pqxx/pqxx>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/synchronization/notification.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "proto/support/grpc_status.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::rpc {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;
using store::Role;

// Longer than any machine needs; only a test that fails waits for it.
constexpr auto kPatience = std::chrono::seconds(60);

// Every method of every service in proto/plimsoll/v1/*_service.proto, the API.
std::vector<const MethodDescriptor*> ApiMethods() {
  std::vector<const MethodDescriptor*> methods;
  for (const auto& entry : std::filesystem::directory_iterator(
           absl::StrCat(PLIMSOLL_SOURCE_DIR, "/proto/plimsoll/v1"))) {
    const std::string name = entry.path().filename();
    if (!absl::EndsWith(name, "_service.proto")) continue;
    const auto* file = DescriptorPool::generated_pool()->FindFileByName("plimsoll/v1/" + name);
    EXPECT_NE(file, nullptr) << name << " is not part of the API's server";
    if (file == nullptr) continue;
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        methods.push_back(file->service(s)->method(m));
      }
    }
  }
  return methods;
}

// A server on a free port of this machine, and a channel to it.
class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest() {
    // Refusals are logged: what these tests are about is the answer.
    spdlog::set_level(spdlog::level::critical);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    services_.Register(builder);
    server_ = builder.BuildAndStart();
    channel_ =
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
    hosts_ = v1::HostService::NewStub(channel_);
    scans_ = v1::ScanService::NewStub(channel_);
  }
  ~ServicesTest() override {
    // Waits for every call to end: a stream that outlives its client would hang here.
    server_->Shutdown();
    workers_.reset();
  }

  std::string Token(Role role, std::optional<absl::Time> expires = std::nullopt) {
    auto secret = parts_.authenticator.CreateToken(absl::StrCat("user ", ++users_), role, expires);
    EXPECT_TRUE(secret.ok()) << secret.status();
    return "Bearer " + secret.value_or("");
  }

  // Calls any method with an empty request. A stream counts by how it ends.
  grpc::Status Call(const MethodDescriptor& method, const std::string& authorization) {
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    const grpc::Slice empty("");
    const grpc::ByteBuffer request(&empty, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    absl::Notification done;
    grpc::GenericStub(channel_).UnaryCall(
        &context, absl::StrCat("/", method.service()->full_name(), "/", method.name()),
        grpc::StubOptions(), &request, &response, [&](grpc::Status ended) {
          status = std::move(ended);
          done.Notify();
        });
    done.WaitForNotification();
    return status;
  }

  // A running scan of one connected host that has not answered.
  std::string StartScan() {
    EXPECT_TRUE(store::AddHost(*parts_.store, "h-1", "web-1").ok());
    v1::CreateScanRequest request;
    request.set_all(true);
    auto scan = parts_.scans.Create(api::Operator(), request);
    EXPECT_TRUE(scan.ok()) << scan.status();
    return scan.ok() ? scan->id() : "";
  }

  std::unique_ptr<grpc::ClientReader<v1::Scan>> Watch(grpc::ClientContext& context,
                                                      const std::string& id) {
    context.AddMetadata("authorization", Token(Role::kViewer));
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::WatchScanRequest request;
    request.set_id(id);
    return scans_->WatchScan(&context, request);
  }

  api::Parts parts_;
  std::unique_ptr<support::WorkerPool> workers_ = std::make_unique<support::WorkerPool>(4);
  ApiServices services_{ApiParts{parts_.authenticator, *workers_, parts_.hosts, parts_.baseline_api,
                                 parts_.findings, parts_.summaries, parts_.scans, parts_.schedules,
                                 *parts_.enrollment, parts_.waivers, parts_.tailorings,
                                 parts_.what_ifs, parts_.baseline_versions}};
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::HostService::Stub> hosts_;
  std::unique_ptr<v1::ScanService::Stub> scans_;
  int users_ = 0;
};

TEST_F(ServicesTest, EveryMethodNeedsAValidToken) {
  const std::string expired = Token(Role::kAdmin, parts_.clock.Now() - absl::Seconds(1));
  const std::string valid = Token(Role::kAdmin);
  const std::string revoked = Token(Role::kAdmin);
  const auto principal = parts_.authenticator.Authenticate(revoked);
  ASSERT_TRUE(principal.ok());
  ASSERT_TRUE(parts_.store->tokens().Revoke(principal->token_id).ok());
  // What was found valid is remembered for some seconds.
  parts_.clock.Advance(absl::Minutes(1));
  const std::string cases[] = {
      "",          "Bearer", "Bearer ", "Bearer plb_wrong", valid.substr(7), "Basic YTpi",
      valid + "x", expired,  revoked,
  };
  const auto methods = ApiMethods();
  ASSERT_GE(methods.size(), 15u);
  for (const MethodDescriptor* method : methods) {
    for (const std::string& authorization : cases) {
      const grpc::Status status = Call(*method, authorization);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED)
          << method->full_name() << " with \"" << authorization << "\": " << status.error_message();
      EXPECT_TRUE(absl::StrContains(status.error_message(), "plimsoll login"))
          << status.error_message();
    }
    // Nobody learns whether a token ever was one.
    EXPECT_EQ(Call(*method, expired).error_message(), Call(*method, "Bearer x").error_message());
    EXPECT_EQ(Call(*method, revoked).error_message(), Call(*method, "Bearer x").error_message());
  }
}

TEST_F(ServicesTest, RolesMayDoWhatTheTableSays) {
  const struct {
    const char* method;
    std::set<Role> roles;
  } table[] = {
      {"HostService.ListHosts", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"HostService.GetHost", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"HostService.GetHostReport", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"BaselineService.ListBaselines",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"BaselineService.GetBaseline",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"BaselineService.GetRule", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"FindingService.ListFindings",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"SummaryService.GetSummary", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"SummaryService.ListLabelSummaries",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"SummaryService.ListWorstHosts",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"SummaryService.ListFailingConfigurations",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"SummaryService.GetTrend", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"HostService.ListTransitions",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"HostService.RemoveHost", {Role::kAdmin}},
      {"HostService.ReleaseHost", {Role::kAdmin}},
      {"ScanService.CreateScan", {Role::kOperator, Role::kAdmin}},
      {"ScanService.GetScan", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"ScanService.WatchScan", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"ScanService.CancelScan", {Role::kOperator, Role::kAdmin}},
      {"ScanService.ListScans", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"ScanService.ListScanHosts", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"ScanService.GetScanReport", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"ScheduleService.CreateSchedule", {Role::kOperator, Role::kAdmin}},
      {"ScheduleService.GetSchedule",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"ScheduleService.ListSchedules",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"ScheduleService.UpdateSchedule", {Role::kOperator, Role::kAdmin}},
      {"ScheduleService.PauseSchedule", {Role::kOperator, Role::kAdmin}},
      {"ScheduleService.ResumeSchedule", {Role::kOperator, Role::kAdmin}},
      {"ScheduleService.DeleteSchedule", {Role::kOperator, Role::kAdmin}},
      {"ScheduleService.ListScheduleRuns",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"ScheduleService.PreviewSchedule",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"EnrollmentService.CreateEnrollmentToken", {Role::kAdmin}},
      {"EnrollmentService.ListEnrollmentTokens", {Role::kAdmin}},
      {"EnrollmentService.RevokeEnrollmentToken", {Role::kAdmin}},
      {"EnrollmentService.RevokeHost", {Role::kAdmin}},
      {"TailoringService.SetTailoring", {Role::kAdmin}},
      {"TailoringService.DeleteTailoring", {Role::kAdmin}},
      {"TailoringService.GetTailoring",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"TailoringService.ListTailorings",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"WhatIfService.StartWhatIf", {Role::kOperator, Role::kAdmin}},
      {"WhatIfService.GetWhatIf", {Role::kOperator, Role::kAdmin}},
      {"WhatIfService.ListWhatIfFlips", {Role::kOperator, Role::kAdmin}},
      {"WhatIfService.CancelWhatIf", {Role::kOperator, Role::kAdmin}},
      {"BaselineService.UploadBaseline", {Role::kAdmin}},
      {"BaselineService.ActivateBaseline", {Role::kAdmin}},
      {"BaselineService.RollbackBaseline", {Role::kAdmin}},
      {"BaselineService.ListBaselineVersions",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"WaiverService.CreateWaiver", {Role::kOperator, Role::kAdmin}},
      {"WaiverService.PreviewWaiver", {Role::kOperator, Role::kAdmin}},
      {"WaiverService.ApproveWaiver", {Role::kAdmin}},
      {"WaiverService.RejectWaiver", {Role::kAdmin}},
      {"WaiverService.RenewWaiver", {Role::kOperator, Role::kAdmin}},
      {"WaiverService.RevokeWaiver", {Role::kOperator, Role::kAdmin}},
      {"WaiverService.GetWaiver", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"WaiverService.ListWaivers", {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
      {"WaiverService.ListWaiverHistory",
       {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}},
  };
  std::map<Role, std::string> tokens;
  for (const Role role : {Role::kViewer, Role::kAuditor, Role::kOperator, Role::kAdmin}) {
    tokens[role] = Token(role);
  }
  std::map<std::string, const MethodDescriptor*> methods;
  for (const MethodDescriptor* method : ApiMethods()) {
    methods[absl::StrCat(method->service()->name(), ".", method->name())] = method;
  }
  for (const auto& row : table) {
    ASSERT_EQ(methods.count(row.method), 1u) << row.method;
    for (const auto& [role, token] : tokens) {
      const grpc::Status status = Call(*methods[row.method], token);
      const std::string what = absl::StrCat(row.method, " as ", std::string(access::RoleName(role)),
                                            ": ", status.error_message());
      if (row.roles.count(role) == 0) {
        EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << what;
        continue;
      }
      // An empty request is good enough, or it is the request that is refused.
      const std::set<grpc::StatusCode> answers = {grpc::StatusCode::OK, grpc::StatusCode::NOT_FOUND,
                                                  grpc::StatusCode::INVALID_ARGUMENT};
      EXPECT_EQ(answers.count(status.error_code()), 1u) << what << " " << status.error_code();
    }
    methods.erase(row.method);
  }
  for (const auto& [name, method] : methods) ADD_FAILURE() << name << " is not in the table";
}

TEST_F(ServicesTest, AnswersAndErrorsComeThrough) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  const std::string token = Token(Role::kViewer);
  v1::GetHostRequest request;
  v1::Host host;
  request.set_host("web-1");
  grpc::ClientContext good;
  good.AddMetadata("authorization", token);
  const grpc::Status found = hosts_->GetHost(&good, request, &host);
  EXPECT_TRUE(found.ok()) << found.error_message();
  EXPECT_EQ(host.id(), "h-1");
  EXPECT_EQ(host.counts().at("base").fail(), 2);

  request.set_host("web-2");
  grpc::ClientContext bad;
  bad.AddMetadata("authorization", token);
  const grpc::Status missing = hosts_->GetHost(&bad, request, &host);
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(absl::StrContains(missing.error_message(), "web-2")) << missing.error_message();
}

TEST_F(ServicesTest, WhatBreaksInsideIsNotTold) {
  const std::string token = Token(Role::kViewer);
  // One that asks the database; lists of hosts come from the index.
  const MethodDescriptor* list = v1::ListScansRequest::descriptor()
                                     ->file()
                                     ->FindServiceByName("ScanService")
                                     ->FindMethodByName("ListScans");
  ASSERT_TRUE(Call(*list, token).ok());
  const std::string database = pqxx::connection(parts_.url).dbname();
  {
    pqxx::connection connection(parts_.url);
    pqxx::nontransaction(connection).exec("ALTER TABLE scan RENAME TO secret_name");
  }
  const grpc::Status broken = Call(*list, token);
  EXPECT_EQ(broken.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(broken.error_message(), "internal error; see the controller's log");

  // A caller nobody knows asks while the database is away.
  pqxx::connection other(
      absl::StrReplaceAll(parts_.url, {{"dbname=" + database, "dbname=postgres"}}));
  pqxx::nontransaction(other).exec("ALTER DATABASE " + database + " ALLOW_CONNECTIONS false");
  pqxx::nontransaction(other).exec(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '" + database +
      "'");
  const grpc::Status away = Call(*list, "Bearer plb_anyone");
  EXPECT_EQ(away.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(absl::StrContains(away.error_message(), database)) << away.error_message();
  EXPECT_TRUE(absl::StrContains(away.error_message(), "try again")) << away.error_message();
}

TEST_F(ServicesTest, WatchScanStreamsUntilTheScanIsDone) {
  const std::string id = StartScan();
  grpc::ClientContext context;
  auto stream = Watch(context, id);
  v1::Scan scan;
  ASSERT_TRUE(stream->Read(&scan));
  EXPECT_EQ(scan.id(), id);
  EXPECT_EQ(scan.state(), v1::Scan::RUNNING);
  EXPECT_EQ(scan.progress().requested(), 1);
  parts_.board.Failed(id, "h-1", "no engine");
  while (stream->Read(&scan)) {
  }
  EXPECT_EQ(scan.state(), v1::Scan::DONE);
  EXPECT_EQ(scan.progress().failed(), 1);
  ASSERT_EQ(scan.hosts_size(), 1);
  EXPECT_EQ(scan.hosts(0).message(), "no engine");
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();

  // One that is done already is told once.
  grpc::ClientContext again;
  stream = Watch(again, id);
  ASSERT_TRUE(stream->Read(&scan));
  EXPECT_EQ(scan.state(), v1::Scan::DONE);
  EXPECT_FALSE(stream->Read(&scan));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServicesTest, ManyWatchersSeeTheSameEnd) {
  const std::string id = StartScan();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::Scan>>> streams;
  v1::Scan scan;
  for (int i = 0; i < 8; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(Watch(*contexts.back(), id));
    ASSERT_TRUE(streams.back()->Read(&scan));
  }
  parts_.board.Failed(id, "h-1", "no engine");
  for (auto& stream : streams) {
    while (stream->Read(&scan)) {
    }
    EXPECT_EQ(scan.state(), v1::Scan::DONE);
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(ServicesTest, WatchScanOfNothingIsNotFound) {
  grpc::ClientContext context;
  auto stream = Watch(context, "s-none");
  v1::Scan scan;
  EXPECT_FALSE(stream->Read(&scan));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

// The destructor's Shutdown returns only because the server's side of the stream ended too.
TEST_F(ServicesTest, WatchScanEndsWhenTheClientGoesAway) {
  const std::string id = StartScan();
  grpc::ClientContext context;
  auto stream = Watch(context, id);
  v1::Scan scan;
  ASSERT_TRUE(stream->Read(&scan));
  context.TryCancel();
  while (stream->Read(&scan)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  // News for a watcher that left disturb nobody.
  parts_.board.Failed(id, "h-1", "no engine");
}

TEST_F(ServicesTest, DrainEndsOpenWatches) {
  const std::string id = StartScan();
  grpc::ClientContext context;
  auto stream = Watch(context, id);
  v1::Scan scan;
  ASSERT_TRUE(stream->Read(&scan));
  services_.Drain();
  EXPECT_FALSE(stream->Read(&scan));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "shutting down")) << status.error_message();
}

}  // namespace
}  // namespace plimsoll::rpc
