// An append-only file of checksummed records: the part of the spool that knows disks.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::spool {

// The file: "PLSPOOL1", then for each record its length (u32), its kind (u8), a checksum (8 bytes)
// and the payload; numbers are little-endian. The checksum is the head of a SHA-256 over the
// checksum before it, length, kind and payload, so that no record is accepted that is damaged, out
// of order or left over from another file.
//
// A record that was appended survives the death of the process; that of the machine, once Sync
// returned. Thread-compatible; Sync may run beside everything else.
class RecordLog {
 public:
  using Check = std::array<char, 8>;
  // Where a record is; valid for the log that gave it.
  struct Place {
    int64_t offset = 0;
    uint32_t size = 0;
    uint8_t kind = 0;
    // Checksum of the record before.
    Check before{};
  };
  // False: the record is framed well but makes no sense; it and all after it are cut off.
  using Visit = std::function<bool(const Place& place, const std::string& payload)>;

  // A new, empty file (0600) in place of any that is there.
  static absl::StatusOr<std::unique_ptr<RecordLog>> Create(const std::string& path);

  // Opens a file, visits every good record in order, and cuts off what follows the last; `cut`
  // receives how many bytes that was. NOT_FOUND: no file. DATA_LOSS: not a file of this kind.
  static absl::StatusOr<std::unique_ptr<RecordLog>> Open(const std::string& path,
                                                         const Visit& visit, int64_t& cut);
  ~RecordLog();
  RecordLog(const RecordLog&) = delete;
  RecordLog& operator=(const RecordLog&) = delete;

  // Appends whole or not at all. After an error nothing more must be appended: what is on the disk
  // behind the last good record is not known.
  absl::StatusOr<Place> Append(uint8_t kind, absl::string_view payload);

  // DATA_LOSS: damaged since.
  absl::StatusOr<std::string> Read(const Place& place) const;

  // Visits every record again, as far as it is good, until `visit` returns false.
  absl::Status Scan(const Visit& visit) const;

  // To the platter. Blocking.
  absl::Status Sync() const;

  // Bytes of the file.
  int64_t size() const { return size_; }

  // What a payload of `bytes` takes in the file.
  static int64_t SizeOf(size_t bytes);

 private:
  RecordLog(int fd, std::string path);

  const int fd_;
  const std::string path_;
  int64_t size_ = 0;
  Check last_{};
};

}  // namespace plimsoll::spool
