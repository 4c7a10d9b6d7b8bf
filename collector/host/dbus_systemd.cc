#include "collector/host/dbus_systemd.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace plimsoll::host {
namespace {

constexpr char kSystemd[] = "org.freedesktop.systemd1";
constexpr char kManager[] = "/org/freedesktop/systemd1";
constexpr size_t kMaxListEntries = 1024;

int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

absl::Status FromErrno(int error, absl::string_view call) {
  const std::string what = absl::StrCat("systemd: ", call, ": ", strerror(error));
  if (error == ETIMEDOUT) return absl::DeadlineExceededError(what);
  return absl::UnavailableError(what);
}

// A connected stream socket, or a negative errno.
int ConnectTo(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return -ENAMETOOLONG;
  memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  const int error = errno;
  close(fd);
  return -error;
}

}  // namespace

// The functions of libsystemd that are called.
struct DbusSystemd::Library {
  void* handle = nullptr;
#define PLIMSOLL_SD_BUS_FUNCTIONS(use)                                                      \
  use(sd_bus_new) use(sd_bus_set_fd) use(sd_bus_set_bus_client) use(sd_bus_start)           \
      use(sd_bus_is_ready) use(sd_bus_process) use(sd_bus_wait) use(sd_bus_close)           \
          use(sd_bus_unref) use(sd_bus_message_new_method_call) use(sd_bus_message_append)  \
              use(sd_bus_call) use(sd_bus_message_read) use(sd_bus_message_enter_container) \
                  use(sd_bus_message_unref) use(sd_bus_error_free)
#define PLIMSOLL_DECLARE(name) decltype(&::name) name = nullptr;
  PLIMSOLL_SD_BUS_FUNCTIONS(PLIMSOLL_DECLARE)
#undef PLIMSOLL_DECLARE

