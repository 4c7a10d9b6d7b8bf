// Sample hosts of any size, for benchmarks and for tests that need facts and not their meaning.
#pragma once

#include <google/protobuf/text_format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::testing {

// How the containers of a sample host are run.
enum class Habit {
  // As in tests/fixtures/facts/compliant.textproto: limits, no root, nothing shared.
  kHardened,
  // As `docker run -d` and most compose files leave them: root, no limits, writable, restarted
  // always;
  // every tenth publishes a port on all addresses, every twenty-fifth mounts the engine's socket.
  kUsual,
};

// The host of compliant.textproto, with `container_count` running containers of its "web" instead
// of those it has, and an image for every fifth. Aborts when the fixture cannot be read.
inline v1::HostFacts SampleHost(int container_count, Habit habit) {
  std::ifstream file(
      absl::StrCat(PLIMSOLL_SOURCE_DIR, "/tests/fixtures/facts/compliant.textproto"));
  std::stringstream text;
  text << file.rdbuf();
  v1::HostFacts facts;
  if (!google::protobuf::TextFormat::ParseFromString(text.str(), &facts)) std::abort();
  const v1::Container web = facts.containers().containers(0);
  const v1::Image image = facts.images().images(0);
  facts.mutable_containers()->clear_containers();
  facts.mutable_images()->clear_images();
  for (int i = 0; i < (container_count + 4) / 5; ++i) {
    v1::Image& copy = *facts.mutable_images()->add_images();
    copy = image;
    copy.set_id(absl::StrFormat("sha256:%064x", i + 1));
    copy.set_repo_tags(0, absl::StrCat("registry.example.com/app-", i, ":1.4"));
    copy.set_container_count(5);
    if (habit == Habit::kUsual) {
      copy.clear_user();
      copy.set_healthcheck(v1::HEALTHCHECK_ABSENT);
    }
  }
  for (int i = 0; i < container_count; ++i) {
    v1::Container& c = *facts.mutable_containers()->add_containers();
    c = web;
    c.set_id(absl::StrFormat("%064x", 0x1000 + i));
    c.set_name(absl::StrCat("app-", i / 5, "-", i % 5));
    c.set_image_id(absl::StrFormat("sha256:%064x", i / 5 + 1));
    c.set_pid(2000 + i);
    c.mutable_ports(0)->set_host_port(20000 + i);
    c.mutable_runtime()->mutable_namespaces()->set_net(40000 + i);
    if (habit == Habit::kHardened) continue;
    c.clear_user();
    c.set_readonly_rootfs(false);
    c.clear_cap_drop();
    c.clear_security_options();
    c.set_state_file_no_new_privileges(false);
    c.clear_memory_limit_bytes();
    c.clear_pids_limit();
    c.set_restart_policy("always");
    c.clear_restart_maximum_retry_count();
    c.set_healthcheck(v1::HEALTHCHECK_ABSENT);
    c.mutable_runtime()->set_no_new_privs(false);
    if (i % 10 == 0) c.mutable_ports(0)->set_host_ip("0.0.0.0");
    if (i % 25 == 0) {
      v1::Container::Mount& socket = *c.add_mounts();
      socket.set_type("bind");
      socket.set_source("/var/run/docker.sock");
      socket.set_real_source("/run/docker.sock");
      socket.set_resolution(v1::Container::Mount::RESOLVED);
      socket.set_source_type(v1::Container::Mount::SOCKET);
      socket.set_destination("/var/run/docker.sock");
    }
  }
  return facts;
}

}  // namespace plimsoll::testing
