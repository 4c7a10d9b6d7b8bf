#include "controller/rest/route.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "proto/support/field_errors.h"

namespace plimsoll::rest {
namespace {

bool IsVariable(absl::string_view part) {
  return absl::StartsWith(part, "{") && absl::EndsWith(part, "}");
}

std::vector<std::string> PartsOf(const std::string& path) {
  return absl::StrSplit(absl::string_view(path).substr(1), '/', absl::SkipEmpty());
}

absl::Status Nothing() {
  return support::WithReason(
      absl::NotFoundError("there is nothing at this path; /docs lists what there is"), "NO_ROUTE");
}

}  // namespace

Router::Router(const api::MethodTable& table, std::vector<PlainRoute> plain)
    : plain_(std::move(plain)) {
  for (const auto& [name, method] : table.all()) {
    Add(method.verb, {.method = &method, .path = method.path});
  }
  for (const PlainRoute& route : plain_) Add(route.verb, {.plain = &route, .path = route.path});
}

void Router::Add(const std::string& verb, Target target) {
  Node* node = &root_;
  for (const std::string& part : PartsOf(target.path)) {
    auto& next = IsVariable(part) ? node->variable : node->fixed[part];
    if (next == nullptr) next = std::make_unique<Node>();
    node = next.get();
  }
  const std::string path = target.path;
  if (!node->targets.emplace(verb, std::move(target)).second) {
    spdlog::critical("two routes are {} {}", verb, path);
    std::abort();
  }
}

absl::StatusOr<RouteMatch> Router::Find(const std::string& verb,
                                        const std::vector<std::string>& segments,
                                        std::string& allowed) const {
  const Node* node = &root_;
  std::vector<std::string> values;
  for (const std::string& segment : segments) {
    const auto fixed = node->fixed.find(segment);
    if (fixed != node->fixed.end()) {
      node = fixed->second.get();
    } else if (node->variable != nullptr) {
      node = node->variable.get();
      values.push_back(segment);
    } else {
      return Nothing();
    }
  }
  if (node->targets.empty()) return Nothing();
  // HEAD is GET without a body.
  const auto found = node->targets.find(verb == "HEAD" ? "GET" : verb);
  if (found == node->targets.end()) {
    allowed = absl::StrJoin(node->targets, ", ",
                            [](std::string* out, const auto& entry) { out->append(entry.first); });
    return support::WithReason(
        absl::UnimplementedError(absl::StrCat(verb, " is not served here; use ", allowed)),
        "WRONG_VERB");
  }
  RouteMatch match;
  match.method = found->second.method;
  match.plain = found->second.plain;
  size_t next = 0;
  for (const std::string& part : PartsOf(found->second.path)) {
    if (IsVariable(part)) match.variables[part.substr(1, part.size() - 2)] = values[next++];
  }
  return match;
}

}  // namespace plimsoll::rest
