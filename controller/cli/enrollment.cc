#include <memory>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "plimsoll/v1/enrollment_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

using Stub = v1::EnrollmentService::Stub;

struct EnrollmentOptions {
  bool all = false;
  std::string id;
  std::map<std::string, std::string> labels;
};

const char* StateName(v1::Enrollment::State state) {
  switch (state) {
    case v1::Enrollment::PENDING:
      return "waits";
    case v1::Enrollment::APPROVED:
      return "approved";
    case v1::Enrollment::REJECTED:
      return "rejected";
    default:
      return "unknown";
  }
}

absl::Status List(Client& client, const EnrollmentOptions& options, Session& session) {
  v1::ListEnrollmentsRequest request;
  if (!options.all) request.set_state(v1::Enrollment::PENDING);
  auto answer = client.Call(&Stub::ListEnrollments,
                            v1::EnrollmentService::NewStub(client.channel()), request);
  if (!answer.ok()) return answer.status();
  if (session.json()) {
    session.PrintJson(*answer);
    return absl::OkStatus();
  }
  if (answer->enrollments().empty()) {
    *session.out << "No host waits for approval.\n";
    return absl::OkStatus();
  }
  Table table({"ID", "STATE", "HOST NAME", "FROM", "SINCE", "EXPIRES", "FOR", "LABELS", "KEY"});
  for (const v1::Enrollment& each : answer->enrollments()) {
    table.Row({Printable(each.id(), 64), StateName(each.state()), Printable(each.hostname(), 64),
               Printable(each.peer(), 64), FormatInstant(each.request_time()),
               FormatInstant(each.expire_time()),
               each.host_id().empty() ? "a new host" : Printable(each.host_id(), 64),
               FormatLabels(each.labels()), Printable(each.key_fingerprint(), 64)});
  }
  table.Print(session.terminal, *session.out);
  return absl::OkStatus();
}

absl::Status Tell(const absl::StatusOr<v1::Enrollment>& answer, const char* what,
                  Session& session) {
  if (!answer.ok()) return answer.status();
  if (session.json()) {
    session.PrintJson(*answer);
  } else {
    *session.out << what << " " << Printable(answer->id(), 64) << ": "
                 << Printable(answer->hostname(), 64) << ", key "
                 << Printable(answer->key_fingerprint(), 64) << "\n";
  }
  return absl::OkStatus();
}

absl::Status Approve(Client& client, const EnrollmentOptions& options, Session& session) {
  v1::ApproveEnrollmentRequest request;
  request.set_id(options.id);
  request.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  return Tell(client.Call(&Stub::ApproveEnrollment,
                          v1::EnrollmentService::NewStub(client.channel()), request),
              "Approved", session);
}

absl::Status Reject(Client& client, const EnrollmentOptions& options, Session& session) {
  v1::RejectEnrollmentRequest request;
  request.set_id(options.id);
  return Tell(client.Call(&Stub::RejectEnrollment, v1::EnrollmentService::NewStub(client.channel()),
                          request),
              "Rejected", session);
}

}  // namespace

void AddEnrollment(Command app, Session& session) {
  auto options = std::make_shared<EnrollmentOptions>();
  Command command =
      app.AddSubcommand("enrollment", "Hosts that wait for approval: list, approve, reject");
  command.RequireSubcommand(1, 1);
  AddAction(command, session, options, "list", "Those who wait, newest first", List)
      .AddFlag("--all", options->all, "Approved and rejected ones too");
  Command approve =
      AddAction(command, session, options, "approve",
                "Let a host in: it gets a certificate for its key when it asks next", Approve);
  approve.AddOption("id", options->id, "Enrolment id").Required().TypeName("ID");
  AddLabelOption(approve, options->labels,
                 "Label of the host, over those of its token; may be repeated");
  approve.Footer(
      "Compare the key with the one in the collector's log first.\n"
      "Example:\n  plimsoll enrollment approve e-0123456789ab --label env=prod");
  AddAction(command, session, options, "reject", "Refuse a host", Reject)
      .AddOption("id", options->id, "Enrolment id")
      .Required()
      .TypeName("ID");
}

}  // namespace plimsoll::cli
