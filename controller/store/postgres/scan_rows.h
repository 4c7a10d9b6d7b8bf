// Rows of scans, for the files of this folder that read and write them.
//
// States are the numbers of v1::Scan::State (1 RUNNING, 2 DONE, 3 CANCELLED) and
// v1::ScanHost::State (1 OFFLINE, 2 REQUESTED, 3 EVALUATED, 4 FAILED, 5 MISSED); a host is open in
// the first two.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/scan_store.h"

namespace plimsoll::store {

// NOT_FOUND with the id.
absl::Status NoSuchScan(const std::string& id);

// Writes a scan and its hosts and announces it. NOT_FOUND: some of its hosts do not exist; with
// `skip_missing` they are left out. Throws what libpqxx throws, as all of these do.
absl::Status InsertScan(Transaction& tx, const NewScan& scan, bool skip_missing);

// As ScanStore::Get.
absl::StatusOr<v1::Scan> LoadScan(Transaction& tx, const std::string& id);
// Scans without hosts, of a statement whose columns are kScanColumns.
std::vector<v1::Scan> ScansOf(Transaction& tx, const pqxx::result& rows);
#define PLIMSOLL_SCAN_COLUMNS                                                                  \
  "id, state, micros(created), micros(deadline), micros(ended), created_by, selector, reason," \
  " schedule_id, targeted, outcome"

// Hosts as ScanStore::ListHosts gives them.
std::vector<v1::ScanHost> LoadScanHosts(Transaction& tx, const ScanHostQuery& query);

// As ScanStore::PartsOf.
std::vector<v1::Scan> PartsOfScans(Transaction& tx, std::vector<v1::Scan> scans,
                                   const std::vector<std::string>& host_ids);

// Keeps what came of scans that have just ended, and announces them. Nobody owes them an answer.
void RecordOutcomes(Transaction& tx, const std::vector<std::string>& ids);

}  // namespace plimsoll::store
