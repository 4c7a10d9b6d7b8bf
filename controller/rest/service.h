// The API over HTTPS: from a request to a handler and back.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "controller/api/methods.h"
#include "controller/rest/http_message.h"
#include "controller/rest/openapi.h"
#include "controller/rest/route.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::rest {

// What the service needs. Borrows; outlives it.
struct ServiceParts {
  const api::MethodTable& methods;
  support::WorkerPool& workers;
  // Who calls, by an Authorization header ("Bearer ...") and the address it came from.
  // UNAUTHENTICATED and the database's errors. May block; any thread.
  std::function<absl::StatusOr<store::Principal>(const std::string& authorization,
                                                 const std::string& peer)>
      authenticate;
  // OK: ready to serve (GET /readyz). May block; any thread.
  std::function<absl::Status()> ready;
  // A text that differs whenever an aggregate of the fleet may differ. Any thread.
  std::function<std::string()> fleet_version;
  // Requests that wait for or occupy a worker; more are answered 429.
  int max_pending = 512;
  // Answers longer than this are compressed for clients that take gzip.
  size_t gzip_from_bytes = 1024;
};

// Thread-safe. Beside methods and plain routes it serves GET /healthz and /readyz ("ok" or why not,
// to anybody), /openapi.json and /docs.
class RestService {
 public:
  RestService(ServiceParts parts, std::vector<PlainRoute> plain);

  // An HttpHandler: see http_message.h.
  void Handle(HttpRequest request, std::function<void(HttpResponse)> respond);

  const std::string& openapi() const { return openapi_; }
  // Answers so far by HTTP status.
  std::map<int, int64_t> answers() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Respond = std::function<void(HttpResponse)>;
  std::vector<PlainRoute> WithOwn(std::vector<PlainRoute> plain);
  HttpResponse Answer(const HttpRequest& request, const RouteMatch& match);
  HttpResponse AnswerPlain(const HttpRequest& request, const PlainRoute& route);
  // Opens a stream of events; answers when its first message, or why there is none, is known.
  void Stream(const HttpRequest& request, const RouteMatch& match, const Respond& respond);
  // The request's message, with what headers say.
  absl::Status Decode(const HttpRequest& request, const RouteMatch& match,
                      google::protobuf::Message& message) const;
  // By the Authorization header; without one, by the cookie of a session, with the proof that the
  // request is meant. PERMISSION_DENIED: without that proof.
  absl::StatusOr<store::Principal> Authenticate(const HttpRequest& request) const;
  HttpResponse Fail(const HttpRequest& request, absl::string_view what, const absl::Status& status);
  void Count(int status) ABSL_LOCKS_EXCLUDED(mutex_);

  const ServiceParts parts_;
  std::string openapi_;
  HttpResponse docs_;
  const Router router_;
  std::atomic<int> pending_{0};
  mutable absl::Mutex mutex_;
  std::map<int, int64_t> answers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::rest
