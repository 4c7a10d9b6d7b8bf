// The smaller ports of a host, with answers that a test sets.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "collector/host/audit_netlink.h"
#include "collector/host/name_service.h"
#include "collector/host/systemd_bus.h"

namespace plimsoll::test {

// Answers are public; what is not set is an audit system that is on and has no rules.
class FakeAuditNetlink : public host::AuditNetlink {
 public:
  absl::StatusOr<host::AuditStatus> status = host::AuditStatus{1, 1, 700, 8192};
  // Raw `struct audit_rule_data`, one string a rule.
  absl::StatusOr<std::vector<std::string>> rules = std::vector<std::string>();

  absl::StatusOr<host::AuditStatus> Status() override { return status; }
  absl::StatusOr<std::vector<std::string>> ListRules() override { return rules; }
};

// Users and groups that a test adds; NOT_FOUND for all others. `error`, when set, is the answer to
// everything; `users_error` to enumerating users alone.
class FakeNameService : public host::NameService {
 public:
  std::vector<host::GroupEntry> groups;
  std::vector<host::UserEntry> users;
  std::optional<absl::Status> error;
  std::optional<absl::Status> users_error;

  absl::StatusOr<host::GroupEntry> GroupByName(absl::string_view name) override {
    if (error.has_value()) return *error;
    for (const host::GroupEntry& group : groups) {
      if (group.name == name) return group;
    }
    return absl::NotFoundError(absl::StrCat("no group ", name));
  }
  absl::StatusOr<host::GroupEntry> GroupById(uint32_t gid) override {
    if (error.has_value()) return *error;
    for (const host::GroupEntry& group : groups) {
      if (group.gid == gid) return group;
    }
    return absl::NotFoundError(absl::StrCat("no group ", gid));
  }
  absl::StatusOr<host::UserEntry> UserById(uint32_t uid) override {
    if (error.has_value()) return *error;
    for (const host::UserEntry& user : users) {
      if (user.uid == uid) return user;
    }
    return absl::NotFoundError(absl::StrCat("no user ", uid));
  }
  absl::StatusOr<std::vector<host::UserEntry>> UsersWithPrimaryGroup(uint32_t gid) override {
    if (error.has_value()) return *error;
    if (users_error.has_value()) return *users_error;
    std::vector<host::UserEntry> found;
    for (const host::UserEntry& user : users) {
      if (user.gid == gid) found.push_back(user);
    }
    return found;
  }
};

// Units that a test adds. A unit that is not there is "not-found", as systemd says it. Until a test
// clears `error`, there is no systemd.
class FakeSystemdBus : public host::SystemdBus {
 public:
  std::optional<absl::Status> error = absl::UnimplementedError("systemd is not PID 1 here");
  std::map<std::string, host::UnitProperties> units;
  // Errors for single units.
  std::map<std::string, absl::Status> unit_errors;

  absl::StatusOr<host::UnitProperties> Unit(absl::string_view name) override {
    if (error.has_value()) return *error;
    const std::string key(name);
    if (auto it = unit_errors.find(key); it != unit_errors.end()) return it->second;
    if (auto it = units.find(key); it != units.end()) return it->second;
    host::UnitProperties absent;
    absent.load_state = "not-found";
    return absent;
  }
};

}  // namespace plimsoll::test
