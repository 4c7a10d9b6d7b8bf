// A stream of the API as server-sent events.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "controller/api/follow.h"
#include "controller/rest/http_message.h"

namespace plimsoll::rest {

// Every message is an event, named like its type in lower case ("scan"), or "resync" when its field
// of that name is set; `data` is its JSON, `id` its field `id` where the method can be resumed. The
// last event is "end": its data is {} when the stream is over as it should, or the error in the
// API's form. A client that is told "end" with {} need not connect again.
class MethodEvents : public EventSource, public std::enable_shared_from_this<MethodEvents> {
 public:
  // `first` was taken from `follower` already. Borrows `method`.
  MethodEvents(std::shared_ptr<api::Follower> follower, const api::Method& method,
               api::AnyMessage first, std::string request_id);
  void Next(std::function<void(std::optional<ServerSentEvent>)> event) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The event of `message`; the last one, where it cannot be written.
  ServerSentEvent EventOrEnd(const google::protobuf::Message& message) ABSL_LOCKS_EXCLUDED(mutex_);
  ServerSentEvent End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // INTERNAL: it cannot be written as JSON.
  absl::StatusOr<ServerSentEvent> EventOf(const google::protobuf::Message& message) const;
  ServerSentEvent EndOf(const absl::Status& status) const;

  const std::shared_ptr<api::Follower> follower_;
  const api::Method& method_;
  const std::string request_id_;
  absl::Mutex mutex_;
  api::AnyMessage first_ ABSL_GUARDED_BY(mutex_);
  // "end" was sent, or nobody listens any more.
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace plimsoll::rest
