#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/access/authenticator.h"
#include "controller/access/tokens.h"
#include "controller/api/api.h"
#include "proto/support/digest.h"

namespace plimsoll::api {
namespace {

constexpr absl::Duration kDefaultTimeout = absl::Minutes(10);
constexpr absl::Duration kLongestTimeout = absl::Hours(24);
constexpr size_t kLongestKey = 128;
constexpr int kHostsPerPage = 1000;

// Equal requests have equal digests: labels are a map, whose usual encoding has no fixed order.
std::string DigestOf(const v1::CreateScanRequest& request) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    request.SerializeToCodedStream(&coded);
  }
  return support::Sha256Hex(bytes);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Scans::SelectHosts(const v1::CreateScanRequest& request) {
  const int selectors = request.all() + !request.hosts().empty() + !request.labels().empty();
  if (selectors != 1) {
    return absl::InvalidArgumentError("say which hosts: exactly one of all, hosts or labels");
  }
  std::vector<std::string> ids;
  for (const std::string& name : request.hosts()) {
    auto host = store_.hosts().Get(name);
    if (!host.ok()) return host.status();
    ids.push_back(host->id());
  }
  if (!request.hosts().empty()) {
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }
  store::HostQuery query;
  query.labels.insert(request.labels().begin(), request.labels().end());
  query.limit = kHostsPerPage;
  while (true) {
    auto page = store_.hosts().List(query);
    if (!page.ok()) return page.status();
    for (const v1::Host& host : *page) {
      if (host.connection() != v1::Host::REVOKED) ids.push_back(host.id());
    }
    if (page->size() < kHostsPerPage) break;
    query.after_hostname = page->back().hostname();
    query.after_id = page->back().id();
  }
  if (ids.empty()) return absl::NotFoundError("no host matches; `plimsoll hosts` lists them");
  return ids;
}

absl::StatusOr<v1::Scan> Scans::Create(const Principal& who, const v1::CreateScanRequest& request) {
  if (auto status = access::RequireRole(who, store::Role::kOperator); !status.ok()) return status;
  if (request.idempotency_key().size() > kLongestKey) {
    return absl::InvalidArgumentError(
        absl::StrCat("idempotency_key is longer than ", kLongestKey, " bytes"));
  }
  absl::Duration timeout =
      absl::Seconds(request.timeout().seconds()) + absl::Nanoseconds(request.timeout().nanos());
  if (!request.has_timeout()) timeout = kDefaultTimeout;
  if (timeout <= absl::ZeroDuration() || timeout > kLongestTimeout) {
    return absl::InvalidArgumentError("timeout: expected more than 0 and at most 24h");
  }
  auto host_ids = SelectHosts(request);
  if (!host_ids.ok()) return host_ids.status();
  store::NewScan scan;
  scan.id = absl::StrCat("s-", support::Sha256Hex(access::NewSecret("")).substr(0, 16));
  scan.created_by = who.name;
  scan.idempotency_key = request.idempotency_key();
  scan.request_digest = DigestOf(request);
  scan.create_time = clock_.Now();
  scan.deadline = scan.create_time + timeout;
  scan.host_ids = *std::move(host_ids);
  return board_.Create(scan);
}

absl::StatusOr<v1::Scan> Scans::Get(const Principal& who, const v1::GetScanRequest& request) {
  if (auto status = access::RequireRole(who, store::Role::kViewer); !status.ok()) return status;
  return board_.Get(request.id());
}

uint64_t Scans::Watch(const std::string& id, std::function<void()> changed) {
  return board_.Watch(id, std::move(changed));
}

void Scans::Unwatch(const std::string& id, uint64_t handle) { board_.Unwatch(id, handle); }

}  // namespace plimsoll::api
