// The API of the activity log, and what of all calls goes into it; see api.h for what handlers have
// in common.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/access/activity_log.h"
#include "controller/store/store.h"
#include "plimsoll/v1/activity_service.pb.h"

namespace plimsoll::api {

// Thread-safe. Errors as activity_service.proto says.
class Activities {
 public:
  explicit Activities(store::ActivityStore& store) : store_(store) {}
  absl::StatusOr<v1::ListActivityResponse> List(const store::Principal& who,
                                                const v1::ListActivityRequest& request);
  absl::StatusOr<v1::ActivityHead> GetHead(const store::Principal& who,
                                           const v1::GetActivityHeadRequest& request);

 private:
  store::ActivityStore& store_;
};

// A call of the API that has ended.
struct EndedCall {
  const store::Principal& who;
  // "UserService.CreateUser".
  absl::string_view method;
  const google::protobuf::Message& request;
  // Null: it failed.
  const google::protobuf::Message* response;
  absl::Status outcome;
  // What ActivityRecorder::Before gave.
  std::string before;
};

// Decides what of a call is written down: changes and exports when they were made, refusals, and
// changes whose outcome is not known. Reads are not, nor what was only validated. Thread-safe.
class ActivityRecorder {
 public:
  ActivityRecorder(store::Store& store, access::ActivityLog& log) : store_(store), log_(log) {}

  // The object as it is before the call changes it, as JSON; empty: the call changes nothing that
  // was there, or it cannot be read. Of scans, what-ifs, enrolments and their tokens, baselines,
  // authorities, sessions and deliveries there is none: their own records tell what they were.
  std::string Before(absl::string_view method, const google::protobuf::Message& request);
  // Returns when a change is written. UNAVAILABLE: the change was made and could not be written
  // down; the caller must not take it for acknowledged.
  absl::Status Ended(const EndedCall& call);
  // A call by nobody who is known.
  void Refused(const store::Principal& nobody, absl::string_view method,
               const absl::Status& outcome);

 private:
  void SignedIn(const EndedCall& call);

  store::Store& store_;
  access::ActivityLog& log_;
};

// Whether it is known here what the method does: reads, makes a change, or signs in.
bool IsKnown(absl::string_view method);

// `message` as JSON without secrets: members named secret or password, with or without more to the
// name, and csrf_token are left out, wherever they are. At most 16 KiB; longer ones are cut.
std::string WithoutSecrets(const google::protobuf::Message& message);

}  // namespace plimsoll::api
