#include "collector/host/posix_file_system.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// How the directory under test is reached: as "/" (paths get a prefix), or as a root of its own,
// with the kernel's resolution or ours.
enum class Way { kSlash, kOpenat2, kWalk };

// A small host in a temporary directory.
class PosixFileSystemTest : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    char name[] = "/tmp/plimsoll-fs-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = std::filesystem::canonical(name);
    chmod(dir_.c_str(), 0755);
    prefix_ = GetParam() == Way::kSlash ? dir_ : "";
    files_ = std::make_unique<PosixFileSystem>(GetParam() == Way::kSlash ? "/" : dir_,
                                               GetParam() != Way::kWalk);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // The path to give to `files_` for a path of the small host.
  std::string P(const std::string& path) const { return prefix_ + path; }
  std::string Real(const std::string& path) const { return dir_ + path; }
  void Write(const std::string& path, const std::string& content, mode_t mode = 0644) {
    std::filesystem::create_directories(std::filesystem::path(Real(path)).parent_path());
    std::ofstream(Real(path)) << content;
    ASSERT_EQ(chmod(Real(path).c_str(), mode), 0);
  }
  void Link(const std::string& target, const std::string& path) {
    ASSERT_EQ(symlink(target.c_str(), Real(path).c_str()), 0);
  }
  // Absolute targets mean the small host's own root, whichever way it is reached.
  void AbsoluteLink(const std::string& target, const std::string& path) { Link(P(target), path); }

  std::string dir_;
  std::string prefix_;
  std::unique_ptr<PosixFileSystem> files_;
};

INSTANTIATE_TEST_SUITE_P(Ways, PosixFileSystemTest,
                         ::testing::Values(Way::kSlash, Way::kOpenat2, Way::kWalk),
                         [](const ::testing::TestParamInfo<Way>& param) {
                           return std::string(param.param == Way::kSlash     ? "Slash"
                                              : param.param == Way::kOpenat2 ? "Openat2"
                                                                             : "Walk");
                         });

TEST_P(PosixFileSystemTest, StatShowsOwnerModeTypeSizeTime) {
  Write("/etc/app.conf", "hello", 04640);
  ASSERT_EQ(chown(Real("/etc/app.conf").c_str(), 1234, 4321), 0);
  ASSERT_EQ(chmod(Real("/etc/app.conf").c_str(), 04640), 0);
  const timespec times[2] = {{100, 0}, {1600000000, 5000}};
  ASSERT_EQ(utimensat(AT_FDCWD, Real("/etc/app.conf").c_str(), times, 0), 0);
  const auto status = files_->Stat(P("/etc/app.conf"));
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->type, FileType::kRegular);
  EXPECT_EQ(status->mode, 04640u);
  EXPECT_EQ(status->uid, 1234u);
  EXPECT_EQ(status->gid, 4321u);
  EXPECT_EQ(status->size, 5);
  EXPECT_EQ(status->modify_time, absl::FromUnixMicros(1600000000000005));
  struct stat expected;
  ASSERT_EQ(stat(Real("/etc/app.conf").c_str(), &expected), 0);
  EXPECT_EQ(status->inode, expected.st_ino);
}

