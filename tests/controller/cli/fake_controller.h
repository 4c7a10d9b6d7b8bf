// A controller that answers from memory, for the commands that need one.
#pragma once

#include <grpcpp/grpcpp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plimsoll/v1/activity_service.grpc.pb.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/enrollment_service.grpc.pb.h"
#include "plimsoll/v1/finding_service.grpc.pb.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"
#include "plimsoll/v1/session_service.grpc.pb.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"

namespace plimsoll::cli {

// A self-signed certificate for 127.0.0.1, good for an hour, and its key.
struct SelfSigned {
  SelfSigned() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    for (const auto& [nid, value] : {std::pair{NID_subject_alt_name, "IP:127.0.0.1"},
                                     std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
      X509_add_ext(certificate, extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, key, EVP_sha256());
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate);
    certificate_pem = Take(bio);
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    key_pem = Take(bio);
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  std::string certificate_pem;
  std::string key_pem;

 private:
  // What was written since the last call.
  static std::string Take(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<size_t>(size));
    (void)BIO_reset(bio);
    return text;
  }
};

// Serves over TLS on a free port of this machine until it goes. Borrows the services.
class FakeServer {
 public:
  explicit FakeServer(std::initializer_list<grpc::Service*> services) {
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back({identity_.key_pem, identity_.certificate_pem});
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
    for (grpc::Service* service : services) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) std::abort();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~FakeServer() { server_->Shutdown(); }

  const std::string& address() const { return address_; }
  const std::string& ca_pem() const { return identity_.certificate_pem; }

 private:
  const SelfSigned identity_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// What the fake answers: set it before the command runs. Only "Bearer plb_good" is known to it.
struct Answers {
  // Every call ends with this, when it is not OK.
  grpc::Status status;
  // The reason of `status`; empty: it comes from the way to the controller.
  std::string reason;
  v1::Baseline baseline;
  // One page each, in this order.
  std::vector<v1::ListHostsResponse> host_pages;
  v1::Host host;
  v1::HostReport report;
  v1::ListFindingsResponse findings;
  v1::Summary summary;
  v1::ListLabelSummariesResponse labels;
  v1::ListWorstHostsResponse worst;
  v1::ListFailingConfigurationsResponse configurations;
  v1::Trend trend;
  v1::ListTransitionsResponse transitions;
  // CreateScan gives the first, WatchScan all.
  std::vector<v1::Scan> scans;
  v1::CreateEnrollmentTokenResponse token;
  v1::Self self;
  // SignIn knows the name "ann" and this password.
  std::string password = "correct horse battery";
  v1::SignInResponse sign_in;
  v1::ActivityHead head;
  // One page each, in this order.
  std::vector<v1::ListActivityResponse> activity_pages;
  // The last of its kind that was asked.
  v1::ListFindingsRequest asked_findings;
  v1::CreateScanRequest asked_scan;
  v1::ListHostsRequest asked_hosts;
  v1::SetHostLabelsRequest asked_set_labels;
  v1::SetHostLabelsResponse set_labels;
  v1::RemoveHostRequest asked_remove;
  v1::ReleaseHostRequest asked_release;
  v1::GetSummaryRequest asked_summary;
  v1::ListLabelSummariesRequest asked_labels;
  v1::ListWorstHostsRequest asked_worst;
  v1::ListFailingConfigurationsRequest asked_configurations;
  v1::GetTrendRequest asked_trend;
  v1::ListTransitionsRequest asked_transitions;
  v1::ChangePasswordRequest asked_password;
  v1::ListActivityRequest asked_activity;
  int sign_outs = 0;
};

// Serves on a free port of this machine until it goes. Members of Answers are the test's to change
// between commands.
class FakeController : private v1::HostService::Service,
                       private v1::BaselineService::Service,
                       private v1::FindingService::Service,
                       private v1::SummaryService::Service,
                       private v1::ScanService::Service,
                       private v1::EnrollmentService::Service,
                       private v1::SessionService::Service,
                       private v1::ActivityService::Service {
 public:
  FakeController()
      : server_({static_cast<v1::HostService::Service*>(this),
                 static_cast<v1::BaselineService::Service*>(this),
                 static_cast<v1::FindingService::Service*>(this),
                 static_cast<v1::SummaryService::Service*>(this),
                 static_cast<v1::ScanService::Service*>(this),
                 static_cast<v1::EnrollmentService::Service*>(this),
                 static_cast<v1::SessionService::Service*>(this),
                 static_cast<v1::ActivityService::Service*>(this)}) {}

  const std::string& address() const { return server_.address(); }
  const std::string& ca_pem() const { return server_.ca_pem(); }
  Answers answers;

 private:
  template <class Response>
  grpc::Status Answer(grpc::ServerContext* context, const Response& from, Response* to) const {
    const auto it = context->client_metadata().find("authorization");
    if (it == context->client_metadata().end() || it->second != "Bearer plb_good") {
      return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "the token is not valid");
    }
    if (answers.status.ok()) *to = from;
    if (!answers.reason.empty()) context->AddTrailingMetadata("plimsoll-reason", answers.reason);
    return answers.status;
  }
  grpc::Status ListHosts(grpc::ServerContext* context, const v1::ListHostsRequest* request,
                         v1::ListHostsResponse* response) override {
    answers.asked_hosts = *request;
    const size_t page = request->page_token().empty() ? 0 : std::stoul(request->page_token());
    return Answer(context, answers.host_pages.at(page), response);
  }
  grpc::Status GetHost(grpc::ServerContext* context, const v1::GetHostRequest*,
                       v1::Host* response) override {
    return Answer(context, answers.host, response);
  }
  grpc::Status SetHostLabels(grpc::ServerContext* context, const v1::SetHostLabelsRequest* request,
                             v1::SetHostLabelsResponse* response) override {
    answers.asked_set_labels = *request;
    return Answer(context, answers.set_labels, response);
  }
  grpc::Status GetHostReport(grpc::ServerContext* context, const v1::GetHostReportRequest*,
                             v1::HostReport* response) override {
    return Answer(context, answers.report, response);
  }
  grpc::Status ListBaselines(grpc::ServerContext* context, const v1::ListBaselinesRequest*,
                             v1::ListBaselinesResponse* response) override {
    return Answer(context, v1::ListBaselinesResponse(), response);
  }
  grpc::Status GetBaseline(grpc::ServerContext* context, const v1::GetBaselineRequest*,
                           v1::Baseline* response) override {
    return Answer(context, answers.baseline, response);
  }
  grpc::Status ListFindings(grpc::ServerContext* context, const v1::ListFindingsRequest* request,
                            v1::ListFindingsResponse* response) override {
    answers.asked_findings = *request;
    return Answer(context, answers.findings, response);
  }
  grpc::Status GetSummary(grpc::ServerContext* context, const v1::GetSummaryRequest* request,
                          v1::Summary* response) override {
    answers.asked_summary = *request;
    return Answer(context, answers.summary, response);
  }
  grpc::Status ListLabelSummaries(grpc::ServerContext* context,
                                  const v1::ListLabelSummariesRequest* request,
                                  v1::ListLabelSummariesResponse* response) override {
    answers.asked_labels = *request;
    return Answer(context, answers.labels, response);
  }
  grpc::Status ListWorstHosts(grpc::ServerContext* context,
                              const v1::ListWorstHostsRequest* request,
                              v1::ListWorstHostsResponse* response) override {
    answers.asked_worst = *request;
    return Answer(context, answers.worst, response);
  }
  grpc::Status ListFailingConfigurations(grpc::ServerContext* context,
                                         const v1::ListFailingConfigurationsRequest* request,
                                         v1::ListFailingConfigurationsResponse* response) override {
    answers.asked_configurations = *request;
    return Answer(context, answers.configurations, response);
  }
  grpc::Status GetTrend(grpc::ServerContext* context, const v1::GetTrendRequest* request,
                        v1::Trend* response) override {
    answers.asked_trend = *request;
    return Answer(context, answers.trend, response);
  }
  grpc::Status ListTransitions(grpc::ServerContext* context,
                               const v1::ListTransitionsRequest* request,
                               v1::ListTransitionsResponse* response) override {
    answers.asked_transitions = *request;
    return Answer(context, answers.transitions, response);
  }
  grpc::Status RemoveHost(grpc::ServerContext* context, const v1::RemoveHostRequest* request,
                          v1::RemoveHostResponse* response) override {
    answers.asked_remove = *request;
    v1::RemoveHostResponse removed;
    removed.set_host_id("h-1");
    return Answer(context, removed, response);
  }
  grpc::Status ReleaseHost(grpc::ServerContext* context, const v1::ReleaseHostRequest* request,
                           v1::Host* response) override {
    answers.asked_release = *request;
    v1::Host released;
    released.set_id("h-1");
    return Answer(context, released, response);
  }
  grpc::Status CreateScan(grpc::ServerContext* context, const v1::CreateScanRequest* request,
                          v1::Scan* response) override {
    answers.asked_scan = *request;
    return Answer(context, answers.scans.at(0), response);
  }
  grpc::Status WatchScan(grpc::ServerContext*, const v1::WatchScanRequest*,
                         grpc::ServerWriter<v1::Scan>* writer) override {
    for (const v1::Scan& scan : answers.scans) writer->Write(scan);
    return answers.status;
  }
  grpc::Status CreateEnrollmentToken(grpc::ServerContext* context,
                                     const v1::CreateEnrollmentTokenRequest*,
                                     v1::CreateEnrollmentTokenResponse* response) override {
    return Answer(context, answers.token, response);
  }

