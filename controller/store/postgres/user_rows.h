// Rows of users and sessions, for the files of this folder that read and write them. All throw what
// libpqxx throws.
#pragma once

#include <string>

#include "controller/store/postgres/connection_pool.h"
#include "plimsoll/v1/user_service.pb.h"

namespace plimsoll::store {

#define PLIMSOLL_SELECT_USER                                                         \
  "SELECT id, name, role, scope, description, password_hash, must_change, disabled," \
  " micros(created), created_by, micros(last_sign_in), issuer, subject FROM account "

// A row of PLIMSOLL_SELECT_USER; the password's hash is its sixth column.
v1::User UserOf(const pqxx::row& row);

// Ends the user's sessions but `keep_session`, and announces it; returns how many.
int EndSessions(Transaction& tx, const std::string& user_id, const std::string& keep_session = "");
// Ends the user's sessions and revokes the tokens the user made.
void EndAccess(Transaction& tx, const std::string& user_id);

}  // namespace plimsoll::store
