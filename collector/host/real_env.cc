#include "collector/host/real_env.h"

#include <utility>

#include "absl/strings/strip.h"
#include "collector/host/dbus_systemd.h"
#include "collector/host/files_name_service.h"
#include "collector/host/libaudit_netlink.h"
#include "collector/host/posix_file_system.h"
#include "collector/host/posix_name_service.h"
#include "collector/host/process_file_system.h"
#include "collector/host/unix_docker_client.h"

namespace plimsoll::host {

RealEnv::RealEnv(RealEnvOptions options, const support::Clock& clock) {
  // "" for the machine itself, so that it can stand before any absolute path.
  absl::string_view root = options.host_root;
  while (absl::ConsumeSuffix(&root, "/")) {
  }
  const std::string prefix(root);
  docker_ = std::make_unique<UnixDockerClient>(std::move(options.docker));
  files_ = std::make_unique<PosixFileSystem>(prefix.empty() ? "/" : prefix);
  audit_ = std::make_unique<LibauditNetlink>();
  if (prefix.empty()) {
    names_ = std::make_unique<PosixNameService>();
  } else {
    names_ = std::make_unique<FilesNameService>(*files_);
  }
  DbusSystemdOptions systemd;
  systemd.host_root = prefix;
  systemd_ = std::make_unique<DbusSystemd>(std::move(systemd));
  const auto files_of_process = [prefix](int64_t pid) -> std::unique_ptr<FileSystem> {
    return std::make_unique<ProcessFileSystem>(prefix, pid);
  };
  env_ = std::make_unique<HostEnv>(
      HostEnv{*docker_, *files_, files_of_process, *audit_, *names_, *systemd_, clock});
}

RealEnv::~RealEnv() = default;

}  // namespace plimsoll::host
