#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/tailoring_store.h"

namespace plimsoll::store {
namespace {

#define PLIMSOLL_TAILORING \
  "SELECT name, baseline_id, content, version, micros(updated), updated_by FROM tailoring"
constexpr Statement kGet = {"tailorings_get", PLIMSOLL_TAILORING " WHERE name = $1"};
constexpr Statement kLock = {"tailorings_lock", PLIMSOLL_TAILORING " WHERE name = $1 FOR UPDATE"};
constexpr Statement kList = {"tailorings_list", PLIMSOLL_TAILORING " ORDER BY baseline_id, name"};
#undef PLIMSOLL_TAILORING
constexpr Statement kCount = {"tailorings_count", "SELECT count(*) FROM tailoring"};
// Versions go on after a deletion, so that an old etag stays old.
constexpr Statement kSet = {
    "tailorings_set",
    "INSERT INTO tailoring (name, baseline_id, content, version, updated, updated_by)"
    " VALUES ($1, $2, $3, micros($4::timestamptz), $4, $5) ON CONFLICT (name) DO UPDATE SET"
    " baseline_id = excluded.baseline_id, content = excluded.content,"
    " version = greatest(excluded.version, tailoring.version + 1), updated = excluded.updated,"
    " updated_by = excluded.updated_by"};
constexpr Statement kDelete = {"tailorings_delete", "DELETE FROM tailoring WHERE name = $1"};
absl::Status NoSuchTailoring(const std::string& name) {
  return absl::NotFoundError(
      absl::StrCat("no tailoring \"", Text(name, 64), "\"; `plimsoll tailoring list` lists them"));
}

v1::Tailoring TailoringOf(const pqxx::row& row) {
  v1::Tailoring tailoring;
  tailoring.ParseFromString(BytesOf(row[2]));
  tailoring.set_name(TextOf(row[0]));
  tailoring.set_baseline(TextOf(row[1]));
  tailoring.set_etag(TextOf(row[3]));
  *tailoring.mutable_update_time() = TimestampOf(TimeOf(row[4]));
  tailoring.set_updated_by(TextOf(row[5]));
  return tailoring;
}

}  // namespace

absl::StatusOr<v1::Tailoring> TailoringStore::Set(const v1::Tailoring& tailoring,
                                                  const std::string& actor, absl::Time now) {
  return pool_.Transact("set a tailoring", [&](Transaction& tx) -> absl::StatusOr<v1::Tailoring> {
    const pqxx::result rows = tx.Exec(kLock, Text(tailoring.name(), 64));
    const std::string etag = rows.empty() ? "" : TextOf(rows[0][3]);
    if (!tailoring.etag().empty() && tailoring.etag() != etag) {
      return absl::FailedPreconditionError(
          absl::StrCat("etag: tailoring \"", Text(tailoring.name(), 64),
                       "\" was changed meanwhile; read it again and repeat the change"));
    }
    if (rows.empty() && tx.Exec(kCount)[0][0].as<int>() >= kMostTailorings) {
      return absl::ResourceExhaustedError(
          absl::StrCat("there are ", kMostTailorings, " tailorings; delete one first"));
    }
    v1::Tailoring content = tailoring;
    content.clear_etag();
    content.clear_update_time();
    content.clear_updated_by();
    tx.Exec(kSet, Text(tailoring.name()), Text(tailoring.baseline()),
            Bytes(content.SerializeAsString()), Time(now), Text(actor, 256));
    AnnouncePolicy(tx);
    return TailoringOf(tx.Exec(kGet, Text(tailoring.name()))[0]);
  });
}

absl::StatusOr<v1::Tailoring> TailoringStore::Get(const std::string& name) {
  return pool_.Transact("get a tailoring", [&](Transaction& tx) -> absl::StatusOr<v1::Tailoring> {
    const pqxx::result rows = tx.Exec(kGet, Text(name, 64));
    if (rows.empty()) return NoSuchTailoring(name);
    return TailoringOf(rows[0]);
  });
}

absl::StatusOr<std::vector<v1::Tailoring>> TailoringStore::List() {
  return pool_.Transact(
      "list tailorings", [](Transaction& tx) -> absl::StatusOr<std::vector<v1::Tailoring>> {
        std::vector<v1::Tailoring> all;
        for (const pqxx::row& row : tx.Exec(kList)) {
          all.push_back(TailoringOf(row));
        }
        // Names are in order already.
        std::stable_sort(all.begin(), all.end(),
                         [](const v1::Tailoring& a, const v1::Tailoring& b) {
                           return std::make_tuple(absl::string_view(a.baseline()), a.priority()) <
                                  std::make_tuple(absl::string_view(b.baseline()), b.priority());
                         });
        return all;
      });
}

absl::Status TailoringStore::Delete(const std::string& name) {
  return pool_.Transact("delete a tailoring", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kDelete, Text(name, 64)).affected_rows() == 0) return NoSuchTailoring(name);
    AnnouncePolicy(tx);
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
