// All services on a server of this machine, over a real PostgreSQL.
#pragma once

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "controller/rpc/services.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::rpc {

using google::protobuf::DescriptorPool;
using google::protobuf::MethodDescriptor;
using store::Role;

// Longer than any machine needs; only a test that fails waits for it.
inline constexpr auto kPatience = std::chrono::seconds(60);

// Every method of every service in proto/plimsoll/v1/*_service.proto, the API.
inline std::vector<const MethodDescriptor*> ApiMethods() {
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
    // A stream without an end is one that was opened.
    const bool endless = method.name() == "WatchEvents";
    context.set_deadline(std::chrono::system_clock::now() +
                         (endless ? std::chrono::seconds(3) : kPatience));
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
  ApiServices services_{ApiParts{parts_.authenticator, *workers_, parts_.methods}};
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::HostService::Stub> hosts_;
  std::unique_ptr<v1::ScanService::Stub> scans_;
  int users_ = 0;
};

}  // namespace plimsoll::rpc
