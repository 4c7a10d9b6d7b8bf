// A host whose engine answers from recordings: every port of a HostEnv, in memory.
#pragma once

#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "collector/host/host_env.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "plimsoll/v1/source_outcome.pb.h"
#include "proto/support/clock.h"
#include "tests/support/fake_docker_client.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/fake_ports.h"

namespace plimsoll::test {

// Content of a file below tests/fixtures; a test failure when there is none.
inline std::string Fixture(const std::string& path) {
  std::ifstream file(absl::StrCat(PLIMSOLL_SOURCE_DIR, "/tests/fixtures/", path));
  EXPECT_TRUE(file.good()) << path;
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// Borrowed views of its members; stays where it is made.
struct FakeEngineHost {
  FakeDockerClient docker;
  FakeFileSystem files;
  // What processes see instead of `files`, by process id.
  std::map<int64_t, FakeFileSystem> process_files;
  FakeAuditNetlink audit;
  FakeNameService names;
  FakeSystemdBus systemd;
  support::FakeClock clock{absl::FromUnixSeconds(1800000000)};
  host::HostEnv env{docker,  files, [this](int64_t pid) { return View(pid); }, audit, names,
                    systemd, clock};

  FakeEngineHost() = default;
  FakeEngineHost(const FakeEngineHost&) = delete;
  FakeEngineHost& operator=(const FakeEngineHost&) = delete;

 private:
  std::unique_ptr<host::FileSystem> View(int64_t pid) const {
    const auto found = process_files.find(pid);
    return std::make_unique<FakeFileSystem>(found == process_files.end() ? files : found->second);
  }
};

// Succeeds when every field that `expected` (textproto) sets is the same in `actual`; of repeated
// fields all elements.
template <typename Message>
testing::AssertionResult Has(const Message& actual, const std::string& expected) {
  Message wanted;
  if (!google::protobuf::TextFormat::ParseFromString(expected, &wanted)) {
    return testing::AssertionFailure() << "not a textproto: " << expected;
  }
  google::protobuf::util::MessageDifferencer differencer;
  differencer.set_scope(google::protobuf::util::MessageDifferencer::PARTIAL);
  std::string report;
  differencer.ReportDifferencesToString(&report);
  if (differencer.Compare(wanted, actual)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << report;
}

}  // namespace plimsoll::test
