#include "collector/spool/record_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"

namespace plimsoll::spool {
namespace {

constexpr char kMagic[] = "PLSPOOL1";
constexpr size_t kMagicSize = 8;
constexpr size_t kHeaderSize = 4 + 1 + 8;
// Facts of the largest host allowed, before compression; a length beyond is damage.
constexpr uint32_t kMaximumPayload = 256u << 20;

RecordLog::Check Start() {
  RecordLog::Check check;
  std::memcpy(check.data(), kMagic, check.size());
  return check;
}

std::string LengthAndKind(uint32_t length, uint8_t kind) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>(length >> shift & 0xff));
  }
  bytes.push_back(static_cast<char>(kind));
  return bytes;
}

RecordLog::Check CheckOf(const RecordLog::Check& before, uint8_t kind, absl::string_view payload) {
  const std::string digest = support::Sha256(
      absl::StrCat(absl::string_view(before.data(), before.size()),
                   LengthAndKind(static_cast<uint32_t>(payload.size()), kind), payload));
  RecordLog::Check check;
  std::memcpy(check.data(), digest.data(), check.size());
  return check;
}

// False: fewer bytes are there, or an error.
bool ReadFully(int fd, char* data, size_t size, int64_t offset) {
  while (size > 0) {
    const ssize_t n = pread(fd, data, size, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
    offset += n;
  }
  return true;
}

absl::Status WriteFully(int fd, absl::string_view bytes, int64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat("write ", path));
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += n;
  }
  return absl::OkStatus();
}

// The record at `place.offset` whose predecessor's checksum is `place.before`; fills the rest of
// `place`. False: there is no good one.
bool ReadRecord(int fd, int64_t file_size, RecordLog::Place& place, std::string& payload,
                RecordLog::Check& check) {
  char header[kHeaderSize];
  if (place.offset + static_cast<int64_t>(kHeaderSize) > file_size ||
      !ReadFully(fd, header, kHeaderSize, place.offset)) {
    return false;
  }
  uint32_t length = 0;
  for (int i = 0; i < 4; ++i) {
    length |= static_cast<uint32_t>(static_cast<unsigned char>(header[i])) << (8 * i);
  }
  if (length > kMaximumPayload || place.offset + RecordLog::SizeOf(length) > file_size) {
    return false;
  }
  place.size = length;
  place.kind = static_cast<uint8_t>(header[4]);
  payload.resize(length);
  if (!ReadFully(fd, payload.data(), length, place.offset + static_cast<int64_t>(kHeaderSize))) {
    return false;
  }
  check = CheckOf(place.before, place.kind, payload);
  return std::memcmp(check.data(), header + 5, check.size()) == 0;
}

}  // namespace

RecordLog::RecordLog(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

RecordLog::~RecordLog() { close(fd_); }

int64_t RecordLog::SizeOf(size_t bytes) { return static_cast<int64_t>(kHeaderSize + bytes); }

absl::StatusOr<std::unique_ptr<RecordLog>> RecordLog::Create(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("create ", path));
  std::unique_ptr<RecordLog> log(new RecordLog(fd, path));
  if (fchmod(fd, 0600) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("chmod ", path));
  if (auto status = WriteFully(fd, absl::string_view(kMagic, kMagicSize), 0, path); !status.ok()) {
    return status;
  }
  log->size_ = kMagicSize;
  log->last_ = Start();
  return log;
}

absl::StatusOr<std::unique_ptr<RecordLog>> RecordLog::Open(const std::string& path,
                                                           const Visit& visit, int64_t& cut) {
  cut = 0;
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  std::unique_ptr<RecordLog> log(new RecordLog(fd, path));
  struct stat info;
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("stat ", path));
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  }
  char magic[kMagicSize];
  if (!ReadFully(fd, magic, kMagicSize, 0) || std::memcmp(magic, kMagic, kMagicSize) != 0) {
    return absl::DataLossError(absl::StrCat(path, " is no spool"));
  }
  log->last_ = Start();
  log->size_ = kMagicSize;
  Place place;
  Check check;
  std::string payload;
  while (true) {
    place = {log->size_, 0, 0, log->last_};
    if (!ReadRecord(fd, info.st_size, place, payload, check) || !visit(place, payload)) break;
    log->size_ += SizeOf(payload.size());
    log->last_ = check;
  }
  cut = info.st_size - log->size_;
  if (cut > 0 && ftruncate(fd, log->size_) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("truncate ", path));
  }
  return log;
}

absl::StatusOr<RecordLog::Place> RecordLog::Append(uint8_t kind, absl::string_view payload) {
  if (payload.size() > kMaximumPayload) {
    return absl::ResourceExhaustedError(absl::StrCat("a record of ", payload.size(), " bytes"));
  }
  const Check check = CheckOf(last_, kind, payload);
  const Place place{size_, static_cast<uint32_t>(payload.size()), kind, last_};
  const std::string frame = absl::StrCat(LengthAndKind(place.size, kind),
                                         absl::string_view(check.data(), check.size()), payload);
  if (auto status = WriteFully(fd_, frame, size_, path_); !status.ok()) {
    // Best effort: a torn record is recognised anyway.
    [[maybe_unused]] const int truncated = ftruncate(fd_, size_);
    return status;
  }
  size_ += static_cast<int64_t>(frame.size());
  last_ = check;
  return place;
}

absl::StatusOr<std::string> RecordLog::Read(const Place& place) const {
  Place found{place.offset, 0, 0, place.before};
  std::string payload;
  Check check;
  if (!ReadRecord(fd_, size_, found, payload, check)) {
    return absl::DataLossError(
        absl::StrCat(path_, ": the record at ", place.offset, " is damaged"));
  }
  return payload;
}

absl::Status RecordLog::Scan(const Visit& visit) const {
  Place place{kMagicSize, 0, 0, Start()};
  std::string payload;
  Check check;
  while (place.offset < size_) {
    if (!ReadRecord(fd_, size_, place, payload, check)) {
      return absl::DataLossError(
          absl::StrCat(path_, ": the record at ", place.offset, " is damaged"));
    }
    if (!visit(place, payload)) return absl::OkStatus();
    place = {place.offset + SizeOf(payload.size()), 0, 0, check};
  }
  return absl::OkStatus();
}

absl::Status RecordLog::Sync() const {
  if (fdatasync(fd_) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("sync ", path_));
  return absl::OkStatus();
}

}  // namespace plimsoll::spool
