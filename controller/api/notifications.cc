#include "controller/api/notifications.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/api/paging.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "controller/fleet/selector.h"
#include "proto/support/digest.h"
#include "proto/support/times.h"

namespace plimsoll::api {
namespace {

using store::Principal;

constexpr size_t kLongestName = 63;
constexpr size_t kLongestDescription = 512;
constexpr int kMostBaselines = 100;
constexpr absl::Duration kLongestWindow = absl::Hours(1);

absl::Status Check(const v1::NotificationChannel& channel, const fleet::SavedSelectors& saved) {
  if (auto status = CheckName("name", channel.name()); !status.ok()) return status;
  if (auto status = notify::CheckTarget(channel); !status.ok()) return status;
  for (const int kind : channel.kinds()) {
    if (kind == v1::NotificationEvent::KIND_UNSPECIFIED || kind == v1::NotificationEvent::TEST ||
        !v1::NotificationEvent::Kind_IsValid(kind)) {
      return absl::InvalidArgumentError(
          absl::StrCat("kinds: ", kind, " is nothing to be told about"));
    }
  }
  if (!v1::Severity_IsValid(channel.minimum_severity())) {
    return absl::InvalidArgumentError("minimum_severity: expected INFO to CRITICAL");
  }
  if (const auto selector = fleet::SelectorOf({}, channel.selector(), saved); !selector.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("selector: ", selector.status().message()));
  }
  if (channel.baselines_size() > kMostBaselines) {
    return absl::InvalidArgumentError("baselines: at most 100");
  }
  for (const std::string& baseline : channel.baselines()) {
    if (auto status = CheckLength("baselines", baseline, kLongestName); !status.ok()) return status;
  }
  const absl::Duration window = support::FromDuration(channel.window());
  if (window < absl::ZeroDuration() || window > kLongestWindow) {
    return absl::InvalidArgumentError("window: expected 0s to 1h");
  }
  if (auto status = CheckOptionalName("managed_by", channel.managed_by()); !status.ok()) {
    return status;
  }
  return CheckLength("description", channel.description(), kLongestDescription);
}

// The secret that a request brings; empty: none.
const std::string& SecretOf(const v1::NotificationChannel& channel) {
  return channel.has_webhook() ? channel.webhook().secret() : channel.email().password();
}

// Where the secret goes: it must not follow a target that somebody has changed.
std::string ReceiverOf(const v1::NotificationChannel& channel) {
  if (channel.has_webhook()) return absl::StrCat("webhook ", channel.webhook().url());
  if (channel.has_email()) {
    return absl::StrCat("email ", channel.email().server(), " ", channel.email().username());
  }
  return "";
}

// INVALID_ARGUMENT: the secret that is kept would go to another receiver.
absl::Status CheckSecretStays(const v1::NotificationChannel& wanted,
                              const store::StoredChannel& stored) {
  // Syslog has no secret: the one that is kept goes.
  if (stored.sealed_secret.empty() || !SecretOf(wanted).empty() || wanted.has_syslog() ||
      ReceiverOf(wanted) == ReceiverOf(stored.channel)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("channel: the receiver is another one; give its secret, too");
}

v1::NotificationChannel WithoutSecret(v1::NotificationChannel channel) {
  if (channel.has_webhook()) channel.mutable_webhook()->clear_secret();
  if (channel.has_email()) channel.mutable_email()->clear_password();
  return channel;
}

}  // namespace

bool Notifications::IsNewSecret(const v1::NotificationChannel& wanted,
                                const store::StoredChannel& stored) const {
  const std::string& secret = SecretOf(wanted);
  if (secret.empty()) return false;
  const auto kept = notifier_.box().Open(stored.sealed_secret);
  // Digests, so that how long it takes says nothing.
  return !kept.ok() || support::Sha256Hex(*kept) != support::Sha256Hex(secret);
}

absl::StatusOr<v1::NotificationChannel> Notifications::Create(
    const Principal& who, const v1::CreateNotificationChannelRequest& request) {
  if (auto status = RequireWholeFleet(who, "notifications"); !status.ok()) return status;
  store::StoredChannel stored;
  stored.channel = request.channel();
  if (auto status = Check(stored.channel, book_.current()->selectors()); !status.ok()) {
    return status;
  }
  if (request.validate_only()) return WithoutSecret(stored.channel);
  stored.channel.set_id(NewId("nc-"));
  stored.channel.set_created_by(who.name);
  *stored.channel.mutable_create_time() = support::ToTimestamp(clock_.Now());
  if (const std::string& secret = SecretOf(request.channel()); !secret.empty()) {
    stored.sealed_secret = notifier_.box().Seal(secret);
  }
  return store_.notifications().Create(stored);
}

absl::StatusOr<v1::NotificationChannel> Notifications::Get(
    const Principal& who, const v1::GetNotificationChannelRequest& request) {
  if (auto status = RequireWholeFleet(who, "notifications"); !status.ok()) return status;
  auto stored = store_.notifications().Get(request.channel());
  if (!stored.ok()) return stored.status();
  return std::move(stored->channel);
}

absl::StatusOr<v1::ListNotificationChannelsResponse> Notifications::List(
    const Principal& who, const v1::ListNotificationChannelsRequest& request) {
  if (auto status = RequireWholeFleet(who, "notifications"); !status.ok()) return status;
  auto channels = store_.notifications().List();
  if (!channels.ok()) return channels.status();
  v1::ListNotificationChannelsResponse response;
  for (store::StoredChannel& stored : *channels) {
    *response.add_channels() = std::move(stored.channel);
  }
  return response;
}

absl::StatusOr<v1::NotificationChannel> Notifications::Update(
    const Principal& who, const v1::UpdateNotificationChannelRequest& request) {
  if (auto status = RequireWholeFleet(who, "notifications"); !status.ok()) return status;
  const v1::NotificationChannel& wanted = request.channel();
  if (auto status = Check(wanted, book_.current()->selectors()); !status.ok()) return status;
  const auto found = store_.notifications().Get(wanted.id().empty() ? wanted.name() : wanted.id());
  if (!found.ok()) return found.status();
  if (auto status = CheckSecretStays(wanted, *found); !status.ok()) return status;
  if (request.validate_only()) {
    v1::NotificationChannel channel = WithoutSecret(wanted);
    channel.set_etag(IsNewSecret(wanted, *found) ? "" : found->channel.etag());
    return channel;
  }
  return store_.notifications().Update(
      found->channel.id(), [&](store::StoredChannel& stored) -> absl::Status {
        if (!wanted.etag().empty() && wanted.etag() != stored.channel.etag()) {
          return absl::FailedPreconditionError(
              absl::StrCat("etag: \"", stored.channel.name(),
                           "\" was changed meanwhile; read it again and repeat the change"));
        }
        if (auto status = CheckSecretStays(wanted, stored); !status.ok()) return status;
        if (const std::string& secret = SecretOf(wanted); !secret.empty()) {
          stored.sealed_secret = notifier_.box().Seal(secret);
        }
        const std::string id = stored.channel.id();
        stored.channel = wanted;
        stored.channel.set_id(id);
        if (wanted.has_syslog()) stored.sealed_secret.clear();
        return absl::OkStatus();
      });
}

absl::StatusOr<v1::DeleteNotificationChannelResponse> Notifications::Delete(
    const Principal& who, const v1::DeleteNotificationChannelRequest& request) {
  if (auto status = RequireWholeFleet(who, "notifications"); !status.ok()) return status;
  const auto found = store_.notifications().Get(request.channel());
  if (!found.ok()) return found.status();
  if (auto status = store_.notifications().Delete(found->channel.id()); !status.ok()) return status;
  v1::DeleteNotificationChannelResponse response;
  response.set_id(found->channel.id());
  return response;
}

absl::StatusOr<v1::NotificationDelivery> Notifications::Test(
    const Principal& who, const v1::TestNotificationChannelRequest& request) {
  if (auto status = RequireWholeFleet(who, "notifications"); !status.ok()) return status;
  const auto found = store_.notifications().Get(request.channel());
  if (!found.ok()) return found.status();
  return notifier_.Test(*found, who.name);
}

absl::StatusOr<v1::ListNotificationDeliveriesResponse> Notifications::ListDeliveries(
    const Principal& who, const v1::ListNotificationDeliveriesRequest& request) {
  if (auto status = RequireWholeFleet(who, "notifications"); !status.ok()) return status;
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 2);
  if (!after.ok()) return after.status();
  store::DeliveryQuery query;
  if (!request.channel().empty()) {
    const auto found = store_.notifications().Get(request.channel());
    if (!found.ok()) return found.status();
    query.channel_id = found->channel.id();
  }
  // One more than asked tells whether there is a next page.
  query.limit = *size + 1;
  if (!(*after)[0].empty()) {
    int64_t micros = 0;
    if (!absl::SimpleAtoi((*after)[0], &micros)) {
      return BadPageToken();
    }
    query.before = absl::FromUnixMicros(micros);
    query.before_id = (*after)[1];
  }
  auto deliveries = store_.notifications().ListDeliveries(query);
  if (!deliveries.ok()) return deliveries.status();
  v1::ListNotificationDeliveriesResponse response;
  if (deliveries->size() > static_cast<size_t>(*size)) {
    deliveries->pop_back();
    const v1::NotificationDelivery& last = deliveries->back();
    const int64_t micros = absl::ToUnixMicros(support::FromTimestamp(last.create_time()));
    response.set_next_page_token(EncodePageToken({absl::StrCat(micros), last.id()}));
  }
  for (v1::NotificationDelivery& delivery : *deliveries) {
    *response.add_deliveries() = std::move(delivery);
  }
  return response;
}

absl::StatusOr<v1::NotificationDelivery> Notifications::Retry(
    const Principal& who, const v1::RetryNotificationDeliveryRequest& request) {
  if (auto status = RequireWholeFleet(who, "notifications"); !status.ok()) return status;
  return store_.notifications().Retry(request.delivery(), clock_.Now());
}

}  // namespace plimsoll::api
