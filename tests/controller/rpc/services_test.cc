#include "controller/rpc/services.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <pqxx/pqxx>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "proto/support/grpc_status.h"
#include "tests/controller/api/permission_table.h"
#include "tests/controller/rpc/services_fixture.h"

namespace plimsoll::rpc {
namespace {

using google::protobuf::MethodDescriptor;
using store::Role;

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
  auto table = api::PermissionTable();
  for (const MethodDescriptor* method : methods) {
    // Those that give a token, and what leads there.
    if (table[absl::StrCat(method->service()->name(), ".", method->name())].contains("nobody")) {
      continue;
    }
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

// The first value of a key; "-": there is none.
std::string TrailingOf(const grpc::ClientContext& context, const char* key) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto it = metadata.find(key);
  return it == metadata.end() ? "-" : std::string(it->second.data(), it->second.size());
}

TEST_F(ServicesTest, ErrorsNameTheirReasonAndTheField) {
  const std::string token = Token(Role::kViewer);
  const struct {
    int page_size;
    const char* host;
    const char* reason;
    const char* field;
  } rows[] = {
      {1, "", "-", "-"},
      {1001, "", "INVALID_FIELD", "pageSize"},
      {0, "none", "NOT_FOUND", "-"},
  };
  for (const auto& row : rows) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", token);
    if (*row.host == '\0') {
      v1::ListHostsRequest request;
      request.set_page_size(row.page_size);
      v1::ListHostsResponse response;
      (void)hosts_->ListHosts(&context, request, &response);
    } else {
      v1::GetHostRequest request;
      request.set_host(row.host);
      v1::Host host;
      (void)hosts_->GetHost(&context, request, &host);
    }
    EXPECT_EQ(TrailingOf(context, "plimsoll-reason"), row.reason) << row.page_size;
    EXPECT_EQ(TrailingOf(context, "plimsoll-field"), row.field) << row.page_size;
  }
  grpc::ClientContext context;
  v1::Scan scan;
  auto stream = Watch(context, "s-none");
  EXPECT_FALSE(stream->Read(&scan));
  (void)stream->Finish();
  EXPECT_EQ(TrailingOf(context, "plimsoll-reason"), "NOT_FOUND");
}

TEST_F(ServicesTest, ABusyControllerSaysSoAtOnce) {
  // Nothing may wait.
  ApiServices busy{ApiParts{parts_.authenticator, *workers_, parts_.methods, 0}};
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  busy.Register(builder);
  const auto server = builder.BuildAndStart();
  const auto channel =
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
  const auto expect_busy = [](const grpc::ClientContext& context, const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_TRUE(absl::StrContains(status.error_message(), "busy")) << status.error_message();
    EXPECT_EQ(TrailingOf(context, "plimsoll-reason"), "RESOURCE_EXHAUSTED");
  };
  grpc::ClientContext once;
  v1::Host host;
  expect_busy(once, v1::HostService::NewStub(channel)->GetHost(&once, v1::GetHostRequest(), &host));
  grpc::ClientContext watch;
  v1::Scan scan;
  const auto scans = v1::ScanService::NewStub(channel);
  auto stream = scans->WatchScan(&watch, v1::WatchScanRequest());
  EXPECT_FALSE(stream->Read(&scan));
  expect_busy(watch, stream->Finish());
  server->Shutdown();
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
