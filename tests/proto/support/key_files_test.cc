#include "proto/support/key_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"

namespace plimsoll::support {
namespace {

class KeyFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/plimsoll-keys-XXXXXX";
    ASSERT_NE(mkdtemp(dir), nullptr);
    dir_ = dir;
    path_ = dir_ + "/host.key";
    old_umask_ = umask(0);
  }
  void TearDown() override {
    umask(old_umask_);
    std::filesystem::remove_all(dir_);
  }
  static unsigned Mode(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }

  mode_t old_umask_ = 0;
  std::string dir_;
  std::string path_;
};

TEST_F(KeyFilesTest, FilesAreForTheirOwner) {
  const struct {
    unsigned mode;
    mode_t mask;
  } cases[] = {{0600, 0}, {0600, 0277}, {0644, 077}};
  for (const auto& c : cases) {
    umask(c.mask);
    ASSERT_TRUE(WritePrivateFile(path_, "secret", c.mode).ok());
    EXPECT_EQ(Mode(path_), c.mode);
  }
  umask(0);
  ASSERT_TRUE(WritePrivateFile(path_, "secret").ok());
  EXPECT_EQ(Mode(path_), 0600u);
  EXPECT_EQ(*ReadKeyFile(path_, true), "secret");
}

TEST_F(KeyFilesTest, AFileIsReplacedWhole) {
  ASSERT_TRUE(WritePrivateFile(path_, "a long first content").ok());
  std::ifstream reader(path_);
  std::ofstream(path_ + ".new") << "left by a crash";
  ASSERT_TRUE(WritePrivateFile(path_, "second").ok());
  EXPECT_EQ(*ReadKeyFile(path_, true), "second");
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
  std::string held;
  std::getline(reader, held);
  EXPECT_EQ(held, "a long first content") << "who had it open keeps the old file";
}

TEST_F(KeyFilesTest, ALinkIsReplacedAndNotFollowed) {
  const std::string target = dir_ + "/target";
  std::ofstream(target) << "untouched";
  ASSERT_EQ(symlink(target.c_str(), path_.c_str()), 0);
  ASSERT_EQ(symlink(target.c_str(), (path_ + ".new").c_str()), 0);
  ASSERT_TRUE(WritePrivateFile(path_, "secret").ok());
  EXPECT_EQ(*ReadKeyFile(target, false), "untouched");
  EXPECT_FALSE(std::filesystem::is_symlink(path_));
}

TEST_F(KeyFilesTest, SecretsThatOthersMayReadAreRefused) {
  ASSERT_TRUE(WritePrivateFile(path_, "secret").ok());
  for (const mode_t mode : {0640, 0604, 0660, 0610, 0644}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    const absl::Status status = ReadKeyFile(path_, true).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << mode << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "chmod 600 " + path_)) << status;
    EXPECT_TRUE(ReadKeyFile(path_, false).ok()) << mode;
  }
  ASSERT_EQ(chmod(path_.c_str(), 0400), 0);
  EXPECT_TRUE(ReadKeyFile(path_, true).ok());
}

TEST_F(KeyFilesTest, ACredentialOfSystemdIsClosed) {
  if (geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  ASSERT_TRUE(WritePrivateFile(path_, "secret").ok());
  const struct {
    uid_t owner;
    gid_t group;
    mode_t mode;
    bool read;
  } cases[] = {{0, 0, 0440, true},  {0, 0, 0640, false}, {0, 0, 0450, false}, {0, 0, 0444, false},
               {0, 1, 0440, false}, {1, 0, 0440, false}, {1, 1, 0440, false}, {1, 1, 0400, true}};
  for (const auto& c : cases) {
    ASSERT_EQ(chown(path_.c_str(), c.owner, c.group), 0);
    ASSERT_EQ(chmod(path_.c_str(), c.mode), 0);
    EXPECT_EQ(ReadKeyFile(path_, true).ok(), c.read) << c.owner << ":" << c.group << " " << c.mode;
  }
}

TEST_F(KeyFilesTest, OnlySmallRegularFilesAreRead) {
  EXPECT_TRUE(absl::IsNotFound(ReadKeyFile(path_, true).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadKeyFile(dir_, true).status()));
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const absl::Status fifo = ReadKeyFile(path_, true).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(fifo)) << fifo;
  EXPECT_TRUE(absl::StrContains(fifo.message(), "not a regular file")) << fifo;
  const std::string large = dir_ + "/large";
  ASSERT_TRUE(WritePrivateFile(large, std::string(1 << 20, 'x')).ok());
  EXPECT_EQ(ReadKeyFile(large, true)->size(), size_t{1} << 20);
  ASSERT_TRUE(WritePrivateFile(large, std::string((1 << 20) + 1, 'x')).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadKeyFile(large, true).status()));
}

TEST_F(KeyFilesTest, ErrorsNameTheFile) {
  const absl::Status status = WritePrivateFile(dir_ + "/none/key", "secret");
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), dir_ + "/none/key")) << status;
  EXPECT_FALSE(absl::StrContains(status.message(), "secret")) << status;
}

TEST_F(KeyFilesTest, ADirectoryIsSyncedOrNamed) {
  EXPECT_TRUE(SyncDirectory(dir_).ok());
  const absl::Status status = SyncDirectory(dir_ + "/none");
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), dir_ + "/none")) << status;
  // A file of the working directory has no folder in its name.
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir_);
  EXPECT_TRUE(WritePrivateFile("here", "secret").ok());
  std::filesystem::current_path(before);
  EXPECT_EQ(*ReadKeyFile(dir_ + "/here", true), "secret");
}

TEST_F(KeyFilesTest, DirectoriesAreForTheirOwner) {
  const std::string made = dir_ + "/a/b/pki";
  ASSERT_TRUE(MakePrivateDirectory(made).ok());
  EXPECT_EQ(Mode(made), 0700u);
  EXPECT_TRUE(MakePrivateDirectory(made).ok()) << "again";
  std::ofstream(path_) << "a file";
  const absl::Status status = MakePrivateDirectory(path_ + "/pki");
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(absl::StrContains(status.message(), path_ + "/pki")) << status;
  EXPECT_FALSE(MakePrivateDirectory(path_).ok()) << "a file is no directory";
}

}  // namespace
}  // namespace plimsoll::support
