#include "collector/sources/unit_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_file_system.h"

namespace plimsoll::sources {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(FindUnitFilesTest, EveryDirectoryOfTheOrderCounts) {
  // From the last to the first: each new one wins over those before.
  test::FakeFileSystem files;
  const auto& path = UnitSearchPath();
  ASSERT_EQ(path.size(), 13u);
  EXPECT_EQ(FindUnitFiles(files, "docker.service")->fragment, "");
  for (auto directory = path.rbegin(); directory != path.rend(); ++directory) {
    const std::string unit = *directory + "/docker.service";
    files.AddFile(unit, "[Unit]\n");
    EXPECT_EQ(FindUnitFiles(files, "docker.service")->fragment, unit);
    EXPECT_EQ(FindUnitFiles(files, "docker.service")->canonical, unit);
  }
}

TEST(FindUnitFilesTest, MergedUsrAndLinksAreResolved) {
  test::FakeFileSystem files;
  files.AddSymlink("/lib", "usr/lib").AddFile("/usr/lib/systemd/system/docker.service", "x");
  EXPECT_EQ(FindUnitFiles(files, "docker.service")->fragment,
            "/usr/lib/systemd/system/docker.service");
  files.AddFile("/opt/docker.service", "x")
      .AddSymlink("/etc/systemd/system/docker.service", "/opt/docker.service");
  EXPECT_EQ(FindUnitFiles(files, "docker.service")->fragment, "/etc/systemd/system/docker.service");
  EXPECT_EQ(FindUnitFiles(files, "docker.service")->canonical, "/opt/docker.service");
}

TEST(FindUnitFilesTest, MasksAndLinksThatLeadNowhere) {
  test::FakeFileSystem files;
  files.AddSpecial("/dev/null", host::FileType::kCharacterDevice, 0666)
      .AddFile("/usr/lib/systemd/system/docker.service", "x")
      .AddSymlink("/etc/systemd/system/docker.service", "/dev/null");
  EXPECT_TRUE(FindUnitFiles(files, "docker.service")->masked);
  files.AddFile("/etc/systemd/system/docker.service", "");
  EXPECT_TRUE(FindUnitFiles(files, "docker.service")->masked);
  files.AddSymlink("/etc/systemd/system/docker.service", "/gone");
  const auto gone = FindUnitFiles(files, "docker.service");
  EXPECT_FALSE(gone->masked);
  EXPECT_EQ(gone->fragment, "/etc/systemd/system/docker.service");
  EXPECT_EQ(gone->canonical, "");
}

TEST(FindUnitFilesTest, ADirectoryThatIsClosedFailsTheSearch) {
  test::FakeFileSystem files;
  files.AddFile("/usr/lib/systemd/system/docker.service", "x")
      .AddDirectory("/etc/systemd/system")
      .SetError("/etc/systemd/system", absl::PermissionDeniedError("closed"));
  EXPECT_TRUE(absl::IsPermissionDenied(FindUnitFiles(files, "docker.service").status()));
  test::FakeFileSystem below;
  below.AddFile("/usr/lib/systemd/system/docker.service", "x")
      .AddFile("/etc/systemd/system/docker.service.d/a.conf", "x")
      .SetReadError("/etc/systemd/system/docker.service.d", absl::PermissionDeniedError("closed"));
  EXPECT_TRUE(absl::IsPermissionDenied(FindUnitFiles(below, "docker.service").status()));
}

TEST(FindUnitFilesTest, DropInsByNameTheFirstDirectoryWins) {
  test::FakeFileSystem files;
  files.AddFile("/usr/lib/systemd/system/docker.service", "x")
      .AddFile("/usr/lib/systemd/system/docker.service.d/10-a.conf", "x")
      .AddFile("/usr/lib/systemd/system/docker.service.d/50-b.conf", "x")
      .AddFile("/run/systemd/system/docker.service.d/50-b.conf", "x")
      .AddFile("/etc/systemd/system/docker.service.d/50-b.conf", "x")
      .AddFile("/usr/lib/systemd/system/docker.service.d/60-masked.conf", "x")
      .AddSpecial("/dev/null", host::FileType::kCharacterDevice, 0666)
      .AddSymlink("/etc/systemd/system/docker.service.d/60-masked.conf", "/dev/null")
      .AddFile("/etc/systemd/system/docker.service.d/.hidden.conf", "x")
      .AddFile("/etc/systemd/system/docker.service.d/readme.txt", "x")
      .AddFile("/etc/systemd/system/docker.service.d/dir.conf/x", "x")
      .AddSymlink("/etc/systemd/system/docker.service.d/70-gone.conf", "/gone")
      .AddFile("/etc/systemd/system/docker.socket.d/other.conf", "x")
      .AddFile("/etc/systemd/system/service.d/40-all.conf", "x")
      .AddFile("/etc/systemd/system/service.d/10-a.conf", "x");
  EXPECT_THAT(FindUnitFiles(files, "docker.service")->drop_ins,
              ElementsAre("/usr/lib/systemd/system/docker.service.d/10-a.conf",
                          "/etc/systemd/system/service.d/40-all.conf",
                          "/etc/systemd/system/docker.service.d/50-b.conf"));
  files.AddFile("/usr/lib/systemd/system/docker-proxy-one.service", "x")
      .AddFile("/etc/systemd/system/docker-.service.d/p.conf", "x")
      .AddFile("/etc/systemd/system/docker-proxy-.service.d/p.conf", "x");
  EXPECT_THAT(FindUnitFiles(files, "docker-proxy-one.service")->drop_ins,
              ElementsAre("/etc/systemd/system/service.d/10-a.conf",
                          "/etc/systemd/system/service.d/40-all.conf",
                          "/etc/systemd/system/docker-proxy-.service.d/p.conf"));
}

TEST(ApplySocketFileTest, Settings) {
  const struct {
    const char* what;
    std::vector<std::string> files;
    std::vector<std::pair<std::string, std::string>> listen;
    std::string user, group, mode;
  } kRows[] = {
      {"the packaged unit",
       {"[Unit]\nDescription=Docker\n\n[Socket]\n# comment\nListenStream=/run/docker.sock\n"
        "SocketMode=0660\nSocketUser=root\nSocketGroup=docker\n\n[Install]\nWantedBy=x\n"},
       {{"Stream", "/run/docker.sock"}},
       "root",
       "docker",
       "0660"},
      {"a drop-in adds",
       {"[Socket]\nListenStream=/a\n", "[Socket]\nListenStream=0.0.0.0:2375\n"},
       {{"Stream", "/a"}, {"Stream", "0.0.0.0:2375"}},
       "",
       "",
       ""},
      {"an empty value takes all addresses back",
       {"[Socket]\nListenStream=/a\nListenDatagram=/b\nSocketMode=0600\n",
        "[Socket]\nListenStream=\nListenStream=/c\nSocketMode=\n"},
       {{"Stream", "/c"}},
       "",
       "",
       ""},
      {"other sections do not count",
       {"[Service]\nListenStream=/a\n[socket]\nListenStream=/b\n"},
       {},
       "",
       "",
       ""},
      {"before any section", {"ListenStream=/a\n"}, {}, "", "", ""},
      {"blanks, continuation, carriage returns",
       {"\xEF\xBB\xBF[Socket]\r\n  ListenStream =  \\\n; between\n /a  \r\nSocketUser=\tu\n"},
       {{"Stream", "/a"}},
       "u",
       "",
       ""},
      {"specifiers and /var/run",
       {"[Socket]\nListenStream=%t/docker.sock\nListenStream=/var/run/x\nListenFIFO=/a%%t\n"},
       {{"Stream", "/run/docker.sock"}, {"Stream", "/run/x"}, {"FIFO", "/a%t"}},
       "",
       "",
       ""},
      {"comments hide nothing else",
       {"[Socket]\n#ListenStream=/a\n;ListenStream=/b\n"},
       {},
       "",
       "",
       ""},
      {"lines without a value", {"[Socket]\nListenStream\n=\n[\n\\"}, {}, "", "", ""}};
  for (const auto& row : kRows) {
    SocketSettings settings;
    for (const std::string& file : row.files) ApplySocketFile(file, settings);
    EXPECT_EQ(settings.listen, row.listen) << row.what;
    EXPECT_EQ(settings.user, row.user) << row.what;
    EXPECT_EQ(settings.group, row.group) << row.what;
    EXPECT_EQ(settings.mode, row.mode) << row.what;
  }
}

}  // namespace
}  // namespace plimsoll::sources
