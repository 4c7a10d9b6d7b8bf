#include "absl/strings/str_cat.h"
#include "controller/store/baseline_store.h"
#include "controller/store/facts_codec.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

#define PLIMSOLL_ACTIVE                                                            \
  "(SELECT DISTINCT ON (baseline_id) baseline_id, digest FROM baseline_activation" \
  " ORDER BY baseline_id, number DESC)"
constexpr Statement kAdd = {
    "baseline_versions_add",
    "INSERT INTO baseline_version (baseline_id, digest, version, uploaded, uploaded_by, note)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"};
constexpr Statement kList = {
    "baseline_versions_list",
    "SELECT v.digest, v.version, micros(v.uploaded), v.uploaded_by, v.note,"
    " coalesce(a.digest = v.digest, false) FROM baseline_version v LEFT JOIN " PLIMSOLL_ACTIVE
    " a ON a.baseline_id = v.baseline_id WHERE v.baseline_id = $1 ORDER BY v.uploaded DESC, "
    "v.digest"};
constexpr Statement kExists = {
    "baseline_versions_exists",
    "SELECT FROM baseline_version WHERE baseline_id = $1 AND digest = $2"};
constexpr Statement kActivate = {
    "baseline_versions_activate",
    "INSERT INTO baseline_activation (baseline_id, digest, activated, activated_by)"
    " VALUES ($1, $2, $3, $4)"};
constexpr Statement kActivations = {
    "baseline_versions_activations",
    "SELECT digest FROM baseline_activation WHERE baseline_id = $1 ORDER BY number DESC LIMIT 100"};
constexpr Statement kActive = {"baseline_versions_active",
                               "SELECT b.document FROM " PLIMSOLL_ACTIVE
                               " a JOIN baseline b ON b.digest = a.digest ORDER BY a.baseline_id"};
#undef PLIMSOLL_ACTIVE

}  // namespace

absl::Status BaselineStore::Add(const v1::Baseline& document, const std::string& actor,
                                const std::string& note, absl::Time now) {
  return pool_.Transact("record a baseline", [&](Transaction& tx) {
    tx.Exec(kAdd, Text(document.id()), document.digest(), Text(document.version(), 64), Time(now),
            Text(actor, 256), Text(note, 2048));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::BaselineVersion>> BaselineStore::List(
    const std::string& baseline_id) {
  return pool_.Transact("list versions of a baseline",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::BaselineVersion>> {
                          std::vector<v1::BaselineVersion> versions;
                          for (const pqxx::row& row : tx.Exec(kList, Text(baseline_id, 256))) {
                            v1::BaselineVersion& version = versions.emplace_back();
                            version.set_digest(TextOf(row[0]));
                            version.set_version(TextOf(row[1]));
                            *version.mutable_upload_time() = TimestampOf(TimeOf(row[2]));
                            version.set_uploaded_by(TextOf(row[3]));
                            version.set_note(TextOf(row[4]));
                            version.set_active(row[5].as<bool>());
                          }
                          return versions;
                        });
}

absl::Status BaselineStore::Activate(const std::string& baseline_id, const std::string& digest,
                                     const std::string& actor, absl::Time now) {
  return pool_.Transact("activate a baseline", [&](Transaction& tx) -> absl::Status {
    if (!digest.empty() && tx.Exec(kExists, Text(baseline_id, 256), Text(digest, 64)).empty()) {
      return absl::NotFoundError(absl::StrCat("no document ", Text(digest, 64), " of baseline \"",
                                              Text(baseline_id, 256), "\" was uploaded"));
    }
    tx.Exec(kActivate, Text(baseline_id, 256), Text(digest, 64), Time(now), Text(actor, 256));
    AnnouncePolicy(tx);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::string> BaselineStore::Previous(const std::string& baseline_id) {
  return pool_.Transact(
      "find the baseline before", [&](Transaction& tx) -> absl::StatusOr<std::string> {
        const pqxx::result rows = tx.Exec(kActivations, Text(baseline_id, 256));
        if (rows.empty()) {
          return absl::FailedPreconditionError(absl::StrCat(
              "no other document of baseline \"", Text(baseline_id, 256), "\" was ever active"));
        }
        const std::string active = TextOf(rows[0][0]);
        for (const pqxx::row& row : rows) {
          if (TextOf(row[0]) != active) return TextOf(row[0]);
        }
        // Before the first activation the configured one was.
        if (active.empty()) {
          return absl::FailedPreconditionError("the configured document is active already");
        }
        return std::string();
      });
}

absl::StatusOr<std::vector<v1::Baseline>> BaselineStore::ListActive() {
  return pool_.Transact(
      "read active baselines", [](Transaction& tx) -> absl::StatusOr<std::vector<v1::Baseline>> {
        std::vector<v1::Baseline> documents;
        for (const pqxx::row& row : tx.Exec(kActive)) {
          if (auto status = Decompress(BytesOf(row[0]), documents.emplace_back()); !status.ok()) {
            return status;
          }
        }
        return documents;
      });
}

}  // namespace plimsoll::store
