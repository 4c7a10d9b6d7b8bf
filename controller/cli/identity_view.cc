#include "controller/cli/identity_view.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <map>
#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "plimsoll/v1/session_service.grpc.pb.h"
#include "proto/support/key_files.h"

namespace plimsoll::cli {
namespace {

constexpr size_t kLongestLine = 4096;

// The terminal this program was started from, without echo while it lives.
class SilentTerminal {
 public:
  SilentTerminal() : fd_(open("/dev/tty", O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0 || tcgetattr(fd_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    silent_ = tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  ~SilentTerminal() {
    if (silent_) tcsetattr(fd_, TCSAFLUSH, &before_);
    if (fd_ >= 0) close(fd_);
  }
  SilentTerminal(const SilentTerminal&) = delete;

  bool ready() const { return silent_; }
  // Without its end; what was typed before the input ended.
  std::string Ask(const std::string& prompt) const {
    if (write(fd_, prompt.data(), prompt.size()) < 0) return "";
    std::string line;
    char c = 0;
    while (line.size() < kLongestLine && read(fd_, &c, 1) == 1 && c != '\n') line += c;
    return line;
  }

 private:
  const int fd_;
  bool silent_ = false;
  termios before_ = {};
};

}  // namespace

std::string RoleName(v1::Role role) {
  const std::string name = v1::Role_Name(role);
  if (role == v1::ROLE_UNSPECIFIED || !absl::StartsWith(name, "ROLE_")) return "-";
  return absl::AsciiStrToLower(name.substr(5));
}

Option AddRoleOption(Command command, const std::string& help, std::function<void(v1::Role)> set) {
  static const auto& roles = *new std::map<std::string, v1::Role>{{"viewer", v1::ROLE_VIEWER},
                                                                  {"auditor", v1::ROLE_AUDITOR},
                                                                  {"operator", v1::ROLE_OPERATOR},
                                                                  {"admin", v1::ROLE_ADMIN}};
  return command
      .AddOptionCall(
          "--role", [set = std::move(set)](const std::string& name) { set(roles.at(name)); }, help)
      .OneOf({"viewer", "auditor", "operator", "admin"})
      .TypeName("ROLE");
}

absl::StatusOr<std::string> ReadPassword(const std::string& file, const std::string& prompt,
                                         const std::string& option) {
  if (!file.empty()) {
    auto text = support::ReadKeyFile(file, true);
    if (!text.ok()) return text.status();
    const std::vector<std::string> lines = absl::StrSplit(*text, absl::MaxSplits('\n', 1));
    return std::string(absl::StripSuffix(lines[0], "\r"));
  }
  const SilentTerminal terminal;
  if (!terminal.ready()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no terminal to ask for the password; use ", option, " FILE"));
  }
  return terminal.Ask(prompt);
}

absl::StatusOr<std::string> ReadNewPassword(const std::string& file) {
  auto password =
      ReadPassword(file, "New password (at least 12 characters): ", "--new-password-file");
  if (!password.ok() || !file.empty()) return password;
  auto again = ReadPassword("", "Once more: ", "--new-password-file");
  if (!again.ok()) return again.status();
  if (*again != *password) return absl::InvalidArgumentError("the two passwords differ");
  return password;
}

absl::Status ChangePassword(Client& client, const std::string& old_password,
                            const std::string& new_password) {
  v1::ChangePasswordRequest request;
  request.set_old_password(old_password);
  request.set_new_password(new_password);
  return client
      .Call(&v1::SessionService::Stub::ChangePassword,
            v1::SessionService::NewStub(client.channel()), request)
      .status();
}

absl::Status HandOver(const std::string& secret, const std::string& file, Session& session) {
  if (file.empty()) {
    *session.out << secret << "\n";
    return absl::OkStatus();
  }
  absl::Status status = support::WritePrivateFile(file, absl::StrCat(secret, "\n"));
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(status.message(),
                                   "\nwhat was made is there all the same, and its secret is lost: "
                                   "revoke it, or reset the password"));
}

}  // namespace plimsoll::cli
