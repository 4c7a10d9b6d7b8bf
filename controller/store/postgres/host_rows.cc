#include "controller/store/postgres/host_rows.h"

#include <google/protobuf/util/time_util.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace plimsoll::store {
namespace {

// Takes a JSON string off the front. jsonb keeps characters as they are: beside the short escapes,
// \u stands for control characters only.
bool TakeString(absl::string_view& json, std::string& out) {
  out.clear();
  if (!absl::ConsumePrefix(&json, "\"")) return false;
  while (!json.empty() && json[0] != '"') {
    if (json[0] != '\\') {
      const size_t plain = json.find_first_of("\\\"");
      if (plain == absl::string_view::npos) return false;
      absl::StrAppend(&out, json.substr(0, plain));
      json.remove_prefix(plain);
      continue;
    }
    if (json.size() < 2) return false;
    const char code = json[1];
    json.remove_prefix(2);
    uint32_t control = 0;
    switch (code) {
      case 'n':
        out.push_back('\n');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'u':
        if (json.size() < 4 || !absl::SimpleHexAtoi(json.substr(0, 4), &control) ||
            control >= 0x80) {
          return false;
        }
        out.push_back(static_cast<char>(control));
        json.remove_prefix(4);
        break;
      default:
        out.push_back(code);
    }
  }
  return absl::ConsumePrefix(&json, "\"");
}

}  // namespace

void ParseLabels(absl::string_view json, google::protobuf::Map<std::string, std::string>& labels) {
  absl::ConsumePrefix(&json, "{");
  std::string key, value;
  while (TakeString(json, key) && absl::ConsumePrefix(&json, ": ") && TakeString(json, value)) {
    labels[key] = value;
    absl::ConsumePrefix(&json, ", ");
  }
}

v1::Host HostOf(const pqxx::row& row) {
  v1::Host host;
  host.set_id(TextOf(row[0]));
  host.set_hostname(TextOf(row[1]));
  ParseLabels(absl::string_view(row[2].c_str(), row[2].size()), *host.mutable_labels());
  ParseLabels(absl::string_view(row[19].c_str(), row[19].size()), *host.mutable_central_labels());
  ParseLabels(absl::string_view(row[20].c_str(), row[20].size()), *host.mutable_label_managers());
  host.set_collector_version(TextOf(row[3]));
  host.set_engine_version(TextOf(row[4]));
  host.set_operating_system(TextOf(row[5]));
  host.set_container_count(row[6].as<int32_t>());
  *host.mutable_clock_skew() =
      google::protobuf::util::TimeUtil::MicrosecondsToDuration(row[7].as<int64_t>());
  *host.mutable_enroll_time() = TimestampOf(TimeOf(row[9]));
  if (!row[10].is_null()) *host.mutable_last_seen_time() = TimestampOf(TimeOf(row[10]));
  if (!row[11].is_null()) *host.mutable_observed_time() = TimestampOf(TimeOf(row[11]));
  host.set_connection(row[12].as<bool>()   ? v1::Host::REVOKED
                      : !row[13].is_null() ? v1::Host::QUARANTINED
                      : row[8].as<bool>()  ? v1::Host::CONNECTED
                      : row[10].is_null()  ? v1::Host::NEVER_SEEN
                                           : v1::Host::DISCONNECTED);
  if (!row[13].is_null()) {
    *host.mutable_quarantine_time() = TimestampOf(TimeOf(row[13]));
    host.set_quarantine_reason(TextOf(row[14]));
  }
  host.set_boot_id(TextOf(row[15]));
  if (host.connection() == v1::Host::CONNECTED) host.set_controller(TextOf(row[18]));
  return host;
}

bool RemovedOf(const pqxx::row& row) { return row[16].as<bool>(); }

int64_t OrdinalOf(const pqxx::row& row) { return row[17].as<int64_t>(); }

}  // namespace plimsoll::store
