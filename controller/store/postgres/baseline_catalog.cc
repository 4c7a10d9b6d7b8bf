#include "controller/store/postgres/baseline_catalog.h"

#include "absl/strings/str_cat.h"
#include "controller/store/facts_codec.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

constexpr Statement kAddBaseline = {"baselines_add",
                                    "INSERT INTO baseline (digest, id, version, document, recorded)"
                                    " VALUES ($1, $2, $3, $4, now()) ON CONFLICT DO NOTHING"};
constexpr Statement kGet = {"baselines_get", "SELECT document FROM baseline WHERE digest = $1"};

BaselinePtr Catalog(v1::Baseline document) {
  auto baseline = std::make_shared<CatalogedBaseline>();
  baseline->document = std::move(document);
  for (int i = 0; i < baseline->document.rules_size(); ++i) {
    baseline->places.emplace(baseline->document.rules(i).id(), i);
  }
  return baseline;
}

absl::Status Insert(Transaction& tx, const v1::Baseline& baseline) {
  absl::StatusOr<std::string> document = Compress(baseline);
  if (!document.ok()) return document.status();
  tx.Exec(kAddBaseline, baseline.digest(), Text(baseline.id()), Text(baseline.version()),
          Bytes(*document));
  return absl::OkStatus();
}

}  // namespace

absl::Status BaselineCatalog::Put(ConnectionPool& pool,
                                  const std::vector<v1::Baseline>& baselines) {
  const absl::Status status =
      pool.Transact("store baselines", [&](Transaction& tx) -> absl::Status {
        for (const v1::Baseline& baseline : baselines) {
          if (absl::Status put = Insert(tx, baseline); !put.ok()) return put;
        }
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  for (const v1::Baseline& baseline : baselines) {
    known_.try_emplace(baseline.digest(), Catalog(baseline));
  }
  return absl::OkStatus();
}

absl::StatusOr<BaselinePtr> BaselineCatalog::Find(Transaction& tx, const std::string& digest) {
  {
    absl::MutexLock lock(&mutex_);
    const auto known = known_.find(digest);
    if (known != known_.end()) return known->second;
  }
  const pqxx::result rows = tx.Exec(kGet, Text(digest));
  if (rows.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no baseline with digest \"", Text(digest, 256), "\" is stored"));
  }
  v1::Baseline document;
  if (auto status = Decompress(BytesOf(rows[0][0]), document); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  return known_.try_emplace(digest, Catalog(std::move(document))).first->second;
}

}  // namespace plimsoll::store
