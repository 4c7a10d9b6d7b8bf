// Crashes, damaged files and disks that refuse.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <set>

#include "absl/time/clock.h"
#include "collector/spool/spool.h"
#include "tests/collector/spool/spool_fixture.h"

namespace plimsoll::spool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SpoolDamageTest : public SpoolTest {
 protected:
  // Every state the host was in, in order; [0] is before the first.
  std::vector<std::string> digests_ = {""};

  void AppendKnown() {
    Append();
    digests_.push_back(host_.digest());
  }

  // Opens a file that was damaged: whatever is accepted is a state the host was in, complete, and
  // the spool can be used. Returns which.
  size_t OpenDamaged() {
    problems_.clear();
    Open();
    const auto facts = spool_->TakeFacts();
    const std::string digest = facts.has_value() ? DigestOf(*facts) : "";
    const auto known = std::find(digests_.begin(), digests_.end(), digest);
    EXPECT_NE(known, digests_.end());
    uint64_t sequence = spool_->state().acknowledged_sequence;
    EXPECT_LE(sequence, 8u);
    while (true) {
      const auto delta = spool_->Next(sequence);
      if (!delta.ok()) {
        EXPECT_TRUE(absl::IsNotFound(delta.status())) << delta.status();
        break;
      }
      sequence = delta->sequence();
      EXPECT_EQ(delta->new_digest(), digests_.at(sequence));
    }
    ChangingHost other;
    spool_->Append(other.Step(), other.facts);
    EXPECT_EQ(spool_->state().last_digest, other.digest());
    EXPECT_EQ(spool_->FactsAt(spool_->state().last_sequence).status(), absl::OkStatus());
    spool_.reset();
    return static_cast<size_t>(known - digests_.begin());
  }

  std::string MakeFile() {
    Open();
    for (int i = 0; i < 4; ++i) AppendKnown();
    spool_->Acknowledge(2);
    for (int i = 0; i < 4; ++i) AppendKnown();
    spool_->Acknowledge(5);
    spool_.reset();
    return ReadFile(file());
  }
};

TEST_F(SpoolDamageTest, EveryTruncationIsCutAtTheLastGoodRecord) {
  const std::string content = MakeFile();
  size_t last = 0;
  std::set<size_t> states;
  for (size_t size = 0; size <= content.size(); ++size) {
    WriteFile(file(), content.substr(0, size));
    const size_t state = OpenDamaged();
    EXPECT_GE(state, last) << size;
    last = state;
    states.insert(state);
  }
  EXPECT_EQ(last, 8u);
  EXPECT_EQ(states.size(), 9u);
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(SpoolDamageTest, FlippedBitsAreNeverAccepted) {
  const std::string content = MakeFile();
  std::mt19937 random(5);
  for (int i = 0; i < 1500; ++i) {
    std::string damaged = content;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    }
    if (damaged == content) continue;
    WriteFile(file(), damaged);
    OpenDamaged();
    EXPECT_FALSE(problems_.empty()) << i;
  }
}

TEST_F(SpoolDamageTest, RecordsOutOfOrderOrTwiceAreNotAccepted) {
  Open();
  AppendKnown();
  const size_t one = std::filesystem::file_size(file());
  AppendKnown();
  const size_t two = std::filesystem::file_size(file());
  AppendKnown();
  spool_.reset();
  const std::string content = ReadFile(file());
  const std::string second = content.substr(one, two - one);
  const std::string third = content.substr(two);
  WriteFile(file(), content.substr(0, one) + third + second);
  EXPECT_EQ(OpenDamaged(), 1u);
  WriteFile(file(), content.substr(0, two) + second + third);
  EXPECT_EQ(OpenDamaged(), 2u);
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("damaged bytes")));
}

TEST_F(SpoolDamageTest, SomethingElseInItsPlaceIsReplaced) {
  std::filesystem::create_directories(options_.dir);
  WriteFile(file(), "not a spool at all, but long enough to look at");
  Open();
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("begins anew")));
  Append();
  Open();
  EXPECT_EQ(DigestOf(*spool_->TakeFacts()), host_.digest());
}

