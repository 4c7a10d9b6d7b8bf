#include "controller/store/postgres/announce.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

constexpr Statement kNotify = {"announce",
                               "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"};

// PostgreSQL takes 7999 bytes.
constexpr size_t kMaximumPayload = 7900;

}  // namespace

std::vector<std::string> PayloadsOf(const std::vector<std::string>& ids) {
  std::vector<std::string> payloads;
  for (const std::string& id : ids) {
    if (payloads.empty() || payloads.back().size() + id.size() + 1 > kMaximumPayload) {
      payloads.push_back(id);
    } else {
      absl::StrAppend(&payloads.back(), "\n", id);
    }
  }
  return payloads;
}

std::vector<std::string> IdsOf(absl::string_view payload) {
  return absl::StrSplit(payload, '\n', absl::SkipEmpty());
}

void AnnounceHosts(Transaction& tx, const std::vector<std::string>& host_ids) {
  if (!host_ids.empty()) tx.Exec(kNotify, kHostChannel, TextArray(PayloadsOf(host_ids)));
}

void AnnounceScans(Transaction& tx, const std::vector<std::string>& scan_ids) {
  if (!scan_ids.empty()) tx.Exec(kNotify, kScanChannel, TextArray(scan_ids));
}

void AnnounceAccess(Transaction& tx, const std::vector<std::string>& ids) {
  if (!ids.empty()) tx.Exec(kNotify, kAccessChannel, TextArray(PayloadsOf(ids)));
}

void AnnouncePolicy(Transaction& tx) { tx.Exec(kNotify, kPolicyChannel, TextArray({"changed"})); }

void AnnounceAuthority(Transaction& tx) {
  tx.Exec(kNotify, kAuthorityChannel, TextArray({"changed"}));
}

}  // namespace plimsoll::store
