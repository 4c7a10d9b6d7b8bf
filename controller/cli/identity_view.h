// Users, sessions and API tokens as people read and write them.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/user_service.pb.h"

namespace plimsoll::cli {

// "viewer", "auditor", "operator", "admin"; "-" for none.
std::string RoleName(v1::Role role);

// Adds --role; `set` is called with what was given.
Option AddRoleOption(Command command, const std::string& help, std::function<void(v1::Role)> set);

// A secret: the first line of `file`, which others may not read; without a file, what is typed on
// the terminal after `prompt`, unseen. FAILED_PRECONDITION: there is no terminal; names `option`.
absl::StatusOr<std::string> ReadPassword(const std::string& file, const std::string& prompt,
                                         const std::string& option);

// A new password, typed twice unless it comes from a file. INVALID_ARGUMENT: they differ.
absl::StatusOr<std::string> ReadNewPassword(const std::string& file);

// Sets the new password of whoever `client` is. Errors are the API's.
absl::Status ChangePassword(Client& client, const std::string& old_password,
                            const std::string& new_password);

// Writes a secret to `file` (0600), or prints it alone on standard output. The error says that what
// the secret belongs to exists.
absl::Status HandOver(const std::string& secret, const std::string& file, Session& session);

}  // namespace plimsoll::cli
