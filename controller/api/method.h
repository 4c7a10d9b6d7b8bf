// One method of the API: its name, who may call it, where HTTP has it, and what answers.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/access/permissions.h"
#include "controller/store/token_store.h"

namespace plimsoll::api {

// A message of a type known elsewhere. Null only where it is said.
using AnyMessage = std::unique_ptr<google::protobuf::Message>;

// One open stream of a method that streams. One call of Next at a time, from any thread; its
// destruction ends whatever it watches.
class Stream {
 public:
  struct Step {
    // Null: nothing is new. `changed` is called when that may be otherwise.
    AnyMessage message;
    // No message follows this one.
    bool last = false;
  };
  virtual ~Stream() = default;
  // What is new for `who` since the last call; the first call has something. May block. An error
  // ends the stream.
  virtual absl::StatusOr<Step> Next(const store::Principal& who) = 0;
};

// What a call that went well does to the session that a browser keeps in a cookie.
enum class SessionEffect {
  kNone,
  // Begins one, where it is asked for: from a SignInRequest to a SignInResponse.
  kBegins,
  // Ends the caller's.
  kEnds,
};

// What a table of methods says of a method.
struct MethodSpec {
  // Service and method: "HostService.GetHostReport" of package plimsoll.v1.
  std::string rpc;
  // What the caller must be allowed.
  access::Permission permission;
  // Verb and path: "GET /v1/hosts/{host}/report". A part in braces names a field of the request;
  // "{schedule.id}" one of a message inside it.
  std::string http;
  // The request field that the HTTP body is; empty: the request itself.
  std::string body = "";
  // An aggregate of the fleet: the same as long as nothing in the fleet changed, and then not worth
  // sending again (ETag and If-None-Match).
  bool aggregate = false;
  // Of a stream that can be gone on with: the request field that takes the `id` of the last message
  // that was seen. Empty: it begins anew.
  std::string resume = "";
  // Anybody may call it, known or not: `permission` is not asked for.
  bool open = false;
  SessionEffect session = SessionEffect::kNone;
};

// A method that is in the table. Immutable.
struct Method {
  MethodSpec spec;
  // "plimsoll.v1.HostService.GetHostReport".
  std::string full_name;
  // "GET", "POST", "PUT", "PATCH" or "DELETE", and the path with its variables in braces.
  std::string verb;
  std::string path;
  // An empty request.
  std::function<AnyMessage()> make_request;
  // Answers; blocks; any thread. `request` is of make_request's type. Does not check who calls:
  // MethodTable::Call does. Null: a method that streams.
  std::function<absl::StatusOr<AnyMessage>(const store::Principal& who,
                                           const google::protobuf::Message& request)>
      call;
  // Opens a stream. `changed` is called, from any thread, whenever there may be something new, also
  // shortly after the stream is gone; must not block. Null: a method that answers once.
  std::function<absl::StatusOr<std::unique_ptr<Stream>>(const google::protobuf::Message& request,
                                                        std::function<void()> changed)>
      open;
};

// One call that is over, as observers see it. All pointers are for the time of the call only.
struct CallRecord {
  const Method& method;
  // Null: it is not known who calls (no token, or none that is valid).
  const store::Principal* who = nullptr;
  // Null: it could not be read.
  const google::protobuf::Message* request = nullptr;
  // Null: there was none, or the method streams.
  const google::protobuf::Message* response = nullptr;
  // Of a stream: how its first message came about.
  absl::Status outcome = absl::OkStatus();
  // Address of the caller, without port; empty: not known.
  std::string peer = "";
  // When it began, on the controller's clock, and how long it took.
  absl::Time begin = absl::InfinitePast();
  absl::Duration duration = absl::ZeroDuration();
};

// Told of every call after it, refused ones included, on the thread that made it. Must be
// thread-safe and must not call the API.
using Observer = std::function<void(const CallRecord&)>;

}  // namespace plimsoll::api
