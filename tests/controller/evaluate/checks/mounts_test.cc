// Rules 5.05 (edge 11.02), 5.19, 5.31 (rules.md S8).
#include "tests/controller/evaluate/checks/container_cases.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// A bind whose source is its own canonical path.
std::string Bind(const std::string& source, bool rw = true, const std::string& more = "") {
  return absl::StrCat("mounts { type: 'bind' source: '", source, "' real_source: '", source,
                      "' resolution: RESOLVED source_type: DIRECTORY destination: '/x' "
                      "read_write: ",
                      rw ? "true" : "false", " ", more, " }\n");
}
// A bind through a symbolic link.
std::string Linked(const std::string& source, const std::string& real, bool rw = true) {
  return absl::StrCat(
      "mounts { type: 'bind' source: '", source, "' real_source: '", real,
      "' resolution: RESOLVED destination: '/x' read_write: ", rw ? "true" : "false", " }\n");
}
std::string Gone(const std::string& source) {
  return absl::StrCat("mounts { type: 'bind' source: '", source, "' real_source: '", source,
                      "' resolution: UNRESOLVED destination: '/x' read_write: true }\n");
}
std::string VolumeBind(const std::string& device, bool rw = true) {
  return absl::StrCat(
      "mounts { type: 'volume' name: 'v' driver: 'local' source: "
      "'/var/lib/docker/volumes/v/_data' real_source: '",
      device, "' resolution: VOLUME_BIND destination: '/x' read_write: ", rw ? "true" : "false",
      " }\n");
}
constexpr char kVolume[] =
    "mounts { type: 'volume' name: 'vol1' driver: 'local' source: "
    "'/var/lib/docker/volumes/vol1/_data' real_source: '/var/lib/docker/volumes/vol1/_data' "
    "resolution: RESOLVED destination: '/etc' read_write: true }";
constexpr char kTmpfs[] =
    "mounts { type: 'tmpfs' resolution: NO_HOST_PATH destination: '/etc' read_write: true }";
constexpr char kOpaque[] =
    "mounts { type: 'volume' name: 'v' driver: 'local' source: '/var/lib/docker/volumes/v/_data' "
    "resolution: OPTIONS_UNREADABLE destination: '/x' read_write: true }";
constexpr char kMergedUsr[] =
    "files { files { path: '/lib' outcome { state: OK } canonical_path: '/usr/lib' } }";

const RuleCases kSensitive(
    {"azure-docker/5.05", "edge-docker/11.02"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'plain'", "", Verdict::PASS),
        One("'bind-etc', 'bind-trailing', 'bind-dots'", Bind("/etc"), Verdict::FAIL, "/etc"),
        One("'bind-etc-ro'", Bind("/etc", false), Verdict::FAIL, "(ro)"),
        One("'bind-etc-sub'", Bind("/etc/default"), Verdict::FAIL),
        One("'bind-root'", Bind("/"), Verdict::FAIL),
        One("'bind-root-ro'", Bind("/", false), Verdict::FAIL),
        One("'bind-boot'", Bind("/boot"), Verdict::FAIL),
        One("'bind-dev'", Bind("/dev"), Verdict::FAIL),
        One("'bind-lib'", Linked("/lib", "/usr/lib"), Verdict::FAIL),
        One("'bind-proc'", Bind("/proc"), Verdict::FAIL),
        One("'bind-sys'", Bind("/sys"), Verdict::FAIL),
        One("'bind-usr'", Bind("/usr"), Verdict::FAIL),
        One("'bind-home'", Bind("/srv/data"), Verdict::PASS),
        One("'volume-named', 'volume-anon', whatever its destination", kVolume, Verdict::PASS),
        One("'tmpfs'", kTmpfs, Verdict::PASS),
        One("a name that starts alike", Bind("/etcetera"), Verdict::PASS),
        One("/dev is not everywhere", Bind("/srv/device"), Verdict::PASS),
        Noting(One("below, read-only", Bind("/etc/default", false), Verdict::PASS),
               "read_only_mount"),
        OneWith("below, read-only, judged", "judge_read_only_children: true",
                Bind("/etc/default", false), Verdict::FAIL),
        OneWith("the directory, read-only, accepted", "accept_read_only: true", Bind("/etc", false),
                Verdict::PASS),
        OneWith("the directory, read-write, accepted only read-only", "accept_read_only: true",
                Bind("/etc"), Verdict::FAIL),
        One("/etc/localtime is harmless", Bind("/etc/localtime"), Verdict::PASS),
        One("/etc/localtime, a link below /usr",
            Linked("/etc/localtime", "/usr/share/zoneinfo/UTC"), Verdict::PASS),
        One("a link to /etc", Linked("/srv/link", "/etc"), Verdict::FAIL),
        One("a volume that binds /etc", VolumeBind("/etc"), Verdict::FAIL, "/etc"),
        One("a volume that binds /srv", VolumeBind("/srv/x"), Verdict::PASS),
        Because(One("a volume whose options are hidden", kOpaque, Verdict::UNKNOWN),
                "not_collected"),
        One("a violation beside what is hidden", std::string(kOpaque) + Bind("/etc"),
            Verdict::FAIL),
        Noting(One("gone, judged by its text", Gone("/etc/gone"), Verdict::FAIL), "unresolved"),
        One("gone, elsewhere", Gone("/srv/gone"), Verdict::PASS),
        One("an ordinary mount before a bad one", Bind("/srv/a") + Bind("/sys"), Verdict::FAIL,
            "/sys"),
        Given(One("merged /usr: /lib read-only by its real name", Bind("/usr/lib", false),
                  Verdict::FAIL),
              kMergedUsr),
        One("/lib read-only, as written", Linked("/lib", "/usr/lib", false), Verdict::FAIL),
        OneWith("an extra directory", "extra: '/var/lib/docker'", Bind("/var/lib"), Verdict::FAIL),
        OneWith("an ancestor, not recursive, file systems not known", "extra: '/srv/a/b'",
                Bind("/srv/a", true, "non_recursive: true"), Verdict::UNKNOWN),
        Given(OneWith("an ancestor, not recursive, another file system", "extra: '/srv/a/b'",
                      Bind("/srv/a", true, "non_recursive: true"), Verdict::PASS),
              "files { files { path: '/srv/a' device: '8:1' } "
              "files { path: '/srv/a/b' device: '8:2' } }"),
        OneWith("directories of one's own", "directories: '/opt/'", Bind("/opt"), Verdict::FAIL),
    }));

