#include "collector/host/libaudit_netlink.h"

#include <libaudit.h>
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

constexpr size_t kMaxRules = 65536;

using SteadyTime = std::chrono::steady_clock::time_point;

absl::Status FromErrno(int error, absl::string_view call) {
  const std::string what = absl::StrCat("audit: ", call, ": ", strerror(error));
  switch (error) {
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrCat(what, " (needs CAP_AUDIT_CONTROL in the initial user and PID namespaces)"));
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
      return absl::UnimplementedError(absl::StrCat(what, " (a kernel without audit)"));
    default:
      return absl::UnavailableError(what);
  }
}

// A netlink socket, closed at the end.
class Socket {
 public:
  Socket() : fd_(audit_open()), error_(errno) {}
  ~Socket() {
    if (fd_ >= 0) audit_close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }
  int error() const { return error_; }

 private:
  const int fd_;
  const int error_;
};

// The next message of the kernel. An acknowledgement without error is passed over.
absl::Status Receive(int fd, SteadyTime deadline, audit_reply* reply) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return absl::DeadlineExceededError("audit: the kernel did not answer");
    pollfd ready = {fd, POLLIN, 0};
    const int polled = poll(&ready, 1, static_cast<int>(left.count()));
    if (polled == 0 || (polled < 0 && errno == EINTR)) continue;
    if (polled < 0) return FromErrno(errno, "poll");
    const int got = audit_get_reply(fd, reply, GET_REPLY_NONBLOCKING, 0);
    if (got == -EAGAIN || got == -EINTR) continue;
    if (got <= 0) return FromErrno(got == 0 ? EPIPE : -got, "receive");
    if (reply->type != NLMSG_ERROR) return absl::OkStatus();
    if (reply->error->error != 0) return FromErrno(-reply->error->error, "request");
  }
}

absl::StatusOr<std::string> RawRule(const audit_reply& reply) {
  const size_t size = static_cast<size_t>(NLMSG_PAYLOAD(reply.nlh, 0));
  const audit_rule_data* rule = reply.ruledata;
  if (size < sizeof(audit_rule_data) || size - sizeof(audit_rule_data) < rule->buflen) {
    return absl::DataLossError("audit: a rule that is shorter than it says");
  }
  return std::string(reinterpret_cast<const char*>(rule), sizeof(audit_rule_data) + rule->buflen);
}

}  // namespace

LibauditNetlink::LibauditNetlink(absl::Duration timeout) : timeout_(timeout) {
  set_aumessage_mode(MSG_QUIET, DBG_NO);
}

absl::StatusOr<AuditStatus> LibauditNetlink::Status() {
  const SteadyTime deadline =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout_);
  const Socket socket;
  if (socket.fd() < 0) return FromErrno(socket.error(), "socket");
  if (const int sent = audit_request_status(socket.fd()); sent < 0) {
    return FromErrno(-sent, "AUDIT_GET");
  }
  const auto reply = std::make_unique<audit_reply>();
  while (true) {
    absl::Status received = Receive(socket.fd(), deadline, reply.get());
    if (!received.ok()) return received;
    if (reply->type != AUDIT_GET) continue;
    // Old kernels know fewer fields at the end.
    if (NLMSG_PAYLOAD(reply->nlh, 0) < offsetof(audit_status, rate_limit)) {
      return absl::DataLossError("audit: a status that is too short");
    }
    AuditStatus status;
    status.enabled = reply->status->enabled;
    status.failure = reply->status->failure;
    status.pid = reply->status->pid;
    if (NLMSG_PAYLOAD(reply->nlh, 0) >= offsetof(audit_status, lost)) {
      status.backlog_limit = reply->status->backlog_limit;
    }
    return status;
  }
}

absl::StatusOr<std::vector<std::string>> LibauditNetlink::ListRules() {
  const SteadyTime deadline =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout_);
  const Socket socket;
  if (socket.fd() < 0) return FromErrno(socket.error(), "socket");
  if (const int sent = audit_request_rules_list_data(socket.fd()); sent < 0) {
    return FromErrno(-sent, "AUDIT_LIST_RULES");
  }
  const auto reply = std::make_unique<audit_reply>();
  std::vector<std::string> rules;
  while (true) {
    absl::Status received = Receive(socket.fd(), deadline, reply.get());
    if (!received.ok()) return received;
    if (reply->type == NLMSG_DONE) return rules;
    if (reply->type != AUDIT_LIST_RULES) continue;
    absl::StatusOr<std::string> rule = RawRule(*reply);
    if (!rule.ok()) return rule.status();
    if (rules.size() == kMaxRules) {
      return absl::ResourceExhaustedError(absl::StrCat("audit: more than ", kMaxRules, " rules"));
    }
    rules.push_back(*std::move(rule));
  }
}

}  // namespace plimsoll::host