// A child appends, acknowledges and tidies as fast as it can, saying after each change that it is
// done; killed at any moment, it has lost none that it spoke of.
TEST_F(SpoolDamageTest, AKilledProcessLosesNothing) {
  std::mt19937 random(11);
  int changes = 0;
  options_.max_bytes = 1 << 20;
  // At least 25 deaths, and as many more as a slow machine needs for a thousand changes.
  for (int round = 0; round < 25 || (changes <= 1000 && round < 500); ++round) {
    std::filesystem::remove_all(options_.dir);
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto spool = Spool::Open(options_, clock_);
      ChangingHost host;
      while (true) {
        (*spool)->Append(host.Step(host.steps() % 7 == 0 ? 30'000 : 100), host.facts);
        const auto step = static_cast<uint32_t>(host.steps());
        if (write(pipe_fds[1], &step, sizeof step) != sizeof step) _exit(1);
        if (step % 3 == 0) (*spool)->Acknowledge(step - 2);
        if (step % 20 == 0) {
          (*spool)->Acknowledge(step);
          (*spool)->Tidy(host.facts);
        }
      }
    }
    close(pipe_fds[1]);
    uint32_t step = 0;
    ASSERT_EQ(read(pipe_fds[0], &step, sizeof step), static_cast<ssize_t>(sizeof step));
    usleep(static_cast<useconds_t>(random() % 30'000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    while (read(pipe_fds[0], &step, sizeof step) == sizeof step) {
    }
    close(pipe_fds[0]);
    changes += static_cast<int>(step);

    ChangingHost host;
    std::vector<std::string> digests = {""};
    while (host.steps() <= static_cast<int>(step)) {
      host.Step(host.steps() % 7 == 0 ? 30'000 : 100);
      digests.push_back(host.digest());
    }
    problems_.clear();
    Open();
    const Spool::State state = spool_->state();
    EXPECT_TRUE(state.last_sequence == step || state.last_sequence == step + 1)
        << state.last_sequence << " after " << step;
    EXPECT_EQ(state.last_digest, digests[state.last_sequence]);
    EXPECT_EQ(DigestOf(*spool_->TakeFacts()), state.last_digest);
    EXPECT_GE(state.acknowledged_sequence + 20, step);
    spool_.reset();
  }
  EXPECT_GT(changes, 1000);
}

// A tmpfs of one MiB; needs root.
class FullDiskTest : public SpoolDamageTest {
 protected:
  FullDiskTest() {
    mount_ = root_ + "/disk";
    std::filesystem::create_directory(mount_);
    mounted_ = mount("plimsoll-test", mount_.c_str(), "tmpfs", 0, "size=1m") == 0;
    options_.dir = mount_ + "/spool";
  }
  ~FullDiskTest() override {
    spool_.reset();
    if (mounted_) umount2(mount_.c_str(), MNT_DETACH);
  }
  void SetUp() override { ASSERT_TRUE(mounted_) << "this test mounts a tmpfs and needs root"; }

  std::string mount_;
  bool mounted_ = false;
};

TEST_F(FullDiskTest, TheQueueGoesOnInMemoryAndBackToTheDisk) {
  Open();
  while (problems_.empty() && host_.steps() < 200) Append(20'000);
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("in memory only")));
  EXPECT_FALSE(spool_->state().on_disk);
  const int full_at = host_.steps();
  EXPECT_GT(full_at, 20);
  for (int i = 0; i < 5; ++i) Append(20'000);
  EXPECT_EQ(Drain().size(), static_cast<size_t>(full_at + 5));
  spool_->Acknowledge(static_cast<uint64_t>(full_at));
  EXPECT_EQ(Drain(*spool_->FactsAt(static_cast<uint64_t>(full_at))).size(), 5u);

  // Time to try again, and the old file leaves no room for a new one beside it: said once only.
  WriteFile(mount_ + "/other", std::string(150'000, 'x'));
  clock_.Advance(absl::Minutes(1));
  Append();
  EXPECT_FALSE(spool_->state().on_disk);
  EXPECT_EQ(problems_.size(), 1u);

  ASSERT_EQ(mount("plimsoll-test", mount_.c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
  spool_->Tidy(host_.facts);
  EXPECT_FALSE(spool_->state().on_disk) << "not before it is time";
  // A clock that was set back puts nothing off.
  clock_.Advance(-absl::Hours(3));
  spool_->Tidy(host_.facts);
  EXPECT_TRUE(spool_->state().on_disk);
  EXPECT_THAT(good_news_, ElementsAre(HasSubstr("on disk again")));
  Open();
  EXPECT_EQ(DigestOf(*spool_->TakeFacts()), host_.digest());
  EXPECT_EQ(spool_->state().pending, 6u);
}

TEST_F(FullDiskTest, InMemoryTheNewestStateIsKeptWithinTheBound) {
  options_.max_memory_bytes = 300'000;
  Open();
  while (problems_.empty() && host_.steps() < 200) Append(20'000);
  while (problems_.size() < 2 && host_.steps() < 400) Append(20'000);
  ASSERT_EQ(problems_.size(), 2u);
  EXPECT_EQ(spool_->state().pending, 1u);
  const auto delta = spool_->Next(0);
  EXPECT_EQ(delta->new_digest(), host_.digest());
  EXPECT_EQ(delta->gap().dropped_count(), host_.steps() - 1);
}

TEST_F(FullDiskTest, ADirectoryThatCannotBeMadeIsNoEnd) {
  WriteFile(mount_ + "/file", "");
  options_.dir = mount_ + "/file/spool";
  Open();
  EXPECT_FALSE(spool_->state().on_disk);
  EXPECT_THAT(problems_, ::testing::Contains(HasSubstr("in memory only")));
  Append();
  EXPECT_EQ(Drain().size(), 1u);
}

}  // namespace
}  // namespace plimsoll::spool
