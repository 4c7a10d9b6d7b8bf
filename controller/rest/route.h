// How a request finds what answers it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/access/permissions.h"
#include "controller/api/methods.h"
#include "controller/rest/http_message.h"

namespace plimsoll::rest {

// A route beside the table of methods: a page, a document, a probe.
struct PlainRoute {
  // "GET"; HEAD comes with it. Or another verb.
  std::string verb;
  // Without variables: "/healthz".
  std::string path;
  // One sentence, for the API's description.
  std::string summary;
  std::string content_type;
  // Answers. `who` is null when no permission is asked for.
  std::function<HttpResponse(const HttpRequest& request, const store::Principal* who)> answer;
  // What a caller must be allowed; absent: anybody may call, unknown ones too.
  std::optional<access::Permission> permission = std::nullopt;
  // `answer` never waits for anything: it runs at once, whatever else is busy.
  bool immediate = false;
  // Of an answer when all is well, for the description.
  int status = 200;
  // Names and descriptions of what the query may hold, for the description.
  std::vector<std::pair<std::string, std::string>> parameters = {};
};

// What answers a request, one of the two, and the values of the path's variables.
struct RouteMatch {
  const api::Method* method = nullptr;
  const PlainRoute* plain = nullptr;
  std::map<std::string, std::string> variables;
};

// Finds routes. Immutable; thread-safe.
class Router {
 public:
  // Borrows `table`. Two routes with the same verb and shape: a bug, and fatal.
  Router(const api::MethodTable& table, std::vector<PlainRoute> plain);

  // NOT_FOUND: nothing has this path; UNIMPLEMENTED: something has, with other verbs, which
  // `allowed` then names ("GET, POST"). A fixed part is preferred to a variable.
  absl::StatusOr<RouteMatch> Find(const std::string& verb, const std::vector<std::string>& segments,
                                  std::string& allowed) const;
  const std::vector<PlainRoute>& plain() const { return plain_; }

 private:
  struct Target {
    const api::Method* method = nullptr;
    const PlainRoute* plain = nullptr;
    std::string path;
  };
  struct Node {
    std::map<std::string, std::unique_ptr<Node>> fixed;
    std::unique_ptr<Node> variable;
    // By verb.
    std::map<std::string, Target> targets;
  };
  void Add(const std::string& verb, Target target);

  const std::vector<PlainRoute> plain_;
  Node root_;
};

}  // namespace plimsoll::rest
