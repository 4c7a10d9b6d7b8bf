#include "collector/host/dbus_systemd.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// libsystemd as the program finds it: at run time.
template <typename Function>
Function* Sd(const char* name) {
  static void* const library = dlopen("libsystemd.so.0", RTLD_NOW);
  return reinterpret_cast<Function*>(dlsym(library, name));
}
#define SD(name) Sd<decltype(::name)>(#name)

// How the made-up systemd behaves.
struct Script {
  // Unit names it refuses to load.
  std::string refused = "";
  // Answers FragmentPath with a number.
  bool wrong_type = false;
  // Closes each connection after so many replies; 0: never.
  int replies_before_hangup = 0;
};

// A systemd that listens on <root>/run/systemd/private, as the real one does for root: one
// connection at a time, no bus between.
class FakeSystemd {
 public:
  FakeSystemd(const std::string& root, Script script) : script_(std::move(script)) {
    std::filesystem::create_directories(root + "/run/systemd/system");
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/systemd/private", root.c_str());
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bound_ = bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
             listen(listener_, 8) == 0;
    thread_ = std::thread([this] { Serve(); });
  }
  ~FakeSystemd() {
    stop_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  bool bound() const { return bound_; }
  int connections() const { return connections_; }

 private:
  void Serve() {
    while (!stop_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) return;
      ++connections_;
      replies_ = 0;
      Talk(fd);
    }
  }
  void Talk(int fd) {
    sd_bus* bus = nullptr;
    SD(sd_bus_new)(&bus);
    SD(sd_bus_set_fd)(bus, fd, fd);
    SD(sd_bus_set_server)(bus, 1, sd_id128_t{{1, 2, 3}});
    SD(sd_bus_set_anonymous)(bus, 1);
    SD(sd_bus_add_filter)(bus, nullptr, &FakeSystemd::Handle, this);
    int result = SD(sd_bus_start)(bus);
    while (result >= 0 && !stop_ && !HangUp()) {
      result = SD(sd_bus_process)(bus, nullptr);
      if (result == 0) result = SD(sd_bus_wait)(bus, 20000);
    }
    SD(sd_bus_flush)(bus);
    SD(sd_bus_close)(bus);
    SD(sd_bus_unref)(bus);
  }
  bool HangUp() const {
    return script_.replies_before_hangup > 0 && replies_ >= script_.replies_before_hangup;
  }

  static int Handle(sd_bus_message* call, void* data, sd_bus_error* error) {
    if (SD(sd_bus_message_is_method_call)(call, nullptr, nullptr) <= 0) return 0;
    FakeSystemd& self = *static_cast<FakeSystemd*>(data);
    ++self.replies_;
    const auto reply = SD(sd_bus_reply_method_return);
    const std::string member = SD(sd_bus_message_get_member)(call);
    const char* first = nullptr;
    const char* second = nullptr;
    if (member == "LoadUnit") {
      SD(sd_bus_message_read)(call, "s", &first);
      if (self.script_.refused == first) {
        return SD(sd_bus_reply_method_errorf)(call, SD_BUS_ERROR_ACCESS_DENIED, "refused");
      }
      const std::string path = first == std::string("docker.socket")    ? "docker_2esocket"
                               : first == std::string("docker.service") ? "docker_2eservice"
                                                                        : "other";
      return reply(call, "o", ("/org/freedesktop/systemd1/unit/" + path).c_str());
    }
    SD(sd_bus_message_read)(call, "ss", &first, &second);
    const std::string path = SD(sd_bus_message_get_path)(call);
    const std::string property = second;
    const bool other = path == "/org/freedesktop/systemd1/unit/other";
    if (property == "LoadState") return reply(call, "v", "s", other ? "not-found" : "loaded");
    if (property == "FragmentPath") {
      if (self.script_.wrong_type) return reply(call, "v", "u", 7);
      return reply(call, "v", "s", other ? "" : "/lib/systemd/system/docker.x");
    }
    if (property == "DropInPaths") {
      return other ? reply(call, "v", "as", 0)
                   : reply(call, "v", "as", 2, "/etc/systemd/system/docker.x.d/a.conf",
                           "/etc/systemd/system/docker.x.d/b.conf");
    }
    if (property == "MainPID") return reply(call, "v", "u", 4242);
    if (property == "Listen") {
      return reply(call, "v", "a(ss)", 2, "Stream", "/run/docker.sock", "Stream", "[::]:2375");
    }
    if (property == "SocketUser") return reply(call, "v", "s", "root");
    if (property == "SocketGroup") return reply(call, "v", "s", "docker");
    if (property == "SocketMode") return reply(call, "v", "u", 0660);
    return SD(sd_bus_reply_method_errorf)(call, SD_BUS_ERROR_UNKNOWN_PROPERTY, "unknown");
  }

  const Script script_;
  int listener_ = -1;
  bool bound_ = false;
  std::atomic<bool> stop_ = false;
  std::atomic<int> connections_ = 0;
  int replies_ = 0;
  std::thread thread_;
};

class DbusSystemdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/plimsoll-sd-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    options_.host_root = name;
  }
  void TearDown() override { std::filesystem::remove_all(options_.host_root); }

  DbusSystemdOptions options_;
};

TEST_F(DbusSystemdTest, WithoutSystemdIsUnimplemented) {
  DbusSystemd bus(options_);
  EXPECT_TRUE(absl::IsUnimplemented(bus.Unit("docker.service").status()));
}

TEST_F(DbusSystemdTest, WithoutTheLibraryIsUnimplemented) {
  std::filesystem::create_directories(options_.host_root + "/run/systemd/system");
  options_.soname = "libsystemd-that-is-not-there.so.0";
  const auto unit = DbusSystemd(options_).Unit("docker.service");
  EXPECT_TRUE(absl::IsUnimplemented(unit.status()));
  EXPECT_THAT(unit.status().message(), HasSubstr("libsystemd-that-is-not-there.so.0"));
}

TEST_F(DbusSystemdTest, WithoutABusIsUnavailable) {
  std::filesystem::create_directories(options_.host_root + "/run/systemd/system");
  EXPECT_TRUE(absl::IsUnavailable(DbusSystemd(options_).Unit("docker.service").status()));
}

TEST_F(DbusSystemdTest, ReadsServiceAndSocketOverOneConnection) {
  const FakeSystemd systemd(options_.host_root, {});
  ASSERT_TRUE(systemd.bound());
  DbusSystemd bus(options_);
  const auto service = bus.Unit("docker.service");
  ASSERT_TRUE(service.ok()) << service.status();
  EXPECT_EQ(service->load_state, "loaded");
  EXPECT_EQ(service->fragment_path, "/lib/systemd/system/docker.x");
  EXPECT_THAT(service->drop_in_paths, ElementsAre("/etc/systemd/system/docker.x.d/a.conf",
                                                  "/etc/systemd/system/docker.x.d/b.conf"));
  EXPECT_EQ(service->main_pid, 4242);
  EXPECT_THAT(service->listen, IsEmpty());
  EXPECT_EQ(service->socket_mode, "");

  const auto socket = bus.Unit("docker.socket");
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_THAT(socket->listen,
              ElementsAre(Pair("Stream", "/run/docker.sock"), Pair("Stream", "[::]:2375")));
  EXPECT_EQ(socket->socket_user, "root");
  EXPECT_EQ(socket->socket_group, "docker");
  EXPECT_EQ(socket->socket_mode, "0660");
  EXPECT_EQ(socket->main_pid, 0);

  const auto absent = bus.Unit("none.target");
  ASSERT_TRUE(absent.ok()) << absent.status();
  EXPECT_EQ(absent->load_state, "not-found");
  EXPECT_EQ(absent->fragment_path, "");
  EXPECT_THAT(absent->drop_in_paths, IsEmpty());
  EXPECT_EQ(systemd.connections(), 1);
}

TEST_F(DbusSystemdTest, ARefusalIsUnavailableAndOtherUnitsGoOn) {
  const FakeSystemd systemd(options_.host_root, {.refused = "docker.service"});
  DbusSystemd bus(options_);
  const auto refused = bus.Unit("docker.service");
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  EXPECT_THAT(refused.status().message(), HasSubstr("AccessDenied"));
  EXPECT_TRUE(bus.Unit("docker.socket").ok());
}

TEST_F(DbusSystemdTest, AWrongTypeIsUnavailable) {
  const FakeSystemd systemd(options_.host_root, {.wrong_type = true});
  EXPECT_TRUE(absl::IsUnavailable(DbusSystemd(options_).Unit("docker.service").status()));
}

TEST_F(DbusSystemdTest, AConnectionThatBrokeIsMadeAgain) {
  // LoadUnit and four properties, then it hangs up.
  const FakeSystemd systemd(options_.host_root, {.replies_before_hangup = 5});
  DbusSystemd bus(options_);
  EXPECT_TRUE(bus.Unit("docker.service").ok());
  const auto again = bus.Unit("docker.service");
  EXPECT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(systemd.connections(), 2);
}

TEST_F(DbusSystemdTest, ASilentSystemdRunsIntoTheDeadline) {
  std::filesystem::create_directories(options_.host_root + "/run/systemd/system");
  const std::string path = options_.host_root + "/run/systemd/private";
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path), "%s", path.c_str());
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  std::filesystem::create_directories(options_.host_root + "/run/dbus");
  std::filesystem::create_symlink(path, options_.host_root + "/run/dbus/system_bus_socket");
  options_.timeout = absl::Milliseconds(50);
  const auto unit = DbusSystemd(options_).Unit("docker.service");
  EXPECT_TRUE(absl::IsDeadlineExceeded(unit.status())) << unit.status();
  close(listener);
}

}  // namespace
}  // namespace plimsoll::host
