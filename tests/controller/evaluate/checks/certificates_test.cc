// Registry certificates and the files of the TLS settings: azure-docker 3.07 to 3.14, edge-docker
// 8.07 to 8.14.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

constexpr char kCa[] = "/etc/docker/tls/ca.pem";
constexpr char kCertificate[] = "/etc/docker/tls/cert.pem";
constexpr char kKey[] = "/etc/docker/tls/key.pem";

// A good certificate, with `rest` laid over it. For use inside "files { }".
std::string Certificate(const std::string& name, const std::string& rest) {
  const std::string path = absl::StrCat("path: '/etc/docker/certs.d/r/", name, "'");
  return absl::StrCat("registry_certificates { ", path,
                      " outcome { state: OK } type: REGULAR mode: 0444 } registry_certificates { ",
                      path, " ", rest, " } ");
}

std::string Files(const std::string& a, const std::string& b = "") {
  return absl::StrCat("files { ", a, b, " }");
}

std::vector<Case> CertificateCases(const std::string& good, const std::string& bad) {
  return {
      {.name = "one file", .status = Verdict::PASS, .findings = 1},
      {.name = "key",
       .facts = Files(Certificate("client.key", bad)),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "cert",
       .facts = Files(Certificate("client.cert", bad)),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "pem",
       .facts = Files(Certificate("x.pem", bad)),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "deeper",
       .facts = Files(Certificate("a/b/ca.crt", bad)),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "two bad ones are two findings",
       .facts = Files(Certificate("a.crt", bad), Certificate("b.crt", bad)),
       .status = Verdict::FAIL,
       .findings = 2},
      {.name = "another kind of file",
       .facts = Files(Certificate("README", bad)),
       .status = Verdict::PASS},
      {.name = "good one more",
       .facts = Files(Certificate("b.crt", good)),
       .status = Verdict::PASS,
       .findings = 2},
      {.name = "own patterns",
       .facts = Files(Certificate("README", bad)),
       .args = "patterns: 'READ*'",
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "no matching file",
       .clear = {"files.registry_certificates"},
       .status = Verdict::NOT_APPLICABLE,
       .reason = "no_objects"},
      {.name = "no directory",
       .clear = {"files.registry_certificates"},
       .facts = "files { registry_certificates_outcome { state: NOT_PRESENT } }",
       .status = Verdict::NOT_APPLICABLE,
       .reason = "file_absent"},
      {.name = "directory unread",
       .facts = "files { registry_certificates_outcome { state: PERMISSION_DENIED } }",
       .status = Verdict::UNKNOWN,
       .reason = "permission_denied"},
      {.name = "cut off",
       .facts = "files { registry_certificates_outcome { state: TRUNCATED } }",
       .status = Verdict::UNKNOWN,
       .reason = "partial_listing"},
      {.name = "cut off, but a violation is there",
       .facts =
           Files("registry_certificates_outcome { state: TRUNCATED } ", Certificate("a.crt", bad)),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "one file unread",
       .facts = Files(Certificate("a.crt", "outcome { state: TIMED_OUT }")),
       .status = Verdict::UNKNOWN,
       .reason = "timed_out",
       .findings = 1},
      {.name = "nothing was collected", .base = Base::kEmpty, .status = Verdict::UNKNOWN},
  };
}

const RuleCases kCertificateOwner({"azure-docker/3.07", "edge-docker/8.07"},
                                  CertificateCases("uid: 0", "gid: 998"));
const RuleCases kCertificateMode({"azure-docker/3.08", "edge-docker/8.08"},
                                 CertificateCases("mode: 0400", "mode: 0422"));
const RuleCases kKeyMode({"azure-docker/3.08", "edge-docker/8.08"},
                         {{.name = "key held to less",
                           .facts = Files(Certificate("client.key", "uid: 0")),
                           .args = "key_mode: '0400'",
                           .status = Verdict::FAIL,
                           .findings = 1},
                          {.name = "certificates are not",
                           .facts = Files(Certificate("client.cert", "uid: 0")),
                           .args = "key_mode: '0400'",
                           .status = Verdict::PASS}});

