#include "collector/sources/listeners.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "collector/sources/outcome.h"
#include "collector/sources/process_table.h"
#include "collector/sources/sources.h"

namespace plimsoll::sources {
namespace {

constexpr size_t kMaxTableBytes = size_t{16} << 20;
constexpr size_t kMaxOpenFiles = 65536;
constexpr absl::string_view kListenState = "0A";

// The kernel prints each 32-bit word of an address as a number of its own byte order.
bool ParseAddress(absl::string_view hex, v1::Listener::Family family, std::string* text) {
  const size_t words = family == v1::Listener::IPV4 ? 1 : 4;
  if (hex.size() != words * 8) return false;
  std::array<uint32_t, 4> address{};
  for (size_t i = 0; i < words; ++i) {
    if (!absl::SimpleHexAtoi(hex.substr(i * 8, 8), &address[i])) return false;
  }
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const int kind = family == v1::Listener::IPV4 ? AF_INET : AF_INET6;
  if (inet_ntop(kind, address.data(), buffer.data(), buffer.size()) == nullptr) return false;
  *text = buffer.data();
  return true;
}

bool ParseLine(const std::vector<absl::string_view>& fields, v1::Listener::Family family,
               ListeningSocket* socket) {
  const std::pair<absl::string_view, absl::string_view> local =
      absl::StrSplit(fields[1], absl::MaxSplits(':', 1));
  uint32_t port = 0;
  std::string address;
  if (!ParseAddress(local.first, family, &address) || !absl::SimpleHexAtoi(local.second, &port) ||
      port > 65535 || !absl::SimpleAtoi(fields[9], &socket->inode)) {
    return false;
  }
  socket->listener.set_family(family);
  socket->listener.set_address(address);
  socket->listener.set_port(port);
  return true;
}

absl::StatusOr<std::vector<ListeningSocket>> ReadTables(const host::FileSystem& files,
                                                        int64_t pid) {
  std::vector<ListeningSocket> sockets;
  for (const auto& [name, family] :
       {std::pair("net/tcp", v1::Listener::IPV4), std::pair("net/tcp6", v1::Listener::IPV6)}) {
    absl::StatusOr<std::string> text = files.ReadFile(ProcPath(pid, name), kMaxTableBytes);
    // A kernel without IPv6 has no such table, and no such sockets.
    if (family == v1::Listener::IPV6 && absl::IsNotFound(text.status())) continue;
    if (!text.ok()) return text.status();
    absl::StatusOr<std::vector<ListeningSocket>> parsed = ParseTcpTable(*text, family);
    if (!parsed.ok()) return parsed.status();
    absl::c_move(*parsed, std::back_inserter(sockets));
  }
  return sockets;
}

absl::StatusOr<absl::flat_hash_set<uint64_t>> SocketsOf(const host::FileSystem& files,
                                                        int64_t pid) {
  const std::string directory = ProcPath(pid, "fd");
  absl::StatusOr<std::vector<std::string>> names = files.ListDirectory(directory);
  if (!names.ok()) return names.status();
  if (names->size() > kMaxOpenFiles) {
    return absl::ResourceExhaustedError(absl::StrCat(directory, ": more than ", kMaxOpenFiles));
  }
  absl::flat_hash_set<uint64_t> inodes;
  for (const std::string& name : *names) {
    const absl::StatusOr<std::string> link = files.ReadLink(absl::StrCat(directory, "/", name));
    if (absl::IsPermissionDenied(link.status())) return link.status();
    // Closed since the listing: no listener any more.
    if (!link.ok()) continue;
    absl::string_view text = *link;
    uint64_t inode = 0;
    if (absl::ConsumePrefix(&text, "socket:[") && absl::ConsumeSuffix(&text, "]") &&
        absl::SimpleAtoi(text, &inode)) {
      inodes.insert(inode);
    }
  }
  return inodes;
}

absl::Status CollectSockets(const host::FileSystem& files, int64_t pid, v1::ListenersFacts* facts) {
  absl::StatusOr<std::vector<ListeningSocket>> sockets = ReadTables(files, pid);
  if (!sockets.ok()) return sockets.status();
  if (sockets->empty()) return absl::OkStatus();
  const absl::StatusOr<absl::flat_hash_set<uint64_t>> own = SocketsOf(files, pid);
  if (!own.ok()) return own.status();
  absl::c_sort(*sockets, [](const ListeningSocket& a, const ListeningSocket& b) {
    return std::tuple(a.listener.port(), a.listener.address(), a.inode) <
           std::tuple(b.listener.port(), b.listener.address(), b.inode);
  });
  for (ListeningSocket& socket : *sockets) {
    if (own->contains(socket.inode)) *facts->add_listeners() = std::move(socket.listener);
  }
  return absl::OkStatus();
}

std::string ProxyPath(const v1::DaemonFacts& daemon) {
  for (const v1::Settings* settings :
       {&daemon.command_line().settings(), &daemon.config_file().settings()}) {
    if (settings->has_userland_proxy_path()) return settings->userland_proxy_path();
  }
  return "";
}

absl::StatusOr<int> CountProxies(const host::FileSystem& files, const v1::DaemonFacts& daemon) {
  absl::StatusOr<std::vector<int64_t>> children = ListChildren(files, daemon.pid());
  if (!children.ok()) return children.status();
  const std::string configured = ProxyPath(daemon);
  int count = 0;
  for (const int64_t child : *children) {
    const bool is_proxy = ProgramName(files, child) == "docker-proxy";
    const bool is_configured =
        !configured.empty() && ReadExecutable(files, child).value_or("") ==
                                   files.RealPath(configured).value_or(configured);
    if (is_proxy || is_configured) ++count;
  }
  return count;
}

}  // namespace

absl::StatusOr<std::vector<ListeningSocket>> ParseTcpTable(absl::string_view text,
                                                           v1::Listener::Family family) {
  std::vector<ListeningSocket> sockets;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    // The first line is a heading.
    if (++number == 1 || line.empty()) continue;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    ListeningSocket socket;
    const bool complete = fields.size() >= 10;
    if (complete && fields[3] != kListenState) continue;
    if (!complete || !ParseLine(fields, family, &socket)) {
      return absl::DataLossError(absl::StrCat("table of TCP sockets: line ", number));
    }
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

v1::ListenersFacts CollectListeners(host::HostEnv& env, const v1::DaemonFacts& daemon) {
  v1::ListenersFacts facts;
  if (daemon.pid() == 0) {
    *facts.mutable_outcome() = daemon.outcome();
    *facts.mutable_proxy_outcome() = daemon.outcome();
    return facts;
  }
  {
    OutcomeTimer timer(env.clock, facts.mutable_outcome());
    timer.Set(CollectSockets(env.files, daemon.pid(), &facts));
  }
  OutcomeTimer timer(env.clock, facts.mutable_proxy_outcome());
  const absl::StatusOr<int> count = CountProxies(env.files, daemon);
  timer.Set(count.status());
  if (count.ok()) facts.set_docker_proxy_count(*count);
  return facts;
}

}  // namespace plimsoll::sources