  grpc::Status SignIn(grpc::ServerContext*, const v1::SignInRequest* request,
                      v1::SignInResponse* response) override {
    if (request->name() != "ann" || request->password() != answers.password) {
      return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "the name or the password is wrong");
    }
    *response = answers.sign_in;
    return grpc::Status::OK;
  }
  grpc::Status SignOut(grpc::ServerContext* context, const v1::SignOutRequest*,
                       v1::SignOutResponse* response) override {
    ++answers.sign_outs;
    return Answer(context, v1::SignOutResponse(), response);
  }
  grpc::Status GetSelf(grpc::ServerContext* context, const v1::GetSelfRequest*,
                       v1::Self* response) override {
    return Answer(context, answers.self, response);
  }
  grpc::Status ChangePassword(grpc::ServerContext* context,
                              const v1::ChangePasswordRequest* request,
                              v1::ChangePasswordResponse* response) override {
    answers.asked_password = *request;
    return Answer(context, v1::ChangePasswordResponse(), response);
  }
  grpc::Status GetActivityHead(grpc::ServerContext* context, const v1::GetActivityHeadRequest*,
                               v1::ActivityHead* response) override {
    return Answer(context, answers.head, response);
  }
  grpc::Status ListActivity(grpc::ServerContext* context, const v1::ListActivityRequest* request,
                            v1::ListActivityResponse* response) override {
    answers.asked_activity = *request;
    const size_t page = request->page_token().empty() ? 0 : std::stoul(request->page_token());
    return Answer(context, answers.activity_pages.at(page), response);
  }

  FakeServer server_;
};

}  // namespace plimsoll::cli
