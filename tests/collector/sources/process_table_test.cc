#include "collector/sources/process_table.h"

#include <gtest/gtest.h>

#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

constexpr char kRest[] = " S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 4250 1 2";

TEST(ParseProcessStat, NamesMayHoldAnything) {
  for (const std::string name : {"dockerd", "a b", "a) S 1 (b", "((", ""}) {
    const absl::StatusOr<ProcessStat> stat =
        ParseProcessStat(absl::StrCat("42 (", name, ")", kRest));
    ASSERT_TRUE(stat.ok()) << name;
    EXPECT_EQ(stat->name, name);
    EXPECT_EQ(stat->parent_pid, 7);
    EXPECT_EQ(stat->start_ticks, 4250u);
  }
}

TEST(ParseProcessStat, RefusesWhatIsNone) {
  for (const char* text : {"", "42", "42 (a", "42 )a(", "42 (a) S 7", "42 (a) S x 1 1 0"}) {
    EXPECT_EQ(ParseProcessStat(text).status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST(ReadExecutable, StripsTheMarkOfAReplacedFile) {
  test::DaemonHost host;
  host.AddProcess(5, "/usr/sbin/dockerd (deleted)");
  EXPECT_EQ(*ReadExecutable(host.files, 5), "/usr/sbin/dockerd");
  EXPECT_EQ(ProgramName(host.files, 5), "dockerd");
  EXPECT_FALSE(ReadExecutable(host.files, 6).ok());
}

TEST(ProgramName, FallsBackToTheNameInStatOnlyWhereTheLinkIsClosed) {
  test::DaemonHost host;
  host.AddProcess(5, "/usr/sbin/dockerd");
  host.files.SetReadError("/proc/5/exe", absl::PermissionDeniedError("no"));
  EXPECT_EQ(ProgramName(host.files, 5), "dockerd");
  host.files.SetReadError("/proc/5/exe", absl::NotFoundError("a kernel thread"));
  EXPECT_EQ(ProgramName(host.files, 5), "");
}

TEST(ListProcesses, TakesNumbersOnlyInOrder) {
  test::DaemonHost host;
  for (const int64_t pid : {100, 20, 3}) host.AddProcess(pid, "/bin/x");
  EXPECT_EQ(*ListProcesses(host.files), (std::vector<int64_t>{3, 20, 100}));
}

TEST(ListChildren, FromThreadsElseFromParents) {
  test::DaemonHost host;
  host.AddProcess(10, "/usr/sbin/dockerd");
  host.AddProcess(12, "/bin/x", 10);
  host.AddProcess(11, "/bin/x", 10);
  host.AddProcess(13, "/bin/x", 1);
  EXPECT_EQ(*ListChildren(host.files, 10), (std::vector<int64_t>{11, 12}));
  host.files.AddFile("/proc/10/task/10/children", "21 ")
      .AddFile("/proc/10/task/15/children", "20 19 ");
  EXPECT_EQ(*ListChildren(host.files, 10), (std::vector<int64_t>{19, 20, 21}));
}

}  // namespace
}  // namespace plimsoll::sources
