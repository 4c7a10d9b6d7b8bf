#include "collector/sources/engine_api.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::sources {

absl::Status EngineSilent(host::HostEnv& env) {
  const absl::StatusOr<host::PeerCredentials> peer = env.docker.Peer();
  if (!peer.ok()) return peer.status();
  return absl::UnavailableError(
      "the engine's version could not be settled; see the engine section");
}

absl::StatusOr<host::JsonDocument> GetJson(host::HostEnv& env, const std::string& path) {
  const absl::StatusOr<std::string> body = env.docker.Get(path);
  if (!body.ok()) return body.status();
  absl::StatusOr<host::JsonDocument> document = host::JsonDocument::Parse(*body);
  if (!document.ok()) return Annotate(document.status(), absl::StrCat("GET ", path));
  return document;
}

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

bool IsObjectId(absl::string_view id) {
  if (id.empty() || id.size() > 255 || id[0] == '.') return false;
  for (const char c : id) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != ':' && c != '_' && c != '-') {
      return false;
    }
  }
  return true;
}

bool ParseTime(absl::string_view text, google::protobuf::Timestamp* time) {
  absl::Time parsed;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &parsed, &error)) return false;
  const int64_t seconds = absl::ToUnixSeconds(parsed);
  if (!SetUnixTime(seconds, time)) return false;
  time->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(parsed - absl::FromUnixSeconds(seconds))));
  return true;
}

bool SetUnixTime(int64_t seconds, google::protobuf::Timestamp* time) {
  constexpr int64_t kEndOfYear9999 = 253402300799;
  if (seconds <= 0 || seconds > kEndOfYear9999) return false;
  time->set_seconds(seconds);
  time->set_nanos(0);
  return true;
}

v1::HealthcheckKind HealthcheckOf(const host::JsonObject& config) {
  const std::vector<absl::string_view> test = config.Object("Healthcheck").Strings("Test");
  if (test.empty()) return v1::HEALTHCHECK_ABSENT;
  if (test[0] == "NONE") return v1::HEALTHCHECK_NONE;
  if (test[0] == "CMD") return v1::HEALTHCHECK_CMD;
  if (test[0] == "CMD-SHELL") return v1::HEALTHCHECK_CMD_SHELL;
  return v1::HEALTHCHECK_OTHER;
}

}  // namespace plimsoll::sources
