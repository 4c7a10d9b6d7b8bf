#include "collector/spool/spool.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/collector/spool/spool_fixture.h"

namespace plimsoll::spool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(SpoolTest, HoldsWhatIsNotAcknowledgedInOrder) {
  Open();
  EXPECT_FALSE(spool_->TakeFacts().has_value());
  for (int i = 0; i < 4; ++i) Append();
  EXPECT_THAT(Drain(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(spool_->Next(1)->observed_time().seconds(), 1800000002);
  spool_->Acknowledge(2);
  EXPECT_EQ(spool_->state().acknowledged_digest, spool_->Next(2)->base_digest());
  EXPECT_EQ(spool_->state().pending, 2u);
  spool_->Acknowledge(1);
  spool_->Acknowledge(99);
  EXPECT_EQ(spool_->state().acknowledged_sequence, 2u);
  spool_->Acknowledge(4);
  EXPECT_TRUE(absl::IsNotFound(spool_->Next(0).status()));
  EXPECT_EQ(spool_->state().acknowledged_digest, host_.digest());
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(SpoolTest, ARestartLosesNothing) {
  Open();
  for (int i = 0; i < 5; ++i) Append();
  const v1::HostFacts at_two = *spool_->FactsAt(2);
  spool_->Acknowledge(2);
  Open();
  const auto facts = spool_->TakeFacts();
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(DigestOf(*facts), host_.digest());
  EXPECT_EQ(facts->observed_time().seconds(), host_.facts.observed_time().seconds());
  EXPECT_FALSE(spool_->TakeFacts().has_value());
  EXPECT_EQ(spool_->state().acknowledged_sequence, 2u);
  EXPECT_EQ(spool_->state().acknowledged_digest, DigestOf(at_two));
  EXPECT_THAT(Drain(at_two), ElementsAre(3, 4, 5));
  Append();
  EXPECT_THAT(Drain(at_two), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(SpoolTest, FilesAreForTheirOwnerOnly) {
  Open();
  Append();
  struct stat info {};
  ASSERT_EQ(stat(options_.dir.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(SpoolTest, TwoProcessesDoNotShareIt) {
  Open();
  const auto second = Spool::Open(options_, clock_);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another collector"));
}

TEST_F(SpoolTest, FactsOfAnySequenceStillQueuedAreKnown) {
  Open();
  std::vector<std::string> digests = {""};
  for (int i = 0; i < 6; ++i) {
    Append();
    digests.push_back(host_.digest());
  }
  spool_->Acknowledge(3);
  for (uint64_t sequence = 3; sequence <= 6; ++sequence) {
    const auto facts = spool_->FactsAt(sequence);
    ASSERT_TRUE(facts.ok()) << sequence << facts.status();
    EXPECT_EQ(DigestOf(*facts), digests[sequence]);
  }
  EXPECT_TRUE(absl::IsNotFound(spool_->FactsAt(2).status()));
  EXPECT_TRUE(absl::IsNotFound(spool_->FactsAt(7).status()));
}

TEST_F(SpoolTest, TheControllersCountIsFollowedAcrossARestart) {
  Open();
  for (int i = 0; i < 3; ++i) Append();
  spool_->Acknowledge(1);
  const v1::HostFacts base = *spool_->FactsAt(1);
  spool_->Renumber(41);
  EXPECT_THAT(Drain(base), ElementsAre(42, 43));
  Append();
  Open();
  EXPECT_EQ(spool_->state().acknowledged_sequence, 41u);
  EXPECT_THAT(Drain(base), ElementsAre(42, 43, 44));
  spool_->Renumber(5);
  spool_->Acknowledge(6);
  Open();
  EXPECT_EQ(spool_->state().acknowledged_sequence, 6u);
  EXPECT_EQ(spool_->state().pending, 2u);
  EXPECT_EQ(spool_->Next(6)->sequence(), 7u);
}

TEST_F(SpoolTest, WhenFullTheNewestStateStaysAndTheGapIsRecorded) {
  options_.max_bytes = 1 << 20;
  Open();
  for (int i = 0; i < 2; ++i) Append();
  spool_->Acknowledge(2);
  int before = 0;
  while (problems_.empty()) {
    before = static_cast<int>(spool_->state().pending);
    Append(20'000);
    ASSERT_LE(std::filesystem::file_size(file()), 1u << 20);
    ASSERT_LT(host_.steps(), 1000);
  }
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("spool is full")));
  EXPECT_GT(before, 40);
  ASSERT_EQ(spool_->state().pending, 1u);
  const auto delta = spool_->Next(2);
  ASSERT_TRUE(delta.ok()) << delta.status();
  EXPECT_TRUE(delta->base_digest().empty());
  EXPECT_EQ(delta->new_digest(), host_.digest());
  EXPECT_EQ(DigestOf(delta->changed()), host_.digest());
  EXPECT_EQ(delta->sequence(), static_cast<uint64_t>(host_.steps()));
  EXPECT_EQ(delta->observed_time().seconds(), 1800000000 + host_.steps());
  EXPECT_EQ(delta->gap().dropped_count(), before);
  EXPECT_EQ(delta->gap().begin_time().seconds(), 1800000003);
  EXPECT_EQ(delta->gap().end_time().seconds(), 1800000000 + host_.steps() - 1);
  // The next one goes on from there, and a restart knows it all.
  Append();
  Open();
  EXPECT_EQ(Drain().size(), 2u);
  EXPECT_EQ(spool_->Next(2)->gap().dropped_count(), before);
}

TEST_F(SpoolTest, GapsAddUpAndScansAreKept) {
  options_.max_pending = 3;
  Open();
  for (int i = 1; i <= 3; ++i) {
    v1::FactsDelta delta = host_.Step();
    delta.add_scan_ids(absl::StrCat("scan-", i));
    spool_->Append(delta, host_.facts);
  }
  for (int i = 0; i < 4; ++i) Append();
  // 1..4 became one at 4; that and 5, 6, 7 became one at 7.
  ASSERT_EQ(spool_->state().pending, 1u);
  const auto delta = spool_->Next(0);
  EXPECT_EQ(delta->sequence(), 7u);
  EXPECT_EQ(delta->gap().dropped_count(), 6);
  EXPECT_EQ(delta->gap().begin_time().seconds(), 1800000001);
  EXPECT_EQ(delta->gap().end_time().seconds(), 1800000006);
  EXPECT_THAT(delta->scan_ids(), ElementsAre("scan-1", "scan-2", "scan-3"));
}

TEST_F(SpoolTest, AnAcknowledgementOfWhatHasCollapsedTellsNoDigest) {
  options_.max_pending = 3;
  Open();
  for (int i = 0; i < 4; ++i) Append();
  ASSERT_EQ(spool_->state().pending, 1u);
  spool_->Acknowledge(2);
  for (int restart = 0; restart < 2; ++restart) {
    EXPECT_EQ(spool_->state().acknowledged_sequence, 2u);
    EXPECT_EQ(spool_->state().acknowledged_digest, "");
    EXPECT_THAT(Drain(), ElementsAre(4));
    Open();
  }
  spool_->Acknowledge(4);
  EXPECT_EQ(spool_->state().acknowledged_digest, host_.digest());
}

TEST_F(SpoolTest, ASnapshotAskedForHidesNoChange) {
  Open();
  Append();
  spool_->Acknowledge(1);
  spool_->Collapse(host_.facts, 1);
  const auto none_pending = spool_->Next(1);
  ASSERT_TRUE(none_pending.ok()) << none_pending.status();
  EXPECT_EQ(none_pending->sequence(), 2u);
  EXPECT_TRUE(none_pending->base_digest().empty());
  EXPECT_FALSE(none_pending->has_gap());
  spool_->Collapse(host_.facts, 1);
  EXPECT_EQ(spool_->Next(1)->sequence(), 2u);
  EXPECT_FALSE(spool_->Next(1)->has_gap());
  spool_->Acknowledge(2);
  spool_->Collapse(host_.facts, 1);
  EXPECT_EQ(spool_->state().pending, 0u);
}

TEST_F(SpoolTest, ADeltaThatDoesNotFitBecomesASnapshot) {
  Open();
  Append();
  host_.Step();
  Append();
  const auto delta = spool_->Next(1);
  ASSERT_TRUE(delta.ok()) << delta.status();
  EXPECT_TRUE(delta->base_digest().empty());
  EXPECT_EQ(DigestOf(delta->changed()), host_.digest());
}

TEST_F(SpoolTest, AFileOfAcknowledgedChangesIsMadeSmall) {
  Open();
  for (int i = 0; i < 40; ++i) Append(20'000);
  spool_->Tidy(host_.facts);
  EXPECT_GT(std::filesystem::file_size(file()), 400'000u);
  spool_->Acknowledge(40);
  spool_->Tidy(host_.facts);
  EXPECT_LT(std::filesystem::file_size(file()), 100'000u);
  Open();
  EXPECT_EQ(DigestOf(*spool_->TakeFacts()), host_.digest());
  EXPECT_EQ(spool_->state().acknowledged_sequence, 40u);
  EXPECT_EQ(spool_->state().acknowledged_digest, host_.digest());
  Append();
  EXPECT_THAT(Drain(*spool_->FactsAt(40)), ElementsAre(41));
}

TEST_F(SpoolTest, RoomIsMadeOfWhatIsAcknowledgedBeforeAnythingIsDropped) {
  options_.max_bytes = 1 << 20;
  Open();
  for (int i = 1; i <= 300; ++i) {
    Append(20'000);
    if (i > 3) spool_->Acknowledge(static_cast<uint64_t>(i - 3));
  }
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_LE(std::filesystem::file_size(file()), (1u << 20) + 20'000);
  EXPECT_THAT(Drain(*spool_->FactsAt(297)), ElementsAre(298, 299, 300));
  Open();
  EXPECT_THAT(Drain(*spool_->FactsAt(297)), ElementsAre(298, 299, 300));
}

TEST_F(SpoolTest, FactsLargerThanTheBoundStayInMemory) {
  options_.max_bytes = 1 << 20;
  options_.max_memory_bytes = 64 << 20;
  Open();
  Append(3 << 20);
  EXPECT_FALSE(spool_->state().on_disk);
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("--spool-max-mib")));
  EXPECT_EQ(spool_->Next(0)->new_digest(), host_.digest());
}

}  // namespace
}  // namespace plimsoll::spool
