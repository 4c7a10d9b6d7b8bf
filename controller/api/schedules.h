// The API of schedules, free of transport; see api.h for what all handlers have in common.
#pragma once

#include "absl/status/statusor.h"
#include "controller/scans/scheduler.h"
#include "controller/store/store.h"
#include "plimsoll/v1/schedule_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// Thread-safe. Borrows what it is given. Errors as schedule_service.proto says.
class Schedules {
 public:
  Schedules(store::Store& store, scans::HostResolver resolve, const support::Clock& clock)
      : store_(store), resolve_(std::move(resolve)), clock_(clock) {}
  absl::StatusOr<v1::Schedule> Create(const store::Principal& who,
                                      const v1::CreateScheduleRequest& request);
  absl::StatusOr<v1::Schedule> Get(const store::Principal& who,
                                   const v1::GetScheduleRequest& request);
  absl::StatusOr<v1::ListSchedulesResponse> List(const store::Principal& who,
                                                 const v1::ListSchedulesRequest& request);
  absl::StatusOr<v1::Schedule> Update(const store::Principal& who,
                                      const v1::UpdateScheduleRequest& request);
  absl::StatusOr<v1::Schedule> Pause(const store::Principal& who,
                                     const v1::PauseScheduleRequest& request);
  absl::StatusOr<v1::Schedule> Resume(const store::Principal& who,
                                      const v1::ResumeScheduleRequest& request);
  absl::StatusOr<v1::DeleteScheduleResponse> Delete(const store::Principal& who,
                                                    const v1::DeleteScheduleRequest& request);
  absl::StatusOr<v1::ListScheduleRunsResponse> ListRuns(const store::Principal& who,
                                                        const v1::ListScheduleRunsRequest& request);
  absl::StatusOr<v1::PreviewScheduleResponse> Preview(const store::Principal& who,
                                                      const v1::PreviewScheduleRequest& request);

 private:
  // INVALID_ARGUMENT names the field that is wrong.
  absl::Status Check(const v1::Schedule& schedule) const;
  // NOT_FOUND also when its hosts are not within what the caller sees.
  absl::StatusOr<store::StoredSchedule> Find(const store::Principal& who,
                                             const std::string& schedule);
  absl::StatusOr<v1::Schedule> SetPaused(const store::Principal& who, const std::string& schedule,
                                         bool paused);

  store::Store& store_;
  // Only to tell a wrong selector from a right one.
  const scans::HostResolver resolve_;
  const support::Clock& clock_;
};

}  // namespace plimsoll::api