  // Null where the library or one of its functions is missing.
  static std::unique_ptr<Library> Load(const std::string& name) {
    auto library = std::make_unique<Library>();
    library->handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library->handle == nullptr) return nullptr;
    bool complete = true;
#define PLIMSOLL_RESOLVE(name)                                                        \
  library->name = reinterpret_cast<decltype(&::name)>(dlsym(library->handle, #name)); \
  complete = complete && library->name != nullptr;
    PLIMSOLL_SD_BUS_FUNCTIONS(PLIMSOLL_RESOLVE)
#undef PLIMSOLL_RESOLVE
    if (!complete) return nullptr;
    return library;
  }
};

// One connection, and the calls over it.
class DbusSystemd::Connection {
 public:
  explicit Connection(const Library& sd) : sd_(sd) {}
  ~Connection() {
    if (bus_ == nullptr) return;
    sd_.sd_bus_close(bus_);
    sd_.sd_bus_unref(bus_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects and waits until both sides have greeted each other.
  absl::Status Open(const std::string& path, bool is_bus, int64_t deadline_us) {
    const int fd = ConnectTo(path);
    if (fd < 0) return FromErrno(-fd, absl::StrCat("connect ", path));
    int result = sd_.sd_bus_new(&bus_);
    if (result >= 0) result = sd_.sd_bus_set_fd(bus_, fd, fd);
    if (result < 0) {
      close(fd);
      return FromErrno(-result, "sd_bus_set_fd");
    }
    if (is_bus) result = sd_.sd_bus_set_bus_client(bus_, 1);
    if (result >= 0) result = sd_.sd_bus_start(bus_);
    while (result >= 0) {
      result = sd_.sd_bus_is_ready(bus_);
      if (result > 0) return absl::OkStatus();
      if (result >= 0) result = sd_.sd_bus_process(bus_, nullptr);
      if (result != 0) continue;
      const int64_t left = deadline_us - NowUs();
      if (left <= 0) return FromErrno(ETIMEDOUT, absl::StrCat("greeting ", path));
      result = sd_.sd_bus_wait(bus_, static_cast<uint64_t>(left));
    }
    return FromErrno(-result, absl::StrCat("greeting ", path));
  }

  absl::StatusOr<std::string> LoadUnit(const std::string& name, int64_t deadline_us) {
    absl::StatusOr<Message> reply =
        Call(kManager, absl::StrCat(kSystemd, ".Manager"), "LoadUnit", name, nullptr, deadline_us);
    if (!reply.ok()) return reply.status();
    return ReadText(*reply, 'o', "LoadUnit");
  }

  // Properties of `interface`, whose name is that after "org.freedesktop.systemd1.".
  absl::StatusOr<std::string> Text(const std::string& path, absl::string_view interface,
                                   const char* property, int64_t deadline_us) {
    absl::StatusOr<Message> reply = Get(path, interface, property, "s", deadline_us);
    if (!reply.ok()) return reply.status();
    return ReadText(*reply, 's', property);
  }
  absl::StatusOr<uint32_t> Number(const std::string& path, absl::string_view interface,
                                  const char* property, int64_t deadline_us) {
    absl::StatusOr<Message> reply = Get(path, interface, property, "u", deadline_us);
    if (!reply.ok()) return reply.status();
    uint32_t value = 0;
    const int result = sd_.sd_bus_message_read(reply->get(), "u", &value);
    if (result <= 0) return FromErrno(result < 0 ? -result : EBADMSG, property);
    return value;
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path,
                                                absl::string_view interface, const char* property,
                                                int64_t deadline_us) {
    absl::StatusOr<Message> reply = Get(path, interface, property, "as", deadline_us);
    if (!reply.ok()) return reply.status();
    int result = sd_.sd_bus_message_enter_container(reply->get(), 'a', "s");
    std::vector<std::string> values;
    while (result >= 0) {
      const char* value = nullptr;
      result = sd_.sd_bus_message_read(reply->get(), "s", &value);
      if (result == 0) return values;
      if (result > 0 && values.size() < kMaxListEntries) values.emplace_back(value);
    }
    return FromErrno(-result, property);
  }
  absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Pairs(
      const std::string& path, absl::string_view interface, const char* property,
      int64_t deadline_us) {
    absl::StatusOr<Message> reply = Get(path, interface, property, "a(ss)", deadline_us);
    if (!reply.ok()) return reply.status();
    int result = sd_.sd_bus_message_enter_container(reply->get(), 'a', "(ss)");
    std::vector<std::pair<std::string, std::string>> values;
    while (result >= 0) {
      const char* first = nullptr;
      const char* second = nullptr;
      result = sd_.sd_bus_message_read(reply->get(), "(ss)", &first, &second);
      if (result == 0) return values;
      if (result > 0 && values.size() < kMaxListEntries) values.emplace_back(first, second);
    }
    return FromErrno(-result, property);
  }

 private:
  struct Unref {
    decltype(&::sd_bus_message_unref) unref;
    void operator()(sd_bus_message* message) const { unref(message); }
  };
  using Message = std::unique_ptr<sd_bus_message, Unref>;

  absl::StatusOr<Message> Call(const std::string& path, const std::string& interface,
                               const char* member, const std::string& first, const char* second,
                               int64_t deadline_us) {
    sd_bus_message* raw = nullptr;
    int result = sd_.sd_bus_message_new_method_call(bus_, &raw, kSystemd, path.c_str(),
                                                    interface.c_str(), member);
    if (result < 0) return FromErrno(-result, member);
    const Message call(raw, Unref{sd_.sd_bus_message_unref});
    result = second == nullptr ? sd_.sd_bus_message_append(call.get(), "s", first.c_str())
                               : sd_.sd_bus_message_append(call.get(), "ss", first.c_str(), second);
    if (result < 0) return FromErrno(-result, member);
    const int64_t left = deadline_us - NowUs();
    if (left <= 0) return FromErrno(ETIMEDOUT, member);
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* reply = nullptr;
    result = sd_.sd_bus_call(bus_, call.get(), static_cast<uint64_t>(left), &error, &reply);
    const std::string name =
        error.name == nullptr ? "" : absl::StrCat(member, " (", error.name, ")");
    sd_.sd_bus_error_free(&error);
    if (result < 0) return FromErrno(-result, name.empty() ? member : name);
    return Message(reply, Unref{sd_.sd_bus_message_unref});
  }

  absl::StatusOr<Message> Get(const std::string& path, absl::string_view interface,
                              const char* property, const char* type, int64_t deadline_us) {
    absl::StatusOr<Message> reply =
        Call(path, "org.freedesktop.DBus.Properties", "Get", absl::StrCat(kSystemd, ".", interface),
             property, deadline_us);
    if (!reply.ok()) return reply.status();
    const int result = sd_.sd_bus_message_enter_container(reply->get(), 'v', type);
    if (result <= 0) return FromErrno(result < 0 ? -result : EBADMSG, property);
    return reply;
  }

  absl::StatusOr<std::string> ReadText(const Message& message, char type, absl::string_view what) {
    const char format[2] = {type, '\0'};
    const char* text = nullptr;
    const int result = sd_.sd_bus_message_read(message.get(), format, &text);
    if (result <= 0) return FromErrno(result < 0 ? -result : EBADMSG, what);
    return std::string(text);
  }

  const Library& sd_;
  sd_bus* bus_ = nullptr;
};

DbusSystemd::DbusSystemd(DbusSystemdOptions options) : options_(std::move(options)) {}
DbusSystemd::~DbusSystemd() = default;

absl::Status DbusSystemd::Connect(int64_t deadline_us) {
  struct stat status;
  if (stat(absl::StrCat(options_.host_root, "/run/systemd/system").c_str(), &status) != 0) {
    return absl::UnimplementedError("systemd is not PID 1: no /run/systemd/system");
  }
  if (library_ == nullptr) library_ = Library::Load(options_.soname);
  if (library_ == nullptr) {
    return absl::UnimplementedError(absl::StrCat(options_.soname, " cannot be loaded"));
  }
  absl::Status status_private = absl::UnavailableError("not root");
  auto connection = std::make_unique<Connection>(*library_);
  if (geteuid() == 0) {
    status_private = connection->Open(absl::StrCat(options_.host_root, "/run/systemd/private"),
                                      false, deadline_us);
  }
  if (!status_private.ok()) {
    connection = std::make_unique<Connection>(*library_);
    absl::Status status_bus = connection->Open(
        absl::StrCat(options_.host_root, "/run/dbus/system_bus_socket"), true, deadline_us);
    if (!status_bus.ok()) return status_bus;
  }
  connection_ = std::move(connection);
  return absl::OkStatus();
}

absl::StatusOr<UnitProperties> DbusSystemd::Unit(absl::string_view name) {
  const int64_t deadline = NowUs() + absl::ToInt64Microseconds(options_.timeout);
  const std::string unit(name);
  absl::StatusOr<std::string> path = absl::UnavailableError("systemd: not connected");
  // A connection that broke meanwhile (systemd was restarted) is worth one more try.
  for (int attempt = 0; attempt < 2 && !path.ok(); ++attempt) {
    const bool fresh = connection_ == nullptr;
    if (fresh) {
      absl::Status connected = Connect(deadline);
      if (!connected.ok()) return connected;
    }
    path = connection_->LoadUnit(unit, deadline);
    if (!path.ok()) connection_.reset();
    if (!path.ok() && fresh) return path.status();
  }
  if (!path.ok()) return path.status();

  UnitProperties out;
  absl::Status status;
  const auto take = [&status](auto value, auto* into) {
    if (value.ok()) {
      *into = *std::move(value);
    } else if (status.ok()) {
      status = value.status();
    }
  };
  Connection& bus = *connection_;
  take(bus.Text(*path, "Unit", "LoadState", deadline), &out.load_state);
  take(bus.Text(*path, "Unit", "FragmentPath", deadline), &out.fragment_path);
  take(bus.List(*path, "Unit", "DropInPaths", deadline), &out.drop_in_paths);
  if (status.ok() && absl::EndsWith(name, ".service")) {
    take(bus.Number(*path, "Service", "MainPID", deadline), &out.main_pid);
  }
  if (status.ok() && absl::EndsWith(name, ".socket")) {
    uint32_t mode = 0;
    take(bus.Pairs(*path, "Socket", "Listen", deadline), &out.listen);
    take(bus.Text(*path, "Socket", "SocketUser", deadline), &out.socket_user);
    take(bus.Text(*path, "Socket", "SocketGroup", deadline), &out.socket_group);
    take(bus.Number(*path, "Socket", "SocketMode", deadline), &mode);
    out.socket_mode = absl::StrFormat("%04o", mode);
  }
  if (!status.ok()) {
    connection_.reset();
    return status;
  }
  return out;
}

}  // namespace plimsoll::host