// "$S" is the setting, "$N" the default file's name, "$F" the configured file.
std::vector<Case> TlsCases(const std::string& name, const std::string& base_name,
                           const std::string& file) {
  const std::string setting = absl::StrCat("daemon.config_file.settings.", name);
  constexpr char kBad[] = "outcome { state: OK } uid: 7 mode: 0666";
  std::vector<Case> cases = {
      {.name = "no path, no TLS",
       .clear = {setting, "daemon.config_file.settings.tlsverify"},
       .status = Verdict::NOT_APPLICABLE,
       .reason = "tls_not_configured"},
      {.name = "path without TLS is judged",
       .clear = {"daemon.config_file.settings.tlsverify"},
       .facts = absl::StrCat("files { files { path: '$F' ", kBad, " } }"),
       .status = Verdict::FAIL},
      {.name = "path given as a flag",
       .clear = {setting},
       .facts = absl::StrCat("daemon { command_line { settings { $S: '/srv/x' } } }",
                             "files { files { path: '/srv/x' ", kBad, " } }"),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "flag decides without the file",
       .clear = {setting},
       .facts = absl::StrCat("daemon { command_line { settings { $S: '/srv/x' } } config_file { "
                             "outcome { state: PERMISSION_DENIED } } }",
                             "files { files { path: '/srv/x' ", kBad, " } }"),
       .status = Verdict::FAIL},
      {.name = "configured, but missing",
       .facts = "files { files { path: '$F' outcome { state: NOT_PRESENT } } }",
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "command line unread",
       .facts = "daemon { command_line { outcome { state: PERMISSION_DENIED } } }",
       .status = Verdict::UNKNOWN,
       .reason = "permission_denied"},
      {.name = "file unread",
       .facts = "daemon { config_file { outcome { state: PERMISSION_DENIED } } }",
       .status = Verdict::UNKNOWN,
       .reason = "permission_denied"},
      {.name = "relative path",
       .clear = {setting},
       .facts = absl::StrCat("daemon { working_directory: '/srv' config_file { settings { $S: "
                             "'certs/x' } } }",
                             "files { files { path: '/srv/certs/x' ", kBad, " } }"),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "relative to nowhere",
       .clear = {setting},
       .facts = "daemon { working_directory: '' config_file { settings { $S: 'certs/x' } } }",
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "TLS without a path: default file",
       .clear = {setting},
       .facts = absl::StrCat("files { files { path: '/root/.docker/$N' ", kBad, " } }"),
       .status = Verdict::FAIL,
       .findings = 1},
      {.name = "--tlsverify=false is TLS",
       .clear = {setting},
       .facts = absl::StrCat("daemon { config_file { settings { tlsverify: false } } }",
                             "files { files { path: '/root/.docker/$N' ", kBad, " } }"),
       .status = Verdict::FAIL},
      {.name = "default file absent",
       .clear = {setting},
       .facts = "files { files { path: '/root/.docker/$N' outcome { state: NOT_PRESENT } } }",
       .status = Verdict::NOT_APPLICABLE,
       .reason = "file_absent"},
      {.name = "default file not looked at",
       .clear = {setting},
       .status = Verdict::UNKNOWN,
       .reason = "not_collected"},
      {.name = "DOCKER_CERT_PATH",
       .clear = {setting},
       .facts = absl::StrCat("daemon { environment { docker_cert_path: '/srv/tls' } }",
                             "files { files { path: '/srv/tls/$N' ", kBad, " } }"),
       .status = Verdict::FAIL},
      {.name = "environment unread",
       .clear = {setting},
       .facts = "daemon { environment { outcome { state: PERMISSION_DENIED } } }",
       .status = Verdict::UNKNOWN,
       .reason = "permission_denied"},
      {.name = "edited after start, good file",
       .facts = "daemon { config_file { modify_time { seconds: 1767200000 } } }",
       .status = Verdict::UNKNOWN,
       .reason = "config_newer_than_process"},
      {.name = "edited after start, bad file",
       .facts = absl::StrCat("daemon { config_file { modify_time { seconds: 1767200000 } } }",
                             "files { files { path: '$F' ", kBad, " } }"),
       .status = Verdict::FAIL,
       .reason = "pending_restart"},
      {.name = "edited after start, no TLS in it",
       .clear = {setting, "daemon.config_file.settings.tlsverify"},
       .facts = "daemon { config_file { modify_time { seconds: 1767200000 } } }",
       .status = Verdict::UNKNOWN,
       .reason = "config_newer_than_process"},
  };
  for (Case& c : cases) {
    c.facts = absl::StrReplaceAll(c.facts, {{"$S", name}, {"$N", base_name}, {"$F", file}});
  }
  return cases;
}

const RuleCases kTls[] = {
    {{"azure-docker/3.09", "azure-docker/3.10", "edge-docker/8.09", "edge-docker/8.10"},
     TlsCases("tlscacert", "ca.pem", kCa)},
    {{"azure-docker/3.11", "azure-docker/3.12", "edge-docker/8.11", "edge-docker/8.12"},
     TlsCases("tlscert", "cert.pem", kCertificate)},
    {{"azure-docker/3.13", "azure-docker/3.14", "edge-docker/8.13", "edge-docker/8.14"},
     TlsCases("tlskey", "key.pem", kKey)},
};

}  // namespace
}  // namespace plimsoll::evaluate
