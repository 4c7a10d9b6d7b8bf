#include "proto/support/digest.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <openssl/evp.h>

#include "absl/strings/escaping.h"
#include "plimsoll/v1/source_outcome.pb.h"

namespace plimsoll::support {
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string Sha256(absl::string_view bytes) {
  std::string digest(32, '\0');
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
             EVP_sha256(), nullptr);
  return digest;
}

std::string Sha256Hex(absl::string_view bytes) { return absl::BytesToHexString(Sha256(bytes)); }

void ClearVolatileOutcomes(Message& message) {
  if (message.GetDescriptor() == v1::SourceOutcome::descriptor()) {
    auto& outcome = static_cast<v1::SourceOutcome&>(message);
    outcome.clear_duration_us();
    outcome.clear_observed_time();
    return;
  }
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (field->is_repeated()) {
      const int size = reflection->FieldSize(message, field);
      for (int i = 0; i < size; ++i) {
        ClearVolatileOutcomes(*reflection->MutableRepeatedMessage(&message, field, i));
      }
    } else {
      ClearVolatileOutcomes(*reflection->MutableMessage(&message, field));
    }
  }
}

void ClearVolatile(v1::HostFacts& facts) {
  facts.clear_observed_time();
  ClearVolatileOutcomes(facts);
}

std::string SerializeStable(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string FactsDigest(const v1::HostFacts& facts) {
  v1::HostFacts copy = facts;
  ClearVolatile(copy);
  return Sha256(SerializeStable(copy));
}

}  // namespace plimsoll::support
