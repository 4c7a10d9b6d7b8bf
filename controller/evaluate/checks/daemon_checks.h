// What the files of the daemon's checks share: the functions that daemon_settings.cc joins into one
// table, and small tests on lists of arguments. Each function judges one kind of check as rules.md
// says; all are pure.
#pragma once

#include <algorithm>
#include <string>

#include "absl/strings/string_view.h"
#include "controller/evaluate/check.h"
#include "google/protobuf/repeated_field.h"

namespace plimsoll::evaluate {

using StringField = google::protobuf::RepeatedPtrField<std::string>;

// True when `list` holds exactly this text.
inline bool Contains(const StringField& list, absl::string_view text) {
  return std::any_of(list.begin(), list.end(),
                     [text](const std::string& s) { return absl::string_view(s) == text; });
}

// "a, b and 3 more": enough for a sentence. At most `limit` members are named.
std::string ShortList(const std::vector<std::string>& values, size_t limit = 10);

// Read, and nothing answered: the engine or the collector did not send this field.
void UnknownField(absl::string_view field, Judge& judge);

// daemon_network.cc: traffic between containers, the firewall, the userland proxy.
void CheckDefaultBridgeIcc(const Context& context, const v1::Check& check, Judge& judge);
void CheckIptables(const Context& context, const v1::Check& check, Judge& judge);
void CheckUserlandProxy(const Context& context, const v1::Check& check, Judge& judge);

// daemon_logging.cc: the log level, and where container logs go.
void CheckLogLevel(const Context& context, const v1::Check& check, Judge& judge);
void CheckRemoteLogging(const Context& context, const v1::Check& check, Judge& judge);
void CheckLoggingDriver(const Context& context, const v1::Check& check, Judge& judge);

// daemon_privileges.cc: what new containers may become.
void CheckUserNamespaces(const Context& context, const v1::Check& check, Judge& judge);
void CheckDaemonNoNewPrivileges(const Context& context, const v1::Check& check, Judge& judge);

}  // namespace plimsoll::evaluate