std::string Propagated(const std::string& mode) {
  return Bind("/srv/shared", true, absl::StrCat("propagation: '", mode, "'"));
}

const RuleCases kPropagation(
    {"azure-docker/5.19"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'propagation-shared', '-mount-shared'", Propagated("shared"), Verdict::FAIL),
        One("'propagation-rshared'", Propagated("rshared"), Verdict::FAIL, "rshared"),
        One("'propagation-rslave'", Propagated("rslave"), Verdict::PASS),
        One("'bind-root' is rslave", Bind("/", true, "propagation: 'rslave'"), Verdict::PASS),
        One("private", Propagated("rprivate"), Verdict::PASS),
        One("a volume bound as shared",
            "mounts { type: 'volume' name: 'v' driver: 'local' real_source: '/srv' "
            "resolution: VOLUME_BIND volume_propagation: ['rshared'] }",
            Verdict::FAIL, "shared by its volume"),
        One("a volume bound as slave",
            "mounts { type: 'volume' name: 'v' driver: 'local' real_source: '/srv' "
            "resolution: VOLUME_BIND volume_propagation: ['rslave'] }",
            Verdict::PASS),
        One("a volume whose options are hidden", kOpaque, Verdict::UNKNOWN),
    }));

constexpr char kElsewhere[] =
    "daemon { command_line { settings { hosts { values: 'unix:///srv/d/engine.sock' } } } } "
    "engine { socket_path: '/srv/d/engine.sock' }";
constexpr char kHostsUnread[] = "daemon { command_line { outcome { state: PERMISSION_DENIED } } }";

const RuleCases kSocket(
    {"azure-docker/5.31"},
    WithCommon({
        {.name = "compliant base", .status = Verdict::PASS},
        {.name = "noncompliant base", .base = Base::kNoncompliant, .status = Verdict::FAIL},
        One("'bind-sock'", Linked("/var/run/docker.sock", "/run/docker.sock"), Verdict::FAIL,
            "/run/docker.sock"),
        One("'bind-sock-ro'", Linked("/var/run/docker.sock", "/run/docker.sock", false),
            Verdict::FAIL),
        One("'bind-sock-renamed'", Bind("/run/docker.sock"), Verdict::FAIL),
        One("'bind-sock-dir'", Linked("/var/run", "/run"), Verdict::FAIL),
        One("'bind-root'", Bind("/"), Verdict::FAIL),
        One("'bind-root-ro'", Bind("/", false), Verdict::FAIL),
        One("'bind-home'", Bind("/srv/data"), Verdict::PASS),
        One("'bind-etc'", Bind("/etc"), Verdict::PASS),
        One("/var is no ancestor", Bind("/var"), Verdict::PASS),
        One("another socket", Bind("/run/other.sock"), Verdict::PASS),
        One("a destination of that name",
            "mounts { type: 'volume' name: 'v' driver: 'local' real_source: '/v' "
            "resolution: RESOLVED destination: '/var/run/docker.sock' }",
            Verdict::PASS),
        One("a link to the socket", Linked("/srv/innocent", "/run/docker.sock"), Verdict::FAIL),
        One("a volume that binds /run", VolumeBind("/run"), Verdict::FAIL),
        One("a volume whose options are hidden", kOpaque, Verdict::UNKNOWN),
        Noting(One("gone, judged by its text", Gone("/var/run"), Verdict::FAIL), "unresolved"),
        Given(One("the socket of an engine that listens elsewhere", Bind("/srv/d"), Verdict::FAIL),
              kElsewhere),
        One("containerd's socket is another rule's", Bind("/run/containerd"), Verdict::PASS),
        OneWith("containerd's socket, asked for", "include_containerd: true",
                Bind("/run/containerd"), Verdict::FAIL),
        Because(Given(One("not all sockets are known", Bind("/srv/data"), Verdict::UNKNOWN),
                      kHostsUnread),
                "permission_denied"),
        Given(One("not all sockets are known, this one is", Bind("/run/docker.sock"),
                  Verdict::FAIL),
              kHostsUnread),
        Given(One("not all sockets are known, nothing is mounted", "", Verdict::PASS),
              kHostsUnread),
        Because(One("not recursive, file systems not known", Bind("/", true, "non_recursive: true"),
                    Verdict::UNKNOWN),
                "not_collected"),
        Given(One("not recursive, and the socket is on another file system",
                  Bind("/", true, "non_recursive: true"), Verdict::PASS),
              "files { files { path: '/' device: '8:1' } }"),
        {.name = "an exempt proxy",
         .clear = {"containers.containers[*]"},
         .facts = Containers(AContainer("proxy", Bind("/run/docker.sock"))),
         .args = "scope { exempt: 'proxy' }",
         .status = Verdict::NOT_APPLICABLE,
         .note = "exempt"},
    }));

}  // namespace
}  // namespace plimsoll::evaluate
