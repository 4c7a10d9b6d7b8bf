#include "controller/access/authenticator.h"
#include "controller/api/api.h"
#include "controller/api/paging.h"

namespace plimsoll::api {

absl::StatusOr<v1::ListHostsResponse> Hosts::List(const Principal& who,
                                                  const v1::ListHostsRequest& request) {
  if (auto status = access::RequireRole(who, store::Role::kViewer); !status.ok()) return status;
  auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto after = DecodePageToken(request.page_token(), 2);
  if (!after.ok()) return after.status();
  store::HostQuery query;
  query.labels.insert(request.labels().begin(), request.labels().end());
  query.name_contains = request.name_contains();
  query.after_hostname = (*after)[0];
  query.after_id = (*after)[1];
  // One more than asked tells whether there is a next page.
  query.limit = *size + 1;
  auto hosts = store_.hosts().List(query);
  if (!hosts.ok()) return hosts.status();
  v1::ListHostsResponse response;
  const bool more = hosts->size() > static_cast<size_t>(*size);
  if (more) hosts->pop_back();
  for (v1::Host& host : *hosts) *response.add_hosts() = std::move(host);
  if (more) {
    const v1::Host& last = *response.hosts().rbegin();
    response.set_next_page_token(EncodePageToken({last.hostname(), last.id()}));
  }
  return response;
}

absl::StatusOr<v1::Host> Hosts::Get(const Principal& who, const v1::GetHostRequest& request) {
  if (auto status = access::RequireRole(who, store::Role::kViewer); !status.ok()) return status;
  return store_.hosts().Get(request.host());
}

absl::StatusOr<v1::HostReport> Hosts::GetReport(const Principal& who,
                                                const v1::GetHostReportRequest& request) {
  if (auto status = access::RequireRole(who, store::Role::kViewer); !status.ok()) return status;
  auto host = store_.hosts().Get(request.host());
  if (!host.ok()) return host.status();
  return store_.reports().GetReport(host->id(), request.baseline());
}

}  // namespace plimsoll::api
