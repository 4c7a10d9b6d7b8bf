// HTTP as the rest of the folder sees it, free of the library that reads and writes it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/rest/uri.h"

namespace plimsoll::rest {

// One request, read whole and within the server's limits. Everything in it is hostile.
struct HttpRequest {
  // "GET", in upper case.
  std::string method;
  Target target;
  // Names in lower case; of a header sent twice the values joined by ", ".
  std::map<std::string, std::string> headers;
  std::string body;
  // Address of the client, without port.
  std::string peer;
  // For answer and log: the client's own X-Request-Id where it is plain, else the server's.
  std::string id;

  // The header's value; empty when it was not sent. `name` in lower case.
  const std::string& Header(const std::string& name) const {
    static const std::string kNone;
    const auto it = headers.find(name);
    return it == headers.end() ? kNone : it->second;
  }
};

// One server-sent event. No member holds a line break.
struct ServerSentEvent {
  // Name of the event; empty: "message".
  std::string name;
  // What the client sends as Last-Event-ID when it connects again; empty: left out.
  std::string id;
  std::string data;
};

// Server-sent events of one response. Thread-safe.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // Calls `event` once, now or later, from any thread, with the next event, or with nothing when
  // the stream is over. Not called again before it has answered.
  virtual void Next(std::function<void(std::optional<ServerSentEvent>)> event) = 0;
  // The client is gone or the server stops: a Next under way answers with nothing soon.
  virtual void Close() = 0;
};

// One response.
struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  // Beside those that the server always sends.
  std::vector<std::pair<std::string, std::string>> headers;
  // Set: `body` is not used, and the connection ends with the stream.
  std::shared_ptr<EventSource> events;
};

// Answers a request by calling `respond` exactly once, now or later, from any thread. Called on the
// server's threads: must not block.
using HttpHandler =
    std::function<void(HttpRequest request, std::function<void(HttpResponse)> respond)>;

}  // namespace plimsoll::rest
