#include "controller/access/secret_box.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace plimsoll::access {
namespace {

class SecretBoxTest : public ::testing::Test {
 protected:
  SecretBoxTest() { std::filesystem::remove(file_); }
  ~SecretBoxTest() override { std::filesystem::remove(file_); }
  const std::string file_ = ::testing::TempDir() + "/secret_box_test.key";
};

TEST_F(SecretBoxTest, OpensWhatItSealedAndNothingElse) {
  const SecretBox box = *SecretBox::LoadOrCreate(file_);
  struct stat status = {};
  ASSERT_EQ(stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  std::string sealed = box.Seal("hush");
  EXPECT_EQ(sealed.find("hush"), std::string::npos);
  EXPECT_NE(sealed, box.Seal("hush")) << "equal secrets cannot be told";
  EXPECT_EQ(*SecretBox::LoadOrCreate(file_)->Open(sealed), "hush");
  sealed.back() = static_cast<char>(sealed.back() ^ 1);
  EXPECT_TRUE(absl::IsDataLoss(box.Open(sealed).status()));
  EXPECT_TRUE(absl::IsDataLoss(box.Open("short").status()));
  EXPECT_TRUE(absl::IsDataLoss(box.Open("").status()));
}

TEST_F(SecretBoxTest, RefusesAFileThatIsNoKey) {
  std::ofstream(file_) << "not a key\n";
  std::filesystem::permissions(
      file_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const absl::Status status = SecretBox::LoadOrCreate(file_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  // Without it the authority is lost: nobody is told to remove it.
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("certificate authority"));
  EXPECT_THAT(std::string(status.message()), testing::Not(testing::HasSubstr("remove")));
  std::ofstream(file_) << std::string(64, 'a');
  EXPECT_TRUE(SecretBox::LoadOrCreate(file_).ok());
  std::filesystem::permissions(file_, std::filesystem::perms(0644));
  EXPECT_TRUE(absl::IsFailedPrecondition(SecretBox::LoadOrCreate(file_).status()));
}

}  // namespace
}  // namespace plimsoll::access
