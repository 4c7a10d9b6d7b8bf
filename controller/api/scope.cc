#include "controller/api/scope.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::api {
namespace {

bool Same(const fleet::Requirement& a, const fleet::Requirement& b) {
  return a.key == b.key && a.kind == b.kind && a.values == b.values;
}

absl::Status NoSuchHost(const std::string& host) {
  return absl::NotFoundError(absl::StrCat("no host \"", host.substr(0, 256), "\""));
}

}  // namespace

absl::StatusOr<fleet::Selector> ScopeOf(const Principal& who) {
  auto scope = fleet::ParseSelector(who.scope);
  if (scope.ok()) return scope;
  // Fails closed: what cannot be read shows nothing.
  return absl::InternalError(
      absl::StrCat("the scope of \"", who.name, "\" cannot be read: ", scope.status().message()));
}

std::string JoinScopes(absl::string_view a, absl::string_view b) {
  a = absl::StripAsciiWhitespace(a);
  b = absl::StripAsciiWhitespace(b);
  if (a.empty() || a == b) return std::string(b);
  if (b.empty()) return std::string(a);
  return absl::StrCat(a, ",", b);
}

absl::Status CheckScope(absl::string_view field, absl::string_view scope) {
  const auto parsed = fleet::ParseSelector(scope);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", parsed.status().message()));
  }
  for (const fleet::Requirement& requirement : *parsed) {
    if (requirement.kind != fleet::Requirement::Kind::kSaved) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": a scope names no saved selector; write out what @", requirement.key,
                     " requires"));
  }
  return absl::OkStatus();
}

absl::Status Narrow(const Principal& who, fleet::Selector& selector) {
  if (!Limited(who)) return absl::OkStatus();
  auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  selector.insert(selector.end(), scope->begin(), scope->end());
  return absl::OkStatus();
}

absl::Status Narrow(const Principal& who, const scans::HostResolver& resolve,
                    v1::HostSelector& selector) {
  if (!Limited(who)) return absl::OkStatus();
  for (const std::string& host : selector.hosts()) {
    v1::HostSelector one;
    one.add_hosts(host);
    one.set_expression(who.scope);
    const auto ids = resolve(one);
    if (absl::IsUnavailable(ids.status()) || absl::IsInternal(ids.status())) return ids.status();
    if (!ids.ok() || ids->empty()) return NoSuchHost(host);
  }
  // A comma that hides in the request's expression cannot widen it: all requirements must hold.
  if (const auto parsed = fleet::ParseSelector(selector.expression()); !parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("selector: ", parsed.status().message()));
  }
  selector.set_all(false);
  selector.set_expression(JoinScopes(who.scope, selector.expression()));
  return absl::OkStatus();
}

absl::StatusOr<v1::Host> FindHost(store::Store& store, const Principal& who,
                                  const std::string& host) {
  auto found = store.hosts().Get(host);
  if (!Limited(who)) return found;
  if (absl::IsFailedPrecondition(found.status())) return NoSuchHost(host);
  if (!found.ok()) return found;
  const auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  if (!fleet::Matches(*scope, {found->labels().begin(), found->labels().end()})) {
    return NoSuchHost(host);
  }
  return found;
}

bool Within(const Principal& who, const v1::HostSelector& selector) {
  if (!Limited(who)) return true;
  const auto scope = ScopeOf(who);
  const auto meant = fleet::SelectorOf({selector.labels().begin(), selector.labels().end()},
                                       selector.expression());
  if (!scope.ok() || !meant.ok()) return false;
  return std::all_of(scope->begin(), scope->end(), [&meant](const fleet::Requirement& wanted) {
    return std::any_of(meant->begin(), meant->end(),
                       [&wanted](const fleet::Requirement& given) { return Same(wanted, given); });
  });
}

absl::StatusOr<std::vector<std::string>> VisibleHosts(const Principal& who,
                                                      const scans::HostResolver& resolve) {
  v1::HostSelector selector;
  selector.set_expression(who.scope);
  return resolve(selector);
}

absl::Status RequireWholeFleet(const Principal& who, absl::string_view what) {
  if (!Limited(who)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("\"", who.name, "\" sees hosts with ", who.scope,
                                                  " only; ", what, " concerns the whole fleet"));
}

}  // namespace plimsoll::api
