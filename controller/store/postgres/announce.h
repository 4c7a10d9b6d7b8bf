// Telling all controllers what changed (change_feed.h).
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "controller/store/postgres/connection_pool.h"

namespace plimsoll::store {

// Channels of LISTEN and NOTIFY. A payload of the first is ids of hosts, of the second one id of a
// scan, of the third ids of tokens and sessions.
inline constexpr char kHostChannel[] = "plimsoll_host";
inline constexpr char kScanChannel[] = "plimsoll_scan";
inline constexpr char kAccessChannel[] = "plimsoll_access";
// What hosts are judged by changed; the payload says nothing.
inline constexpr char kPolicyChannel[] = "plimsoll_policy";
// Which certificate authorities are trusted changed; the payload says nothing.
inline constexpr char kAuthorityChannel[] = "plimsoll_authority";

// What listeners get when `tx` commits, and only then. Nothing is sent for no ids.
void AnnounceHosts(Transaction& tx, const std::vector<std::string>& host_ids);
void AnnounceScans(Transaction& tx, const std::vector<std::string>& scan_ids);
void AnnounceAccess(Transaction& tx, const std::vector<std::string>& ids);
void AnnouncePolicy(Transaction& tx);
void AnnounceAuthority(Transaction& tx);

// Ids in payloads that PostgreSQL takes (less than 8000 bytes each), and back.
std::vector<std::string> PayloadsOf(const std::vector<std::string>& ids);
std::vector<std::string> IdsOf(absl::string_view payload);

}  // namespace plimsoll::store
