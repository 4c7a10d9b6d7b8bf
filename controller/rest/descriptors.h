// The protos as data, with their comments.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

namespace plimsoll::rest {

// All of proto/plimsoll/v1 as it was when the program was built, with source information, in a pool
// of its own. Never null; lives for ever; thread-safe.
const google::protobuf::DescriptorPool& DocumentedPool();

// The comment above a message, field, enum, value, method or service: its lines joined by spaces,
// paragraphs kept. Empty: none.
template <class Descriptor>
std::string CommentOf(const Descriptor& descriptor);

}  // namespace plimsoll::rest
