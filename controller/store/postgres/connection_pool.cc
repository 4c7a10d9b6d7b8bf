#include "controller/store/postgres/connection_pool.h"

#include <postgresql/libpq-fe.h>

#include <map>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace plimsoll::store {
namespace {

// A stuck statement must not hold a connection for ever. JIT costs more than our queries take.
constexpr std::pair<const char*, const char*> kSessionSettings[] = {
    {"statement_timeout", "'60s'"},
    {"lock_timeout", "'20s'"},
    {"idle_in_transaction_session_timeout", "'60s'"},
    {"jit", "off"},
    {"client_min_messages", "warning"},
    {"timezone", "'UTC'"},
    {"default_transaction_isolation", "'read committed'"}};

}  // namespace

// The text of `url` never appears in a message: libpq quotes parts of it.
absl::StatusOr<Conninfo> ParseUrl(const std::string& url) {
  char* error = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &error);
  const auto free_all = absl::MakeCleanup([&] {
    PQconninfoFree(options);
    PQfreemem(error);
  });
  if (options == nullptr) {
    return absl::InvalidArgumentError(
        "the database URL is not a libpq connection string (postgresql://user@host/name or "
        "key=value ...)");
  }
  std::map<std::string, std::string> values = {
      {"connect_timeout", "10"},   {"application_name", "plimsoll-controller"},
      {"client_encoding", "UTF8"}, {"tcp_user_timeout", "30000"},
      {"keepalives_idle", "30"},   {"keepalives_interval", "10"}};
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) values[option->keyword] = option->val;
  }
  Conninfo conninfo;
  for (const auto& [key, value] : values) {
    absl::StrAppend(&conninfo.text, key, "='",
                    absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"'", "\\'"}}), "' ");
  }
  conninfo.secret = values["password"];
  return conninfo;
}

absl::StatusOr<std::unique_ptr<ConnectionPool>> ConnectionPool::Open(const std::string& url,
                                                                     int size,
                                                                     absl::Duration patience) {
  absl::StatusOr<Conninfo> conninfo = ParseUrl(url);
  if (!conninfo.ok()) return conninfo.status();
  std::unique_ptr<ConnectionPool> pool(
      new ConnectionPool(conninfo->text, conninfo->secret, std::max(size, 1), patience));
  absl::StatusOr<Lease> lease = pool->Checkout("connect to PostgreSQL");
  if (!lease.ok()) return lease.status();
  return pool;
}

std::unique_ptr<pqxx::connection> ConnectionPool::Connect() const {
  auto connection = std::make_unique<pqxx::connection>(conninfo_);
  // libpqxx connects again by itself, and restores only what it was told in this way.
  for (const auto& [name, value] : kSessionSettings) connection->set_variable(name, value);
  return connection;
}

absl::StatusOr<ConnectionPool::Lease> ConnectionPool::Checkout(absl::string_view what) {
  std::unique_ptr<pqxx::connection> connection;
  {
    absl::MutexLock lock(&mutex_);
    const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return !idle_.empty() || count_ < size_;
    };
    ++waiting_;
    const bool got = mutex_.AwaitWithTimeout(absl::Condition(&free), patience_);
    --waiting_;
    if (!got) {
      return absl::UnavailableError(absl::StrCat(what, ": all ", size_,
                                                 " database connections are busy for ",
                                                 absl::FormatDuration(patience_)));
    }
    if (idle_.empty()) {
      ++count_;
    } else {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  // From here on the lease gives the place back, whatever happens.
  Lease lease(this, std::move(connection));
  if (lease.connection() != nullptr) return lease;
  const absl::Status status = Guard(what, [&] {
    lease.connection() = Connect();
    return absl::OkStatus();
  });
  if (status.ok()) return lease;
  std::string message(status.message());
  if (!secret_.empty()) message = absl::StrReplaceAll(message, {{secret_, "***"}});
  return absl::Status(status.code(), message);
}

std::unique_ptr<Transaction> ConnectionPool::Begin(Lease& lease) {
  try {
    return std::make_unique<Transaction>(*lease.connection());
  } catch (const pqxx::failure&) {
    // The server went away while the connection lay idle.
    lease.connection() = nullptr;
  }
  lease.connection() = Connect();
  return std::make_unique<Transaction>(*lease.connection());
}

PoolState ConnectionPool::State() {
  absl::MutexLock lock(&mutex_);
  return {size_, count_, static_cast<int>(idle_.size()), waiting_};
}

bool ConnectionPool::Busy() {
  absl::MutexLock lock(&mutex_);
  return idle_.empty() && count_ >= size_;
}

void ConnectionPool::Return(std::unique_ptr<pqxx::connection> connection) {
  if (connection != nullptr && !connection->is_open()) connection = nullptr;
  absl::MutexLock lock(&mutex_);
  if (connection == nullptr) {
    --count_;
  } else {
    idle_.push_back(std::move(connection));
  }
}

}  // namespace plimsoll::store
