#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/sources/container_parse.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::Has;

// An inspect reply with pieces put into its parts; each piece starts with a comma, or is empty.
std::string Inspect(const std::string& host_config, const std::string& config = "",
                    const std::string& more = "") {
  return absl::StrCat(R"({"Id":"c1","State":{"Status":"running"},"HostConfig":{"Privileged":false)",
                      host_config, R"(},"Config":{"User":"")", config, "}", more, "}");
}

v1::Container Read(const std::string& body) {
  v1::Container container;
  container.set_id("c1");
  const absl::Status status = ReadInspectedContainer(body, AllowedLabels({}), &container);
  EXPECT_TRUE(status.ok()) << status;
  return container;
}

TEST(ReadSecurityOptions, SplitsAsTheEngineDoes) {
  const struct {
    const char* options;
    const char* expected;
  } kCases[] = {
      {R"(["no-new-privileges=1"])", "no_new_privileges: true"},
      {R"(["no-new-privileges:T"])", "no_new_privileges: true"},
      {R"(["no-new-privileges=False"])", "no_new_privileges: false"},
      {R"(["no-new-privileges=f"])", "no_new_privileges: false"},
      {R"(["no-new-privileges","no-new-privileges=false"])", "no_new_privileges: false"},
      {R"(["no-new-privileges:false","no-new-privileges"])", "no_new_privileges: true"},
      {R"(["no-new-privileges=yes"])", "other_count: 1"},
      {R"(["no-new-privileges="])", "other_count: 1"},
      {R"(["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"])", "seccomp: SECCOMP_CUSTOM"},
      {R"(["seccomp:unconfined"])", "seccomp: SECCOMP_UNCONFINED"},
      {R"(["seccomp=builtin"])", "seccomp: SECCOMP_DEFAULT"},
      {R"(["seccomp=unconfined","seccomp=builtin"])", "seccomp: SECCOMP_DEFAULT"},
      {R"(["apparmor=my:profile=x"])", "apparmor: 'my:profile=x'"},
      {R"(["label:disable"])", "label_disabled: true"},
      {R"(["disable"])", "label_disabled: true"},
      {R"(["label:type:t_t","label=level:s0"])", "label_type: 't_t' label_level: 's0'"},
      {R"(["label=user:u"])", "other_count: 1"},
      {R"(["systempaths=unconfined"])", "systempaths_unconfined: true"},
      {R"(["writable-cgroups=true","what"])", "other_count: 2"},
      {"null", "other_count: 0"},
  };
  for (const auto& c : kCases) {
    const v1::Container container = Read(Inspect(absl::StrCat(R"(,"SecurityOpt":)", c.options)));
    EXPECT_TRUE(Has(container.security_options(), c.expected)) << c.options;
    const bool sets = absl::StartsWith(c.expected, "no_new");
    EXPECT_EQ(container.security_options().has_no_new_privileges(), sets) << c.options;
  }
  EXPECT_FALSE(Read(Inspect(R"(,"MaskedPaths":[],"ReadonlyPaths":null)"))
                   .security_options()
                   .systempaths_unconfined());
}

TEST(ReadPorts, SortsLiveAndConfigured) {
  const v1::Container container = Read(Inspect(
      R"(,"PortBindings":{"80":[{"HostPort":"8000-8010"}],"99999/tcp":[{"HostPort":"x"}]})",
      R"(,"ExposedPorts":{"80/tcp":{},"81/tcp":{},"82/sctp":{}})",
      R"(,"NetworkSettings":{"Ports":{"81/tcp":null,"443/tcp":[{"HostIp":"::","HostPort":"443"}]}})"));
  EXPECT_TRUE(Has(container, R"pb(
    ports { container_port: 0 protocol: "tcp" host_port: 0 origin: CONFIGURED }
    ports { container_port: 80 protocol: "tcp" host_port: 8000 origin: CONFIGURED }
    ports { container_port: 443 protocol: "tcp" host_ip: "::" host_port: 443 origin: LIVE }
    exposed_only_count: 2)pb"));
}

}  // namespace
}  // namespace plimsoll::sources
