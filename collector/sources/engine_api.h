// What all sources that ask the engine share.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "collector/host/host_env.h"
#include "collector/host/json.h"
#include "plimsoll/v1/engine_facts.pb.h"
#include "plimsoll/v1/image_facts.pb.h"

namespace plimsoll::sources {

// Why a source that was given no API prefix has nothing to ask: what a new connection to the socket
// says (PERMISSION_DENIED, UNAVAILABLE), else UNAVAILABLE. Asks the engine nothing.
absl::Status EngineSilent(host::HostEnv& env);

// The prefix of all requests but /version, such as "/v1.41": the newest version that this engine
// and this collector speak. Errors: DATA_LOSS (`facts` hold no version), UNIMPLEMENTED (none in
// common).
absl::StatusOr<std::string> SettleVersion(const v1::EngineFacts& facts);

// GET and parse. Errors: those of DockerClient::Get and JsonDocument::Parse; the latter's name
// `path`.
absl::StatusOr<host::JsonDocument> GetJson(host::HostEnv& env, const std::string& path);

// `status` with `context` before its message.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// True for what engines use as ids ("sha256:<hex>", 64 hex digits, 25 letters and digits): safe
// within a request's path or a file's name. A hostile reply's "../../x" is not.
bool IsObjectId(absl::string_view id);

// A time as Go writes it, "2006-01-02T15:04:05.999999999Z". False, and `time` unchanged, for other
// text and for Go's zero time (year 1), which stands for "never".
bool ParseTime(absl::string_view text, google::protobuf::Timestamp* time);

// Seconds since 1970; none for 0 and below.
bool SetUnixTime(int64_t seconds, google::protobuf::Timestamp* time);

// Kind of Healthcheck.Test in the Config of an image or container; the command is not looked at.
v1::HealthcheckKind HealthcheckOf(const host::JsonObject& config);

}  // namespace plimsoll::sources
