#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "controller/scans/scan_board.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::scans {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Sessions that come in an order, or at a moment, that is not the usual one.
class ScanBoardSessionsTest : public store::StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    board_ = std::make_unique<ScanBoard>(store_->scans(), clock_);
    const auto lease = store::AddHost(*store_, "h1", "web-1");
    ASSERT_TRUE(lease.ok()) << lease.status();
  }
  void Add(uint64_t session) {
    board_->AddSession("h1", session, [this, session](const store::PendingScan& scan) {
      asked_.push_back(absl::StrCat(session, " ", scan.scan_id));
    });
  }
  void Create(const std::string& id) {
    store::NewScan scan;
    scan.id = id;
    scan.create_time = clock_.Now();
    scan.deadline = clock_.Now() + absl::Minutes(2);
    scan.host_ids = {"h1"};
    const auto created = board_->Create(scan);
    ASSERT_TRUE(created.ok()) << created.status();
  }

  support::FakeClock clock_{store::At(100)};
  std::unique_ptr<ScanBoard> board_;
  std::vector<std::string> asked_;
};

TEST_F(ScanBoardSessionsTest, IsAskedLaterWhenTheDatabaseDidNotSayWhatTheHostOwes) {
  Create("s1");
  Sql("ALTER TABLE scan_host RENAME TO gone");
  Add(1);
  Sql("ALTER TABLE gone RENAME TO scan_host");
  EXPECT_THAT(asked_, IsEmpty());
  board_->Tick();
  board_->Tick();
  EXPECT_THAT(asked_, ElementsAre("1 s1"));
}

TEST_F(ScanBoardSessionsTest, IsForgottenWithItsQuestionsWhenItEnds) {
  Create("s1");
  Sql("ALTER TABLE scan_host RENAME TO gone");
  Add(1);
  board_->RemoveSession("h1", 1);
  Sql("ALTER TABLE gone RENAME TO scan_host");
  board_->Tick();
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(ScanBoardSessionsTest, AnOlderOneThatIsAddedLateTakesNothingOver) {
  Add(3);
  Add(2);
  board_->RemoveSession("h1", 2);
  Create("s1");
  EXPECT_THAT(asked_, ElementsAre("3 s1"));
}

}  // namespace
}  // namespace plimsoll::scans
