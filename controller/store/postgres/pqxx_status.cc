#include "controller/store/postgres/pqxx_status.h"

#include <exception>
#include <pqxx/pqxx>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace plimsoll::store {
namespace {

// The server's first line without its prefix: what follows may quote values and statements.
std::string FirstLine(absl::string_view text) {
  text = text.substr(0, text.find('\n'));
  absl::ConsumePrefix(&text, "ERROR:");
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusCode CodeOfSqlState(absl::string_view state) {
  // Lock not available and query cancelled come from the timeouts of the session; read-only is a
  // standby that is about to be replaced.
  for (absl::string_view transient : {"08", "53", "57P", "57014", "55P03", "25006"}) {
    if (absl::StartsWith(state, transient)) return absl::StatusCode::kUnavailable;
  }
  if (absl::StartsWith(state, "40")) return absl::StatusCode::kAborted;
  if (state == "23505") return absl::StatusCode::kAlreadyExists;
  return absl::StatusCode::kInternal;
}

}  // namespace

absl::Status StatusOfException(absl::string_view what) {
  const auto status = [what](absl::StatusCode code, absl::string_view why) {
    return absl::Status(code, absl::StrCat(what, ": ", why));
  };
  try {
    throw;
  } catch (const pqxx::broken_connection& error) {
    return status(absl::StatusCode::kUnavailable, FirstLine(error.what()));
  } catch (const pqxx::in_doubt_error&) {
    return status(absl::StatusCode::kUnavailable, "connection lost while committing");
  } catch (const pqxx::transaction_rollback& error) {
    return status(absl::StatusCode::kAborted, FirstLine(error.what()));
  } catch (const pqxx::unique_violation& error) {
    return status(absl::StatusCode::kAlreadyExists, FirstLine(error.what()));
  } catch (const pqxx::sql_error& error) {
    return status(CodeOfSqlState(error.sqlstate()), FirstLine(error.what()));
  } catch (const std::exception& error) {
    return status(absl::StatusCode::kInternal, FirstLine(error.what()));
  } catch (...) {
    return status(absl::StatusCode::kInternal, "unknown exception");
  }
}

}  // namespace plimsoll::store
