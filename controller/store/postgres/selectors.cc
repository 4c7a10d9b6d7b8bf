#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/selector_store.h"

namespace plimsoll::store {
namespace {

#define PLIMSOLL_SELECTOR                                                                  \
  "SELECT name, expression, description, managed_by, version, micros(updated), updated_by" \
  " FROM saved_selector"
constexpr Statement kGet = {"selectors_get", PLIMSOLL_SELECTOR " WHERE name = $1"};
constexpr Statement kLock = {"selectors_lock", PLIMSOLL_SELECTOR " WHERE name = $1 FOR UPDATE"};
constexpr Statement kList = {"selectors_list", PLIMSOLL_SELECTOR " ORDER BY name"};
#undef PLIMSOLL_SELECTOR
constexpr Statement kCount = {"selectors_count", "SELECT count(*) FROM saved_selector"};
// Versions go on after a deletion, so that an old etag stays old.
constexpr Statement kSave = {
    "selectors_save",
    "INSERT INTO saved_selector (name, expression, description, managed_by, version, updated,"
    " updated_by) VALUES ($1, $2, $3, $4, micros($5::timestamptz), $5, $6)"
    " ON CONFLICT (name) DO UPDATE SET expression = excluded.expression,"
    " description = excluded.description, managed_by = excluded.managed_by,"
    " version = greatest(excluded.version, saved_selector.version + 1),"
    " updated = excluded.updated, updated_by = excluded.updated_by"};
constexpr Statement kDelete = {"selectors_delete", "DELETE FROM saved_selector WHERE name = $1"};

absl::Status NoSuchSelector(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("no saved selector \"", Text(name, 64),
                                          "\"; `plimsoll selector list` lists them"));
}

v1::SavedSelector SelectorOf(const pqxx::row& row) {
  v1::SavedSelector selector;
  selector.set_name(TextOf(row[0]));
  selector.set_expression(TextOf(row[1]));
  selector.set_description(TextOf(row[2]));
  selector.set_managed_by(TextOf(row[3]));
  selector.set_etag(TextOf(row[4]));
  *selector.mutable_update_time() = TimestampOf(TimeOf(row[5]));
  selector.set_updated_by(TextOf(row[6]));
  return selector;
}

}  // namespace

absl::StatusOr<v1::SavedSelector> SelectorStore::Save(const v1::SavedSelector& selector,
                                                      const std::string& actor, absl::Time now) {
  return pool_.Transact(
      "save a selector", [&](Transaction& tx) -> absl::StatusOr<v1::SavedSelector> {
        const pqxx::result rows = tx.Exec(kLock, Text(selector.name(), 64));
        const std::string etag = rows.empty() ? "" : TextOf(rows[0][4]);
        if (!selector.etag().empty() && selector.etag() != etag) {
          return absl::FailedPreconditionError(
              absl::StrCat("etag: saved selector \"", Text(selector.name(), 64),
                           "\" was changed meanwhile; read it again and repeat the change"));
        }
        if (rows.empty() && tx.Exec(kCount)[0][0].as<int>() >= kMostSelectors) {
          return absl::ResourceExhaustedError(
              absl::StrCat("there are ", kMostSelectors, " saved selectors; delete one first"));
        }
        tx.Exec(kSave, Text(selector.name()), Text(selector.expression()),
                Text(selector.description()), Text(selector.managed_by()), Time(now),
                Text(actor, 256));
        AnnouncePolicy(tx);
        return SelectorOf(tx.Exec(kGet, Text(selector.name()))[0]);
      });
}

absl::StatusOr<v1::SavedSelector> SelectorStore::Get(const std::string& name) {
  return pool_.Transact("get a selector",
                        [&](Transaction& tx) -> absl::StatusOr<v1::SavedSelector> {
                          const pqxx::result rows = tx.Exec(kGet, Text(name, 64));
                          if (rows.empty()) return NoSuchSelector(name);
                          return SelectorOf(rows[0]);
                        });
}

absl::StatusOr<std::vector<v1::SavedSelector>> SelectorStore::List() {
  return pool_.Transact("list selectors",
                        [](Transaction& tx) -> absl::StatusOr<std::vector<v1::SavedSelector>> {
                          std::vector<v1::SavedSelector> all;
                          for (const pqxx::row& row : tx.Exec(kList))
                            all.push_back(SelectorOf(row));
                          return all;
                        });
}

absl::Status SelectorStore::Delete(const std::string& name) {
  return pool_.Transact("delete a selector", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kDelete, Text(name, 64)).affected_rows() == 0) return NoSuchSelector(name);
    AnnouncePolicy(tx);
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
