// What holds for whatever comes out of hostile input.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace plimsoll::fuzz {

// Ends the process, as a finding, unless `truth`.
inline void Require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// What is said must be readable by the other side: text that is not UTF-8 is refused there.
inline void RequireReadable(const google::protobuf::MessageLite& message) {
  const std::unique_ptr<google::protobuf::MessageLite> read(message.New());
  Require(read->ParseFromString(message.SerializeAsString()), "a message that cannot be read back");
}

}  // namespace plimsoll::fuzz
