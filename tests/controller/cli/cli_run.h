// Runs the command line in the test's process, and keeps what it prints.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/cli/command.h"

namespace plimsoll::cli {

// What a run left behind.
struct Ran {
  int exit_status;
  std::string out;
  std::string err;
};

// `plimsoll ARGUMENTS`.
inline Ran Plimsoll(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const int exit_status = RunCli(arguments, out, err);
  return {exit_status, out.str(), err.str()};
}

// A folder of the test's own, gone with it; the user's configuration and environment are out of
// sight meanwhile.
class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cli-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    dir_ = pattern;
    setenv("XDG_CONFIG_HOME", dir_.c_str(), 1);
    for (const char* name :
         {"PLIMSOLL_SERVER", "PLIMSOLL_CA", "PLIMSOLL_TOKEN_FILE", "PLIMSOLL_CREDENTIALS"}) {
      unsetenv(name);
    }
  }
  ~CliTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  std::string Path(const std::string& name) const { return absl::StrCat(dir_, "/", name); }

  // Writes `content` and returns the path.
  std::string Write(const std::string& name, const std::string& content, mode_t mode = 0600) const {
    const std::string path = Path(name);
    std::ofstream(path, std::ios::binary) << content;
    chmod(path.c_str(), mode);
    return path;
  }

 private:
  std::string dir_;
};

// Commands against a fake controller over TLS. The fake knows the token "plb_good".
template <class Fake>
class ServedTest : public CliTest {
 protected:
  Ran Ask(const std::vector<std::string>& command) const {
    std::vector<std::string> arguments = {"--server", fake_.address(), "--ca",
                                          ca_,        "--token-file",  token_};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return Plimsoll(arguments);
  }

  Fake fake_;
  const std::string ca_ = Write("ca.pem", fake_.ca_pem());
  const std::string token_ = Write("token", "plb_good\n");
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Compares with golden/NAME beside this file; with UPDATE_GOLDEN=1 in the environment, writes it
// instead.
inline void ExpectGolden(const std::string& name, const std::string& actual) {
  const std::string path = absl::StrCat(PLIMSOLL_SOURCE_DIR, "/tests/controller/cli/golden/", name);
  const char* update = std::getenv("UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  EXPECT_EQ(actual, ReadFile(path))
      << "differs from " << path << "; if that is meant, run with UPDATE_GOLDEN=1";
}

// Bytes that a terminal would act upon, or that hide what is there: none may reach the output.
inline void ExpectHarmless(const std::string& text) {
  for (const char* bad : {"\x1b", "\x07", "\x08", "\r", "\x7f", "\xc2\x9b", "\xe2\x80\xae",
                          "\xe2\x81\xa6", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xff"}) {
    EXPECT_EQ(text.find(bad), std::string::npos)
        << "the output has " << testing::PrintToString(std::string(bad)) << ":\n"
        << testing::PrintToString(text);
  }
}

// A small document of our own, so that the shipped texts can change without touching the tests.
inline constexpr char kSmallBaseline[] = R"(id: small
version: 1.2.3
title: A small baseline
source: tests
description: Five rules over a few kinds of check.
sections:
  - {id: "3", title: Files}
  - {id: "5", title: Containers}
rules:
  - id: "3.05"
    slug: etc-docker-owner
    title: /etc/docker belongs to root
    severity: high
    scope: host
    description: Who owns the folder owns the engine.
    remediation: chown root:root /etc/docker
    check: {file_owner: {path: /etc/docker, owner: root, group: root}}
  - id: "5.04"
    slug: container-not-privileged
    title: No container is privileged
    severity: critical
    scope: container
    description: A privileged container is the host.
    remediation: Run it without --privileged.
    check: {container_not_privileged: {}}
  - id: "5.10"
    slug: container-memory-limited
    title: Every container has a memory limit
    severity: medium
    scope: container
    description: One container must not starve the rest.
    rationale: Memory is shared.
    remediation: |
      Start it with --memory,
      or set deploy.resources.limits.memory.
    references:
      - {document: CIS Docker Benchmark 1.6, id: "5.11"}
    check: {container_memory_limited: {}}
  - id: "5.12"
    slug: container-read-only-root
    title: Root file systems are read-only
    severity: low
    scope: container
    description: What cannot be written cannot be changed.
    remediation: Run it with --read-only.
    check: {container_read_only_root: {}}
  - id: "5.31"
    slug: container-engine-socket-not-mounted
    title: No container holds the engine's socket
    severity: critical
    scope: container
    description: Who holds the socket is root on the host.
    remediation: Do not mount it.
    check: {container_engine_socket_not_mounted: {}}
)";

}  // namespace plimsoll::cli
