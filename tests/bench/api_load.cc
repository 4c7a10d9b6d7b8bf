// Times calls of a controller's API, one after the other on one connection, for tests/bench/fleet.
//
//   api_load SERVER CA TOKEN_FILE bare COUNT
//       a call that is refused at once: transport alone
//   api_load SERVER CA TOKEN_FILE summary COUNT SEED
//       GetSummary, label selectors of fleet_sim's labels
//   api_load SERVER CA TOKEN_FILE hosts COUNT SEED
//       ListHosts, pages of 100, first ones and later ones, selectors
//   api_load SERVER CA TOKEN_FILE findings COUNT SEED
//       ListFindings, likewise
//   api_load SERVER CA TOKEN_FILE watch HOST RULE SECONDS
//       polls the host's report; prints "NANOSECONDS OBJECT..." whenever the objects that fail RULE
//       change, with the wall clock of the answer
//
// The first four print one JSON object: {"count": N, "p50": MS, "p99": MS, "max": MS, "rows": N}.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "plimsoll/v1/finding_service.grpc.pb.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"
#include "proto/support/key_files.h"

namespace plimsoll {
namespace {

using Clock = std::chrono::steady_clock;

class Client {
 public:
  Client(const std::string& server, const std::string& ca, std::string token)
      : token_(std::move(token)) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = ca;
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(64 << 20);
    channel_ = grpc::CreateCustomChannel(server, grpc::SslCredentials(tls), arguments);
  }

  template <class Stub, class Request, class Response>
  grpc::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response, bool with_token = true) {
    grpc::ClientContext context;
    if (with_token) context.AddMetadata("authorization", "Bearer " + token_);
    return (stub.*method)(&context, request, &response);
  }

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  const std::string token_;
  std::shared_ptr<grpc::Channel> channel_;
};

// One selector of those that people write, over fleet_sim's labels.
std::string Selector(std::mt19937_64& random) {
  static const char* const kTiers[] = {"web", "app", "db", "cache", "batch"};
  static const char* const kRegions[] = {"eu-west", "eu-central", "us-east", "us-west", "ap-south"};
  const std::string team = absl::StrCat("team=team-", random() % 40);
  const std::string tier = absl::StrCat("tier!=", kTiers[random() % 5]);
  const std::string region =
      absl::StrCat("region in (", kRegions[random() % 5], ",", kRegions[random() % 5], ")");
  switch (random() % 6) {
    case 0:
      return "";
    case 1:
      return "env=prod";
    case 2:
      return team;
    case 3:
      return absl::StrCat("env=prod,", region);
    case 4:
      return absl::StrCat(region, ",", tier, ",!legacy");
    default:
      return absl::StrCat("env!=dev,", team, ",", tier);
  }
}

// Times `call`, which returns how many rows it got, `count` times.
int Time(int count, const std::function<grpc::Status(size_t& rows)>& call) {
  std::vector<double> times;
  size_t rows = 0;
  // The first calls open the connection.
  for (int i = -5; i < count; ++i) {
    size_t got = 0;
    const auto begin = Clock::now();
    const grpc::Status status = call(got);
    const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    if (!status.ok() && status.error_code() != grpc::StatusCode::UNAUTHENTICATED) {
      std::fprintf(stderr, "api_load: %d %s\n", status.error_code(),
                   status.error_message().c_str());
      return 1;
    }
    if (i < 0) continue;
    times.push_back(took.count());
    rows += got;
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"count\":%d,\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f,\"rows\":%zu}\n", count,
              times[times.size() / 2], times[times.size() * 99 / 100], times.back(), rows);
  return 0;
}

int Bare(Client& client, int count) {
  auto stub = v1::HostService::NewStub(client.channel());
  return Time(count, [&](size_t&) {
    v1::Host host;
    return client.Call(*stub, &v1::HostService::Stub::GetHost, v1::GetHostRequest(), host, false);
  });
}

