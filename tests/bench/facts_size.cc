// How large a host's facts are in the store: `facts_size FILE`, a file of `plimsoll-collector
// --once --out`, prints "PLAIN COMPRESSED" in bytes; with `--sections` one line more for each
// section.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "controller/store/facts_codec.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace {

int Print(const google::protobuf::Message& message, const char* name) {
  const auto packed = plimsoll::store::Compress(message);
  if (!packed.ok()) {
    std::fprintf(stderr, "facts_size: %s\n", packed.status().ToString().c_str());
    return 1;
  }
  std::printf("%zu %zu%s%s\n", message.ByteSizeLong(), packed->size(), *name ? " " : "", name);
  return 0;
}

int PrintSections(const plimsoll::v1::HostFacts& facts) {
  const google::protobuf::Reflection& reflection = *facts.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(facts, &fields);
  for (const auto* field : fields) {
    if (field->is_repeated() || field->message_type() == nullptr) continue;
    if (Print(reflection.GetMessage(facts, field), field->name().c_str()) != 0) return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool sections = argc == 3 && std::strcmp(argv[2], "--sections") == 0;
  if (argc != 2 && !sections) {
    std::fprintf(stderr, "usage: facts_size FILE [--sections]\n");
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  plimsoll::v1::HostFacts facts;
  if (!file || !facts.ParseFromIstream(&file)) {
    std::fprintf(stderr, "facts_size: %s is not a facts file\n", argv[1]);
    return 1;
  }
  const int status = Print(facts, "");
  return status != 0 || !sections ? status : PrintSections(facts);
}
