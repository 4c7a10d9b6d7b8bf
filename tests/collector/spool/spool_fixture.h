// A spool in a directory of its own, and a host that changes step by step.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/spool/spool.h"
#include "proto/support/facts_delta.h"
#include "proto/support/facts_digest.h"

namespace plimsoll::spool {

inline std::string DigestOf(const v1::HostFacts& facts) {
  return support::FactsDigestTree(facts).Digest();
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

inline void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

// The facts of a host and the deltas between its states.
class ChangingHost {
 public:
  v1::HostFacts facts;

  // The first step is a full snapshot, each later one changes a container. `padding` makes it
  // larger by that much, of letters that do not compress well.
  v1::FactsDelta Step(size_t padding = 0) {
    ++steps_;
    v1::FactsDelta delta;
    delta.mutable_observed_time()->set_seconds(1800000000 + steps_);
    delta.mutable_changed()->set_collector_version("1");
    v1::ContainersFacts& containers = *delta.mutable_changed()->mutable_containers();
    containers.mutable_outcome()->set_state(v1::SourceOutcome::OK);
    v1::Container& container = *containers.add_containers();
    container.set_id(absl::StrCat("c", steps_ % 5));
    container.set_name(absl::StrCat("name-", steps_));
    std::string noise(padding, '\0');
    for (char& c : noise)
      c = static_cast<char>('a' + (seed_ = seed_ * 1103515245 + 12345) / 65536 % 26);
    container.set_user(noise);
    if (!DigestBefore().empty()) delta.set_base_digest(DigestBefore());
    EXPECT_TRUE(support::ApplyDelta(delta, facts).ok());
    *facts.mutable_observed_time() = delta.observed_time();
    digest_ = DigestOf(facts);
    delta.set_new_digest(digest_);
    return delta;
  }

  int steps() const { return steps_; }
  const std::string& digest() const { return digest_; }

 private:
  const std::string& DigestBefore() const { return digest_; }

  int steps_ = 0;
  unsigned seed_ = 1;
  std::string digest_;
};

class SpoolTest : public ::testing::Test {
 protected:
  SpoolTest() {
    // In memory where there is such a place: thousands of files are synced here.
    root_ = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
    root_ += "/plimsoll-spool-XXXXXX";
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
    options_.dir = root_ + "/spool";
    options_.sync_delay = absl::Milliseconds(1);
    options_.say = [this](bool problem, const std::string& text) {
      (problem ? problems_ : good_news_).push_back(text);
    };
  }
  ~SpoolTest() override {
    spool_.reset();
    std::filesystem::remove_all(root_);
  }

  void Open() {
    spool_.reset();
    auto spool = Spool::Open(options_, clock_);
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
  }

  void Append(size_t padding = 0) { spool_->Append(host_.Step(padding), host_.facts); }

  // Sequences queued after `sequence`; each delta must fit the one before, and the whole lead from
  // `base` to the facts of the host.
  std::vector<uint64_t> Drain(v1::HostFacts base = {}) {
    std::vector<uint64_t> sequences;
    uint64_t sequence = spool_->state().acknowledged_sequence;
    std::string digest;
    while (true) {
      const auto delta = spool_->Next(sequence);
      if (!delta.ok()) break;
      EXPECT_GT(delta->sequence(), sequence);
      sequence = delta->sequence();
      sequences.push_back(sequence);
      if (!delta->base_digest().empty()) {
        EXPECT_EQ(delta->base_digest(), DigestOf(base));
      }
      EXPECT_TRUE(support::ApplyDelta(*delta, base).ok());
      EXPECT_EQ(delta->new_digest(), DigestOf(base));
      digest = delta->new_digest();
    }
    EXPECT_TRUE(sequences.empty() || digest == spool_->state().last_digest);
    return sequences;
  }

  std::string file() const { return options_.dir + "/spool"; }

  std::string root_;
  Spool::Options options_;
  support::FakeClock clock_{absl::FromUnixSeconds(1800000000)};
  std::vector<std::string> problems_;
  std::vector<std::string> good_news_;
  ChangingHost host_;
  std::unique_ptr<Spool> spool_;
};

}  // namespace plimsoll::spool
