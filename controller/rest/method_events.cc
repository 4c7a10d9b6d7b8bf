#include "controller/rest/method_events.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "controller/rest/errors.h"
#include "controller/rest/transcode.h"

namespace plimsoll::rest {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

MethodEvents::MethodEvents(std::shared_ptr<api::Follower> follower, const api::Method& method,
                           api::AnyMessage first, std::string request_id)
    : follower_(std::move(follower)),
      method_(method),
      request_id_(std::move(request_id)),
      first_(std::move(first)) {}

absl::StatusOr<ServerSentEvent> MethodEvents::EventOf(const Message& message) const {
  ServerSentEvent event;
  event.name = absl::AsciiStrToLower(message.GetDescriptor()->name());
  const FieldDescriptor* resync = message.GetDescriptor()->FindFieldByName("resync");
  if (resync != nullptr && message.GetReflection()->GetBool(message, resync)) event.name = "resync";
  const FieldDescriptor* id = message.GetDescriptor()->FindFieldByName("id");
  if (!method_.spec.resume.empty() && id != nullptr) {
    event.id = message.GetReflection()->GetString(message, id);
  }
  const auto json = EncodeJson(message);
  if (!json.ok()) return json.status();
  // JSON has no bare line breaks; a text that breaks the stream would break the client.
  event.data = absl::StrReplaceAll(*json, {{"\n", ""}, {"\r", ""}});
  return event;
}

ServerSentEvent MethodEvents::EndOf(const absl::Status& status) const {
  return {.name = "end",
          .id = "",
          .data = status.ok() ? "{}" : ErrorResponse(status, request_id_).body};
}

ServerSentEvent MethodEvents::End(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    over_ = true;
  }
  return EndOf(status);
}

ServerSentEvent MethodEvents::EventOrEnd(const Message& message) {
  auto event = EventOf(message);
  return event.ok() ? *std::move(event) : End(event.status());
}

void MethodEvents::Next(std::function<void(std::optional<ServerSentEvent>)> event) {
  api::AnyMessage first;
  bool over = false;
  {
    absl::MutexLock lock(&mutex_);
    first = std::move(first_);
    over = over_;
  }
  if (over) return event(std::nullopt);
  if (first != nullptr) return event(EventOrEnd(*first));
  // The connection may be gone before the answer comes.
  follower_->Next([self = shared_from_this(), this,
                   event = std::move(event)](absl::StatusOr<api::AnyMessage> next) {
    if (next.ok() && *next != nullptr) return event(EventOrEnd(**next));
    // Nobody is there to read why a client that left was left.
    if (absl::IsCancelled(next.status())) return event(std::nullopt);
    event(End(next.status()));
  });
}

void MethodEvents::Close() { follower_->Close(absl::CancelledError("the stream is closed")); }

}  // namespace plimsoll::rest
