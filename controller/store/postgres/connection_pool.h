// Connections to PostgreSQL, and the one way to run a transaction on them.
#pragma once

#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/store/postgres/pqxx_status.h"
#include "controller/store/store.h"

namespace plimsoll::store {

// `url` with our defaults filled in.
struct Conninfo {
  std::string text;
  // Password inside `text`, to strike it out of messages; may be empty.
  std::string secret;
};
// INVALID_ARGUMENT: `url` is not a libpq connection string; the message does not quote it.
absl::StatusOr<Conninfo> ParseUrl(const std::string& url);

// A statement with its name, under which a connection prepares it on first use. Names are unique in
// the program.
struct Statement {
  const char* name;
  const char* sql;
};

// One transaction on one connection; READ COMMITTED. Throws what libpqxx throws: lives inside
// ConnectionPool::Transact only.
class Transaction {
 public:
  explicit Transaction(pqxx::connection& connection) : connection_(connection), work_(connection) {}

  // Runs `statement` prepared. Arguments are $1, $2, ...
  template <class... Args>
  pqxx::result Exec(const Statement& statement, Args&&... args) {
    connection_.prepare(statement.name, statement.sql);
    return work_.exec_prepared(statement.name, std::forward<Args>(args)...);
  }

  // Runs `statement` planned for these very arguments: for filters whose best plan depends on them.
  template <class... Args>
  pqxx::result ExecPlanned(const Statement& statement, Args&&... args) {
    return work_.exec_params(statement.sql, std::forward<Args>(args)...);
  }

  // Runs SQL text of the program's own; several statements are allowed.
  pqxx::result ExecScript(const std::string& sql) { return work_.exec(sql); }

  // Statements of this transaction look rows up by index even in tables that are small now. A
  // prepared statement keeps the plan it began with: one made on an empty table would read all of
  // it when it has a million rows.
  void PlanByIndex() {
    Exec({"plan_by_index", "SELECT set_config('enable_seqscan', 'off', true)"});
  }

  void Commit() { work_.commit(); }

 private:
  pqxx::connection& connection_;
  pqxx::work work_;
};

// At most `size` connections, made on demand; a broken one is replaced. Thread-safe.
class ConnectionPool {
 public:
  // Checks that the database answers. `url` is a libpq connection string; where it does not say
  // otherwise, connecting takes at most 10 s. Errors: INVALID_ARGUMENT (not a connection string;
  // says no more, it may hold a password), UNAVAILABLE. `patience`: how long a caller waits for a
  // free connection.
  static absl::StatusOr<std::unique_ptr<ConnectionPool>> Open(
      const std::string& url, int size, absl::Duration patience = absl::Seconds(10));

  // Every connection is in use.
  bool Busy() ABSL_LOCKS_EXCLUDED(mutex_);
  PoolState State() ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `body(Transaction&)`, which returns a status or a StatusOr. Commits when that is OK, rolls
  // back otherwise. A connection that turns out dead before anything was done is replaced once.
  // Errors: the body's, those of StatusOfException, UNAVAILABLE (no connection became free).
  template <class F>
  auto Transact(absl::string_view what, F body) -> std::invoke_result_t<F&, Transaction&> {
    absl::StatusOr<Lease> lease = Checkout(what);
    if (!lease.ok()) return lease.status();
    return Guard(what, [&]() -> std::invoke_result_t<F&, Transaction&> {
      std::unique_ptr<Transaction> transaction = Begin(*lease);
      auto result = body(*transaction);
      if (result.ok()) transaction->Commit();
      return result;
    });
  }

 private:
  // A connection on loan; goes back when destroyed.
  class Lease {
   public:
    Lease(ConnectionPool* pool, std::unique_ptr<pqxx::connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->Return(std::move(connection_));
    }
    std::unique_ptr<pqxx::connection>& connection() { return connection_; }

   private:
    ConnectionPool* pool_;
    std::unique_ptr<pqxx::connection> connection_;
  };

  ConnectionPool(std::string conninfo, std::string secret, int size, absl::Duration patience)
      : conninfo_(std::move(conninfo)),
        secret_(std::move(secret)),
        size_(size),
        patience_(patience) {}

  absl::StatusOr<Lease> Checkout(absl::string_view what) ABSL_LOCKS_EXCLUDED(mutex_);
  void Return(std::unique_ptr<pqxx::connection> connection) ABSL_LOCKS_EXCLUDED(mutex_);
  std::unique_ptr<Transaction> Begin(Lease& lease);
  // Throws.
  std::unique_ptr<pqxx::connection> Connect() const;

  const std::string conninfo_;
  // Password inside conninfo_, to strike it out of messages; may be empty.
  const std::string secret_;
  const int size_;
  const absl::Duration patience_;
  absl::Mutex mutex_;
  // Connections that exist or are being made.
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<pqxx::connection>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::store