TEST_P(PosixFileSystemTest, TypesAreToldApartAndNothingBlocks) {
  ASSERT_EQ(mkfifo(Real("/fifo").c_str(), 0600), 0);
  const int sock = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path), "%s", Real("/sock").c_str());
  ASSERT_EQ(bind(sock, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(sock);
  ASSERT_EQ(mknod(Real("/char").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0) << "needs root";
  ASSERT_EQ(mknod(Real("/block").c_str(), S_IFBLK | 0600, makedev(240, 77)), 0);
  ASSERT_EQ(mkdir(Real("/dir").c_str(), 01777), 0);
  Link("/nowhere", "/link");
  const struct {
    const char* path;
    FileType type;
  } kRows[] = {{"/fifo", FileType::kFifo},
               {"/sock", FileType::kSocket},
               {"/char", FileType::kCharacterDevice},
               {"/block", FileType::kBlockDevice},
               {"/dir", FileType::kDirectory},
               {"/link", FileType::kSymlink}};
  for (const auto& row : kRows) {
    const auto status = files_->Lstat(P(row.path));
    ASSERT_TRUE(status.ok()) << row.path << status.status();
    EXPECT_EQ(status->type, row.type) << row.path;
    EXPECT_FALSE(files_->ReadFile(P(row.path), 100).ok()) << row.path;
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(files_->ReadFile(P("/fifo"), 100).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(files_->ReadFile(P("/dir"), 100).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(files_->ReadFile(P("/char"), 100).status()));
}

TEST_P(PosixFileSystemTest, LinksAreFollowedBelowTheRoot) {
  Write("/usr/lib/unit", "u");
  Write("/usr/sbin/runc", "r");
  AbsoluteLink("/usr/lib", "/lib");
  std::filesystem::create_directories(Real("/usr/bin"));
  Link("../sbin/runc", "/usr/bin/runc");
  Link("runc", "/usr/bin/docker-runc");
  AbsoluteLink("/usr/bin/../bin/./docker-runc", "/deep");
  const struct {
    const char* path;
    const char* real;
  } kRows[] = {{"/lib/unit", "/usr/lib/unit"},
               {"/usr/bin/runc", "/usr/sbin/runc"},
               {"/usr/bin/docker-runc", "/usr/sbin/runc"},
               {"/deep", "/usr/sbin/runc"},
               {"//usr//./lib/../lib//unit", "/usr/lib/unit"},
               {"/lib/", "/usr/lib"}};
  for (const auto& row : kRows) {
    const auto real = files_->RealPath(P(row.path));
    ASSERT_TRUE(real.ok()) << row.path << real.status();
    EXPECT_EQ(*real, P(row.real)) << row.path;
    EXPECT_EQ(files_->Stat(P(row.path))->inode, files_->Stat(P(row.real))->inode) << row.path;
  }
  EXPECT_EQ(*files_->ReadLink(P("/usr/bin/runc")), "../sbin/runc");
  EXPECT_EQ(files_->Lstat(P("/usr/bin/runc"))->type, FileType::kSymlink);
  EXPECT_EQ(files_->Lstat(P("/lib/unit"))->type, FileType::kRegular);
  EXPECT_TRUE(absl::IsInvalidArgument(files_->ReadLink(P("/usr/sbin/runc")).status()));
}

TEST_P(PosixFileSystemTest, ErrorsAreTheDeclaredOnes) {
  Write("/file", "x");
  Link("loop-b", "/loop-a");
  Link("loop-a", "/loop-b");
  AbsoluteLink("/missing", "/dangling");
  for (int i = 0; i < 45; ++i) {
    Link(i == 0 ? "file" : absl::StrCat("chain", i - 1), absl::StrCat("/chain", i));
  }
  const struct {
    std::string path;
    absl::StatusCode code;
  } kRows[] = {{P("/missing"), absl::StatusCode::kNotFound},
               {P("/missing/deeper"), absl::StatusCode::kNotFound},
               {P("/file/below"), absl::StatusCode::kNotFound},
               {P("/file/"), absl::StatusCode::kNotFound},
               {P("/file/.."), absl::StatusCode::kNotFound},
               {P("/dangling"), absl::StatusCode::kNotFound},
               {P("/loop-a"), absl::StatusCode::kFailedPrecondition},
               {P("/chain44"), absl::StatusCode::kFailedPrecondition},
               {P("/" + std::string(300, 'n')), absl::StatusCode::kInvalidArgument},
               {P(std::string("/file\0hidden", 12)), absl::StatusCode::kInvalidArgument},
               {"", absl::StatusCode::kInvalidArgument},
               {"file", absl::StatusCode::kInvalidArgument}};
  for (const auto& row : kRows) {
    EXPECT_EQ(files_->Stat(row.path).status().code(), row.code) << row.path;
    EXPECT_EQ(files_->RealPath(row.path).status().code(), row.code) << row.path;
    EXPECT_EQ(files_->ReadFile(row.path, 10).status().code(), row.code) << row.path;
  }
  EXPECT_TRUE(files_->Stat(P("/chain39")).ok()) << "40 links are allowed";
  EXPECT_TRUE(files_->Lstat(P("/loop-a")).ok());
  EXPECT_TRUE(files_->Lstat(P("/dangling")).ok());
  EXPECT_EQ(files_->ListDirectory(P("/file")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(files_->Stat(P("/missing")).status().message(), HasSubstr(P("/missing: stat: ")));
}

TEST_P(PosixFileSystemTest, ReadFileIsBounded) {
  Write("/ten", "0123456789");
  Write("/empty", "");
  EXPECT_EQ(*files_->ReadFile(P("/ten"), 10), "0123456789");
  EXPECT_EQ(*files_->ReadFile(P("/ten"), std::string::npos), "0123456789");
  EXPECT_TRUE(absl::IsResourceExhausted(files_->ReadFile(P("/ten"), 9).status()));
  EXPECT_EQ(*files_->ReadFile(P("/empty"), 0), "");
  Write("/big", std::string(300000, 'x'));
  EXPECT_EQ(files_->ReadFile(P("/big"), 1 << 20)->size(), 300000u);
}

TEST_P(PosixFileSystemTest, ListDirectoryIsSorted) {
  Write("/d/b", "");
  Write("/d/a\nb", "");
  Write("/d/.hidden", "");
  std::filesystem::create_directory(Real("/empty"));
  EXPECT_THAT(*files_->ListDirectory(P("/d")), ElementsAre(".hidden", "a\nb", "b"));
  EXPECT_THAT(*files_->ListDirectory(P("/empty")), IsEmpty());
}

TEST_P(PosixFileSystemTest, AclIsReadThroughLinks) {
  Write("/plain", "");
  Write("/shared", "", 0660);
  // user::rw-, user:1000:rw-, group::r--, group:27:-w-, mask::rw-, other::---
  const unsigned char value[] = {2,  0, 0, 0,                          //
                                 1,  0, 6, 0, 0xff, 0xff, 0xff, 0xff,  //
                                 2,  0, 6, 0, 0xe8, 3,    0,    0,     //
                                 4,  0, 4, 0, 0xff, 0xff, 0xff, 0xff, 8,    0,    2,    0,
                                 27, 0, 0, 0, 16,   0,    6,    0,    0xff, 0xff, 0xff, 0xff,  //
                                 32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
  ASSERT_EQ(setxattr(Real("/shared").c_str(), "system.posix_acl_access", value, sizeof(value), 0),
            0)
      << strerror(errno) << ": the temporary directory must be on a file system with ACLs";
  Link("shared", "/to-shared");
  EXPECT_THAT(*files_->Acl(P("/plain")), IsEmpty());
  const auto acl = files_->Acl(P("/to-shared"));
  ASSERT_TRUE(acl.ok()) << acl.status();
  ASSERT_EQ(acl->size(), 3u);
  EXPECT_EQ((*acl)[0].tag, AclEntry::Tag::kUser);
  EXPECT_EQ((*acl)[0].qualifier, 1000u);
  EXPECT_EQ((*acl)[0].permissions, 6u);
  EXPECT_EQ((*acl)[1].tag, AclEntry::Tag::kGroup);
  EXPECT_EQ((*acl)[1].qualifier, 27u);
  EXPECT_EQ((*acl)[1].permissions, 2u);
  EXPECT_EQ((*acl)[2].tag, AclEntry::Tag::kMask);
  EXPECT_FALSE((*acl)[2].qualifier.has_value());
  EXPECT_TRUE(absl::IsNotFound(files_->Acl(P("/missing")).status()));
}

// Runs `body` in a child with another uid and no groups; true when the body returns true.
bool AsNobody(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    const bool dropped = setgroups(0, nullptr) == 0 && setgid(65534) == 0 && setuid(65534) == 0;
    _exit(dropped && body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_P(PosixFileSystemTest, RefusalsAreNotAbsence) {
  Write("/closed/file", "x");
  Write("/secret", "x", 0600);
  Write("/blind/file", "x");
  chmod(Real("/closed").c_str(), 0700);
  chmod(Real("/blind").c_str(), 0711);
  const std::string root = GetParam() == Way::kSlash ? "/" : dir_;
  const bool openat2 = GetParam() != Way::kWalk;
  const auto code = [&](const std::string& call) {
    const PosixFileSystem files(root, openat2);
    if (call == "stat below closed") return files.Stat(P("/closed/file")).status().code();
    if (call == "missing below closed") return files.Stat(P("/closed/none")).status().code();
    if (call == "real below closed") return files.RealPath(P("/closed/file")).status().code();
    if (call == "list closed") return files.ListDirectory(P("/closed")).status().code();
    if (call == "list blind") return files.ListDirectory(P("/blind")).status().code();
    if (call == "read secret") return files.ReadFile(P("/secret"), 10).status().code();
    if (call == "stat secret") return files.Stat(P("/secret")).status().code();
    if (call == "missing below blind") return files.Stat(P("/blind/none")).status().code();
    return files.ReadFile(P("/blind/file"), 10).status().code();
  };
  const struct {
    const char* call;
    absl::StatusCode code;
  } kRows[] = {{"stat below closed", absl::StatusCode::kPermissionDenied},
               {"missing below closed", absl::StatusCode::kPermissionDenied},
               {"real below closed", absl::StatusCode::kPermissionDenied},
               {"list closed", absl::StatusCode::kPermissionDenied},
               {"list blind", absl::StatusCode::kPermissionDenied},
               {"read secret", absl::StatusCode::kPermissionDenied},
               {"stat secret", absl::StatusCode::kOk},
               {"missing below blind", absl::StatusCode::kNotFound},
               {"read below blind", absl::StatusCode::kOk}};
  for (const auto& row : kRows) {
    EXPECT_TRUE(AsNobody([&] { return code(row.call) == row.code; })) << row.call;
  }
}

// Links that try to leave a root of its own.
class RootedTest : public PosixFileSystemTest {};
INSTANTIATE_TEST_SUITE_P(Ways, RootedTest, ::testing::Values(Way::kOpenat2, Way::kWalk));

TEST_P(RootedTest, NothingLeadsOut) {
  Write("/etc/passwd", "inside");
  Link("/etc/passwd", "/absolute");
  Link("../../../../../../etc/passwd", "/dots");
  Link("/proc/self/root/etc/passwd", "/magic");
  EXPECT_EQ(*files_->ReadFile("/absolute", 100), "inside");
  EXPECT_EQ(*files_->ReadFile("/dots", 100), "inside");
  EXPECT_EQ(*files_->ReadFile("/../../../etc/passwd", 100), "inside");
  EXPECT_TRUE(absl::IsNotFound(files_->ReadFile("/magic", 100).status()));
  EXPECT_EQ(*files_->RealPath("/dots"), "/etc/passwd");
  EXPECT_EQ(*files_->RealPath("/.."), "/");
  EXPECT_EQ(files_->Stat("/../..")->inode, files_->Stat("/")->inode);
  EXPECT_THAT(*files_->ListDirectory("/.."), ElementsAre("absolute", "dots", "etc", "magic"));
}

TEST(PosixFileSystemRootTest, ProcFilesAreReadThoughTheirSizeIsZero) {
  const PosixFileSystem files("/");
  EXPECT_THAT(*files.ReadFile("/proc/self/status", 1 << 16), HasSubstr("Pid:"));
  EXPECT_EQ(*files.RealPath("/proc/self/exe"), std::filesystem::read_symlink("/proc/self/exe"));
  EXPECT_THAT(*files.ReadLink("/proc/self/ns/net"), HasSubstr("net:["));
}

TEST(PosixFileSystemRootTest, AProcessViewIsReadAndItsEndIsNotAbsence) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    close(pipe_fds[1]);
    _exit(static_cast<int>(read(pipe_fds[0], &byte, 1)));
  }
  close(pipe_fds[0]);
  const PosixFileSystem files(absl::StrCat("/proc/", child, "/root"));
  EXPECT_EQ(files.Stat("/etc")->inode, PosixFileSystem("/").Stat("/etc")->inode);
  EXPECT_TRUE(absl::IsNotFound(files.Stat("/no-such-file").status()));
  close(pipe_fds[1]);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(absl::IsUnavailable(files.Stat("/no-such-file").status()));
  const PosixFileSystem late(absl::StrCat("/proc/", child, "/root"));
  EXPECT_TRUE(absl::IsUnavailable(late.Stat("/etc").status()));
  EXPECT_TRUE(absl::IsUnavailable(late.RealPath("/etc").status()));
}

TEST(ParsePosixAclTest, RefusesWhatIsNoAcl) {
  const std::string header("\2\0\0\0", 4);
  EXPECT_TRUE(ParsePosixAcl(header).ok());
  const std::string rows[] = {"", std::string("\3\0\0\0", 4), header + "odd",
                              header + std::string("\x40\0\6\0\0\0\0\0", 8),
                              header + std::string("\2\0\x10\0\0\0\0\0", 8)};
  for (const std::string& row : rows) {
    EXPECT_TRUE(absl::IsDataLoss(ParsePosixAcl(row).status())) << absl::CHexEscape(row);
  }
}

}  // namespace
}  // namespace plimsoll::host
