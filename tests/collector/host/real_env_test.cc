#include "collector/host/real_env.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace plimsoll::host {
namespace {

TEST(RealEnvTest, TheMachineItself) {
  RealEnv real({});
  HostEnv& env = real.env();
  EXPECT_EQ(env.files.Stat("/")->type, FileType::kDirectory);
  EXPECT_EQ(env.files_of_process(getpid())->Stat("/etc")->inode, env.files.Stat("/etc")->inode);
  EXPECT_EQ(env.names.UserById(0)->name, "root");
}

TEST(RealEnvTest, AMountedHost) {
  char name[] = "/tmp/plimsoll-env-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string root = name;
  std::filesystem::create_directories(root + "/etc");
  std::filesystem::create_directories(root + "/proc/77");
  std::filesystem::create_symlink("/proc/self/root", root + "/proc/77/root");
  std::ofstream(root + "/etc/passwd") << "chief:x:0:0::/home/chief:/bin/sh\n";
  for (const std::string& spelled : {root, root + "//"}) {
    RealEnv real({.docker = {}, .host_root = spelled});
    HostEnv& env = real.env();
    EXPECT_EQ(env.names.UserById(0)->name, "chief");
    EXPECT_TRUE(env.files.Stat("/etc/passwd").ok());
    EXPECT_TRUE(absl::IsNotFound(env.files.Stat("/etc/group").status()));
    EXPECT_TRUE(env.files_of_process(77)->Stat("/proc/self").ok());
    EXPECT_TRUE(absl::IsUnavailable(env.files_of_process(78)->Stat("/etc").status()));
    EXPECT_TRUE(absl::IsUnimplemented(env.systemd.Unit("docker.service").status()));
  }
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace plimsoll::host
