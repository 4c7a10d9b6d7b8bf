#include <boost/asio/post.hpp>
#include <vector>

#include "controller/rest/http_connection.h"

namespace plimsoll::rest {

namespace asio = boost::asio;
namespace beast = boost::beast;

bool ConnectionBook::Admit(const std::string& peer) {
  absl::MutexLock lock(&mutex_);
  ++counters_.connections;
  int& count = peers_[peer];
  if (stopping_ || counters_.open_connections >= options_.max_connections ||
      count >= options_.max_connections_per_peer) {
    ++counters_.refused_connections;
    if (count == 0) peers_.erase(peer);
    return false;
  }
  ++count;
  ++counters_.open_connections;
  return true;
}

void ConnectionBook::Leave(const std::string& peer) {
  absl::MutexLock lock(&mutex_);
  --counters_.open_connections;
  const auto it = peers_.find(peer);
  if (--it->second == 0) peers_.erase(it);
}

void ConnectionBook::Open(Connection* connection) {
  absl::MutexLock lock(&mutex_);
  open_.insert(connection);
}

void ConnectionBook::Close(Connection* connection) {
  absl::MutexLock lock(&mutex_);
  open_.erase(connection);
}

bool ConnectionBook::SetBusy(Connection& connection, bool busy) {
  absl::MutexLock lock(&mutex_);
  connection.busy = busy;
  return !stopping_;
}

void ConnectionBook::SetEvents(Connection& connection, std::shared_ptr<EventSource> events) {
  bool close = false;
  {
    absl::MutexLock lock(&mutex_);
    if (events != nullptr) ++counters_.event_streams;
    if (connection.events != nullptr) --counters_.event_streams;
    connection.events = events;
    close = stopping_;
  }
  if (close && events != nullptr) events->Close();
}

bool ConnectionBook::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

bool ConnectionBook::Stop() {
  std::vector<std::shared_ptr<EventSource>> sources;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return false;
    stopping_ = true;
    for (Connection* connection : open_) {
      if (connection->events != nullptr) {
        sources.push_back(connection->events);
      } else if (!connection->busy) {
        asio::post(connection->stream.get_executor(), [this, connection] {
          absl::MutexLock again(&mutex_);
          if (open_.contains(connection) && !connection->busy) {
            beast::get_lowest_layer(connection->stream).cancel();
          }
        });
      }
    }
  }
  for (const auto& source : sources) source->Close();
  return true;
}

void ConnectionBook::AwaitEmpty(absl::Duration patience) {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_.empty(); };
  mutex_.AwaitWithTimeout(absl::Condition(&none), patience);
}

void ConnectionBook::CutAll() {
  absl::MutexLock lock(&mutex_);
  for (Connection* connection : open_) beast::get_lowest_layer(connection->stream).close();
}

}  // namespace plimsoll::rest
