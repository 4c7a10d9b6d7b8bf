// An engine made of recorded replies.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "collector/host/docker_client.h"

namespace plimsoll::test {

// Serves what a test put under a path (with its version prefix), and counts every request. A path
// that nobody served is NOT_FOUND, as the engine's 404. GetEach answers in reverse order, so that
// nobody counts on any.
class FakeDockerClient : public host::DockerClient {
 public:
  // A later call for a path replaces an earlier one. Each returns *this.
  FakeDockerClient& Serve(const std::string& path, std::string body) {
    replies_.insert_or_assign(path, absl::StatusOr<std::string>(std::move(body)));
    return *this;
  }
  FakeDockerClient& Fail(const std::string& path, absl::Status error) {
    replies_.insert_or_assign(path, absl::StatusOr<std::string>(std::move(error)));
    return *this;
  }
  // The content of a file below tests/fixtures; fails the request when there is none.
  FakeDockerClient& ServeFile(const std::string& path, const std::string& fixture) {
    std::ifstream file(absl::StrCat(PLIMSOLL_SOURCE_DIR, "/tests/fixtures/", fixture));
    std::stringstream content;
    content << file.rdbuf();
    if (!file) return Fail(path, absl::InternalError(absl::StrCat("no fixture ", fixture)));
    return Serve(path, content.str());
  }
  // Every path that was not served fails so, instead of NOT_FOUND.
  FakeDockerClient& FailOthers(absl::Status error) {
    others_ = std::move(error);
    return *this;
  }
  FakeDockerClient& SetPeer(absl::StatusOr<host::PeerCredentials> peer) {
    peer_ = std::move(peer);
    return *this;
  }

  // Requests so far: of one path, and of all.
  int calls(const std::string& path) const {
    const auto found = calls_.find(path);
    return found == calls_.end() ? 0 : found->second;
  }
  const std::map<std::string, int>& all_calls() const { return calls_; }

  absl::StatusOr<std::string> Get(absl::string_view path) override {
    const std::string key(path);
    ++calls_[key];
    const auto found = replies_.find(key);
    if (found != replies_.end()) return found->second;
    if (!others_.ok()) return others_;
    return absl::NotFoundError(absl::StrCat("GET ", path, ": HTTP 404"));
  }
  void GetEach(const std::vector<std::string>& paths, const Done& done) override {
    for (size_t i = paths.size(); i-- > 0;) {
      const absl::StatusOr<std::string> body = Get(paths[i]);
      if (body.ok()) {
        done(i, absl::string_view(*body));
      } else {
        done(i, body.status());
      }
    }
  }
  absl::StatusOr<host::PeerCredentials> Peer() override { return peer_; }

 private:
  std::map<std::string, absl::StatusOr<std::string>> replies_;
  std::map<std::string, int> calls_;
  absl::Status others_;
  absl::StatusOr<host::PeerCredentials> peer_ = host::PeerCredentials{1234, 0};
};

}  // namespace plimsoll::test
