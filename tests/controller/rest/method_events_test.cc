// What becomes of the messages of a stream.
#include "controller/rest/method_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <deque>

#include "tests/controller/rest/fake_api.h"

namespace plimsoll::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Says what it is given, then that there is no more, or why not.
struct Script final : api::Stream {
  Script(std::deque<v1::Event> says, absl::Status then) : events(std::move(says)), end(then) {}
  absl::StatusOr<Step> Next(const store::Principal&) override {
    if (events.empty()) return end;
    auto event = std::make_unique<v1::Event>(std::move(events.front()));
    events.pop_front();
    return Step{std::move(event), events.empty() && end.ok()};
  }
  std::deque<v1::Event> events;
  const absl::Status end;
};

class MethodEventsTest : public ::testing::Test {
 protected:
  MethodEventsTest() { spdlog::set_level(spdlog::level::off); }

  // Events of a stream of `says`, of which there is one at least, that ends with `end`.
  std::vector<std::string> Told(std::deque<v1::Event> says, const absl::Status& end) {
    api::MethodTable table(support::Clock::Real());
    table.AddStream<v1::WatchEventsRequest, v1::Event>(
        {.rpc = "EventService.WatchEvents",
         .permission = access::Permission::kRead,
         .http = "GET /v1/events",
         .resume = "after"},
        [&](const v1::WatchEventsRequest&,
            const std::function<void()>&) -> absl::StatusOr<std::unique_ptr<api::Stream>> {
          return std::make_unique<Script>(says, end);
        });
    const api::Method& method = *table.Find("plimsoll.v1.EventService.WatchEvents");
    support::WorkerPool workers(1);
    const auto follower = api::Follower::Start(
        table, workers, method, method.make_request(),
        [] {
          return store::Principal{"1", "ann"};
        },
        "10.0.0.1");
    absl::Notification done;
    absl::StatusOr<api::AnyMessage> first;
    follower->Next([&](absl::StatusOr<api::AnyMessage> message) {
      first = std::move(message);
      done.Notify();
    });
    done.WaitForNotification();
    return EventsOf(*std::make_shared<MethodEvents>(follower, method, *std::move(first), "r-1"));
  }
  static v1::Event Event(const std::string& id) {
    v1::Event event;
    event.set_id(id);
    return event;
  }
};

TEST_F(MethodEventsTest, NamesThemAndTheirIds) {
  v1::Event resync = Event("e-1");
  resync.set_resync(true);
  EXPECT_THAT(Told({resync, Event("e-2")}, absl::OkStatus()),
              ElementsAre(R"(resync e-1 {"id":"e-1","resync":true})", R"(event e-2 {"id":"e-2"})",
                          "end  {}"));
}

TEST_F(MethodEventsTest, AnErrorIsTheLastEvent) {
  EXPECT_THAT(Told({Event("e-1")}, absl::PermissionDeniedError("no longer")),
              ElementsAre(HasSubstr("event e-1"),
                          AllOf(HasSubstr("end  {\"error\":"), HasSubstr("\"no longer\""))));
}

// It is not told as an event in which nothing happened.
TEST_F(MethodEventsTest, WhatCannotBeWrittenEndsTheStream) {
  v1::Event wrong = Event("e-2");
  wrong.add_hosts()->mutable_enroll_time()->set_seconds(int64_t{1} << 60);
  EXPECT_THAT(Told({Event("e-1"), wrong, Event("e-3")}, absl::OkStatus()),
              ElementsAre(HasSubstr("event e-1"), HasSubstr("end  {\"error\":{\"code\":500")));
  EXPECT_THAT(Told({wrong, Event("e-3")}, absl::OkStatus()),
              ElementsAre(HasSubstr("end  {\"error\":{\"code\":500")));
}

}  // namespace
}  // namespace plimsoll::rest
