// Baselines that people upload, and which document of each baseline is active.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/baseline_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// Thread-safe; errors as in store.h. Activations are announced to all controllers (change_feed.h)
// in the same transaction. Documents are ReportStore's: put them there first.
class BaselineStore {
 public:
  explicit BaselineStore(ConnectionPool& pool) : pool_(pool) {}

  // Records an uploaded document, under its digest. A document that was uploaded before stays as it
  // was.
  absl::Status Add(const v1::Baseline& document, const std::string& actor, const std::string& note,
                   absl::Time now);
  // Uploaded documents of a baseline, newest first, with `active`.
  absl::StatusOr<std::vector<v1::BaselineVersion>> List(const std::string& baseline_id);
  // Makes the document of this digest the active one of its baseline; an empty digest: the one that
  // the controllers are configured with. NOT_FOUND: no such document was uploaded.
  absl::Status Activate(const std::string& baseline_id, const std::string& digest,
                        const std::string& actor, absl::Time now);
  // The digest that was active before the one that is now; empty: the configured one.
  // FAILED_PRECONDITION: there was never another.
  absl::StatusOr<std::string> Previous(const std::string& baseline_id);
  // Active documents that were uploaded, by baseline id.
  absl::StatusOr<std::vector<v1::Baseline>> ListActive();

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
