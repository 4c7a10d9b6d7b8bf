#include "controller/rest/descriptors.h"

#include <google/protobuf/descriptor.pb.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

// protoc's descriptor set, put into the program by the assembler.
__asm__(
    ".section .rodata\n"
    ".global plimsoll_descriptors, plimsoll_descriptors_end\n"
    "plimsoll_descriptors:\n"
    ".incbin \"" PLIMSOLL_DESCRIPTOR_SET
    "\"\n"
    "plimsoll_descriptors_end:\n"
    ".byte 0\n"
    ".text\n");
extern "C" const char plimsoll_descriptors[];
extern "C" const char plimsoll_descriptors_end[];

namespace plimsoll::rest {
namespace {

std::string Unwrap(const std::string& comment) {
  std::string text;
  bool paragraph = false;
  for (const absl::string_view raw : absl::StrSplit(comment, '\n')) {
    const absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (line.empty()) {
      paragraph = !text.empty();
      continue;
    }
    absl::StrAppend(&text, paragraph ? "\n\n" : (text.empty() ? "" : " "), line);
    paragraph = false;
  }
  return text;
}

}  // namespace

const google::protobuf::DescriptorPool& DocumentedPool() {
  static const google::protobuf::DescriptorPool* const pool = [] {
    google::protobuf::FileDescriptorSet set;
    auto* made = new google::protobuf::DescriptorPool;
    bool good = set.ParseFromArray(
        plimsoll_descriptors, static_cast<int>(plimsoll_descriptors_end - plimsoll_descriptors));
    for (const auto& file : set.file()) good = good && made->BuildFile(file) != nullptr;
    if (!good) {
      spdlog::critical("the program's own descriptors are damaged");
      std::abort();
    }
    return made;
  }();
  return *pool;
}

template <class Descriptor>
std::string CommentOf(const Descriptor& descriptor) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return "";
  return Unwrap(location.leading_comments);
}

template std::string CommentOf(const google::protobuf::Descriptor&);
template std::string CommentOf(const google::protobuf::FieldDescriptor&);
template std::string CommentOf(const google::protobuf::EnumDescriptor&);
template std::string CommentOf(const google::protobuf::EnumValueDescriptor&);
template std::string CommentOf(const google::protobuf::MethodDescriptor&);
template std::string CommentOf(const google::protobuf::ServiceDescriptor&);

}  // namespace plimsoll::rest
