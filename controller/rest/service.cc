#include "controller/rest/service.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/access/tokens.h"
#include "controller/api/follow.h"
#include "controller/rest/docs_page.h"
#include "controller/rest/errors.h"
#include "controller/rest/etag.h"
#include "controller/rest/gzip.h"
#include "controller/rest/method_events.h"
#include "controller/rest/session_cookie.h"
#include "controller/rest/transcode.h"
#include "proto/support/logging.h"

namespace plimsoll::rest {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kLongestKey = 128;

HttpResponse Text(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

// Equal messages have equal bytes: maps, too, have one order.
std::string Bytes(const Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// The Idempotency-Key header is the field of that name.
absl::Status SetIdempotencyKey(const std::string& key, Message& message) {
  if (key.empty()) return absl::OkStatus();
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName("idempotency_key");
  if (field == nullptr) {
    return absl::InvalidArgumentError(
        "Idempotency-Key: this method takes none; it may not be repeated blindly");
  }
  if (key.size() > kLongestKey) {
    return absl::InvalidArgumentError("Idempotency-Key: longer than 128 bytes");
  }
  const auto& reflection = *message.GetReflection();
  const std::string in_body = reflection.GetString(message, field);
  if (!in_body.empty() && in_body != key) {
    return absl::InvalidArgumentError("Idempotency-Key: the body has another key");
  }
  reflection.SetString(&message, field, key);
  return absl::OkStatus();
}

}  // namespace

RestService::RestService(ServiceParts parts, std::vector<PlainRoute> plain)
    : parts_(std::move(parts)), router_(parts_.methods, WithOwn(std::move(plain))) {
  openapi_ = OpenApiDocument(parts_.methods, router_.plain());
  docs_ = DocsPage(openapi_);
}

std::vector<PlainRoute> RestService::WithOwn(std::vector<PlainRoute> plain) {
  using Request = HttpRequest;
  using Who = store::Principal;
  plain.push_back({"GET", "/healthz", "Whether the program runs: \"ok\".", "text/plain",
                   [](const Request&, const Who*) { return Text(200, "ok\n"); }, std::nullopt,
                   true});
  plain.push_back({"GET", "/readyz", "Whether the database answers: \"ok\", or 503 and why not.",
                   "text/plain", [this](const Request& request, const Who*) {
                     const absl::Status status = parts_.ready();
                     if (status.ok()) return Text(200, "ok\n");
                     spdlog::warn("not ready id={} reason=\"{}\"", request.id,
                                  support::LogSafe(status.ToString()));
                     return Text(503, "the controller is not ready; its log says why\n");
                   }});
  plain.push_back({"GET", "/openapi.json", "This document.", "application/json",
                   [this](const Request& request, const Who*) {
                     HttpResponse response;
                     response.body = openapi_;
                     Tag(request, EtagOf(openapi_), response);
                     return response;
                   }});
  plain.push_back({"GET", "/docs", "This document as a page for people.", "text/html",
                   [this](const Request& request, const Who*) {
                     HttpResponse response = docs_;
                     Tag(request, EtagOf(docs_.body), response);
                     return response;
                   }});
  return plain;
}

void RestService::Handle(HttpRequest request, Respond respond) {
  const auto finish = [this, accepts = request.Header("accept-encoding"),
                       respond = std::move(respond)](HttpResponse response) {
    Count(response.status);
    if (response.body.size() >= parts_.gzip_from_bytes && TakesGzip(accepts)) {
      if (auto packed = Gzip(response.body); packed.ok()) {
        response.body = *std::move(packed);
        response.headers.emplace_back("Content-Encoding", "gzip");
      }
    }
    respond(std::move(response));
  };
  std::string allowed;
  auto match = router_.Find(request.method, request.target.segments, allowed);
  if (!match.ok()) {
    HttpResponse response = ErrorResponse(match.status(), request.id, allowed.empty() ? 0 : 405);
    if (!allowed.empty()) response.headers.emplace_back("Allow", allowed);
    return finish(std::move(response));
  }
  if (match->plain != nullptr && match->plain->immediate) {
    return finish(match->plain->answer(request, nullptr));
  }
  if (pending_.fetch_add(1) >= parts_.max_pending) {
    --pending_;
    return finish(ErrorResponse(
        absl::ResourceExhaustedError("the controller is busy; try again in a second"), request.id));
  }
  parts_.workers.Add([this, match = *std::move(match), request = std::move(request), finish] {
    if (match.plain != nullptr) {
      finish(AnswerPlain(request, *match.plain));
    } else if (match.method->open != nullptr) {
      Stream(request, match, finish);
    } else {
      finish(Answer(request, match));
    }
    --pending_;
  });
}

absl::StatusOr<store::Principal> RestService::Authenticate(const HttpRequest& request) const {
  const std::string& header = request.Header("authorization");
  const std::string secret = header.empty() ? CookieOf(request, kSessionCookie) : "";
  if (!secret.empty() && !absl::StartsWith(secret, access::kSessionPrefix)) {
    return absl::UnauthenticatedError("the cookie is not that of a session; sign in again");
  }
  auto who =
      parts_.authenticate(secret.empty() ? header : absl::StrCat("Bearer ", secret), request.peer);
  if (!who.ok()) return who;
  who->peer = request.peer;
  if (secret.empty()) return who;
  if (auto status = RequireMeant(request, secret); !status.ok()) return status;
  who->csrf_token = CsrfTokenOf(secret);
  return who;
}

HttpResponse RestService::Fail(const HttpRequest& request, absl::string_view what,
                               const absl::Status& status) {
  if (absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status)) {
    spdlog::warn("refused method={} peer={} id={} reason=\"{}\"", std::string(what), request.peer,
                 request.id, support::LogSafe(status.message()));
  }
  return ErrorResponse(status, request.id);
}

HttpResponse RestService::AnswerPlain(const HttpRequest& request, const PlainRoute& route) {
  if (!route.permission.has_value()) return route.answer(request, nullptr);
  const auto who = Authenticate(request);
  absl::Status status = who.status();
  if (status.ok()) status = access::RequirePermission(*who, *route.permission);
  if (!status.ok()) return Fail(request, route.path, status);
  return route.answer(request, &*who);
}

absl::Status RestService::Decode(const HttpRequest& request, const RouteMatch& match,
                                 Message& message) const {
  const api::MethodSpec& spec = match.method->spec;
  if (auto status = DecodeRequest(request, match.variables, spec.body, message); !status.ok()) {
    return status;
  }
  if (!spec.resume.empty() && !request.Header("last-event-id").empty()) {
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(spec.resume);
    message.GetReflection()->SetString(&message, field, request.Header("last-event-id"));
  }
  return SetIdempotencyKey(request.Header("idempotency-key"), message);
}

HttpResponse RestService::Answer(const HttpRequest& request, const RouteMatch& match) {
  const api::Method& method = *match.method;
  const auto refuse = [&](const store::Principal* who, const absl::Status& status) {
    parts_.methods.Refuse(method, who, request.peer, status);
    return Fail(request, method.spec.rpc, status);
  };
  const auto who = method.spec.open ? absl::StatusOr<store::Principal>(
                                          api::Nobody(request.peer, request.Header("user-agent")))
                                    : Authenticate(request);
  if (!who.ok()) return refuse(nullptr, who.status());
  api::AnyMessage message = method.make_request();
  if (auto status = Decode(request, match, *message); !status.ok()) return refuse(&*who, status);
  if (auto status = CheckSignIn(request, method.spec, *message); !status.ok())
    return refuse(&*who, status);
  std::string etag;
  if (method.spec.aggregate) {
    // Before the answer is made: what changes meanwhile makes the tag old, not the answer.
    etag = WeakEtagOf({method.full_name, parts_.fleet_version(), Bytes(*message), who->scope});
    if (Matches(request.Header("if-none-match"), etag) &&
        access::RequirePermission(*who, method.spec.permission).ok()) {
      HttpResponse unchanged;
      Tag(request, etag, unchanged);
      return unchanged;
    }
  }
  auto answer = parts_.methods.Call(*who, method, *message);
  if (!answer.ok()) return Fail(request, method.spec.rpc, answer.status());
  HttpResponse response;
  FollowSession(method.spec, *message, *who, **answer, response);
  auto body = EncodeJson(**answer);
  if (!body.ok()) return Fail(request, method.spec.rpc, body.status());
  response.body = *std::move(body);
  if (!etag.empty()) Tag(request, etag, response);
  return response;
}

void RestService::Stream(const HttpRequest& request, const RouteMatch& match,
                         const Respond& respond) {
  const api::Method& method = *match.method;
  api::AnyMessage message = method.make_request();
  if (auto status = Decode(request, match, *message); !status.ok()) {
    parts_.methods.Refuse(method, nullptr, request.peer, status);
    return respond(Fail(request, method.spec.rpc, status));
  }
  auto follower = api::Follower::Start(
      parts_.methods, parts_.workers, method, std::move(message),
      [this, request] { return Authenticate(request); }, request.peer);
  follower->Next(
      [this, request, &method, follower, respond](absl::StatusOr<api::AnyMessage> first) {
        if (!first.ok()) return respond(Fail(request, method.spec.rpc, first.status()));
        HttpResponse response;
        response.events =
            std::make_shared<MethodEvents>(follower, method, *std::move(first), request.id);
        respond(std::move(response));
      });
}

std::map<int, int64_t> RestService::answers() const {
  absl::MutexLock lock(&mutex_);
  return answers_;
}

void RestService::Count(int status) {
  absl::MutexLock lock(&mutex_);
  ++answers_[status];
}

}  // namespace plimsoll::rest