int Summaries(Client& client, int count, uint64_t seed) {
  auto stub = v1::SummaryService::NewStub(client.channel());
  std::mt19937_64 random(seed);
  return Time(count, [&](size_t& rows) {
    v1::GetSummaryRequest request;
    request.set_baseline(random() % 2 == 0 ? "azure-docker" : "edge-docker");
    request.set_selector(Selector(random));
    v1::Summary summary;
    const auto status = client.Call(*stub, &v1::SummaryService::Stub::GetSummary, request, summary);
    rows = static_cast<size_t>(summary.host_count());
    return status;
  });
}

// Pages of one list: most calls go on where the last page ended, as a reader does.
template <class Request, class Response, class Stub, class Rows>
int Pages(Client& client, Stub& stub,
          grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), int count,
          uint64_t seed, Rows rows_of) {
  std::mt19937_64 random(seed);
  Request request;
  return Time(count, [&](size_t& rows) {
    if (request.page_token().empty() || random() % 8 == 0) {
      request.Clear();
      request.set_page_size(100);
      request.set_selector(Selector(random));
    }
    Response response;
    const auto status = client.Call(stub, method, request, response);
    request.set_page_token(response.next_page_token());
    rows = static_cast<size_t>(rows_of(response));
    return status;
  });
}

int Watch(Client& client, const std::string& host, const std::string& rule, int seconds) {
  auto stub = v1::HostService::NewStub(client.channel());
  v1::GetHostReportRequest request;
  request.set_host(host);
  request.set_baseline("azure-docker");
  std::set<std::string> before{"(none yet)"};
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  while (Clock::now() < end) {
    v1::HostReport report;
    if (client.Call(*stub, &v1::HostService::Stub::GetHostReport, request, report).ok()) {
      std::set<std::string> objects;
      for (const v1::Verdict& verdict : report.verdicts()) {
        if (verdict.rule_id() != rule) continue;
        for (const v1::Finding& finding : verdict.findings()) {
          objects.insert(finding.object().substr(0, finding.object().find(' ')));
        }
      }
      if (objects != before) {
        const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::system_clock::now().time_since_epoch());
        std::printf("%lld", static_cast<long long>(now.count()));
        for (const std::string& object : objects) std::printf(" %s", object.c_str());
        std::printf("\n");
        std::fflush(stdout);
        before = std::move(objects);
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return 0;
}

int Main(int argc, char** argv) {
  const auto argument = [&](int i) { return i < argc ? std::string(argv[i]) : std::string(); };
  const std::string kind = argument(4);
  auto ca = support::ReadKeyFile(argument(2), false);
  auto token = support::ReadKeyFile(argument(3), true);
  if (!ca.ok() || !token.ok()) {
    std::fprintf(stderr, "api_load SERVER CA TOKEN_FILE bare|summary|hosts|findings|watch ...\n");
    return 2;
  }
  Client client(argument(1), *ca, std::string(absl::StripAsciiWhitespace(*token)));
  const int count = std::max(std::atoi(argument(5).c_str()), 1);
  const auto seed = static_cast<uint64_t>(std::atoll(argument(6).c_str()));
  if (kind == "bare") return Bare(client, count);
  if (kind == "summary") return Summaries(client, count, seed);
  if (kind == "hosts") {
    auto stub = v1::HostService::NewStub(client.channel());
    return Pages<v1::ListHostsRequest, v1::ListHostsResponse>(
        client, *stub, &v1::HostService::Stub::ListHosts, count, seed,
        [](const auto& page) { return page.hosts_size(); });
  }
  if (kind == "findings") {
    auto stub = v1::FindingService::NewStub(client.channel());
    return Pages<v1::ListFindingsRequest, v1::ListFindingsResponse>(
        client, *stub, &v1::FindingService::Stub::ListFindings, count, seed,
        [](const auto& page) { return page.findings_size(); });
  }
  if (kind == "watch") {
    return Watch(client, argument(5), argument(6), std::atoi(argument(7).c_str()));
  }
  return 2;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) { return plimsoll::Main(argc, argv); }
