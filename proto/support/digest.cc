#include "proto/support/digest.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <openssl/evp.h>

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "plimsoll/v1/source_outcome.pb.h"

namespace plimsoll::support {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

// Which fields of each type lead to a SourceOutcome; types without any are left out. Facts hold no
// type within itself.
using OutcomePaths =
    absl::flat_hash_map<const google::protobuf::Descriptor*, std::vector<const FieldDescriptor*>>;

bool AddPaths(const google::protobuf::Descriptor* type, OutcomePaths& paths) {
  if (type == v1::SourceOutcome::descriptor()) return true;
  if (paths.contains(type)) return true;
  std::vector<const FieldDescriptor*> fields;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map() &&
        AddPaths(field->message_type(), paths)) {
      fields.push_back(field);
    }
  }
  if (fields.empty()) return false;
  paths[type] = std::move(fields);
  return true;
}

const OutcomePaths& Paths() {
  static const OutcomePaths* const paths = [] {
    auto* made = new OutcomePaths;
    AddPaths(v1::HostFacts::descriptor(), *made);
    return made;
  }();
  return *paths;
}

}  // namespace

std::string Sha256(absl::string_view bytes) {
  // Looking the algorithm up and making a context costs more than most digests.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                                EVP_MD_CTX_free);
  std::string digest(32, '\0');
  unsigned int size = 0;
  EVP_DigestInit_ex(context.get(), algorithm, nullptr);
  EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
  EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()), &size);
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
  const auto paths = Paths().find(message.GetDescriptor());
  if (paths == Paths().end()) return;
  const auto* reflection = message.GetReflection();
  for (const FieldDescriptor* field : paths->second) {
    if (field->is_repeated()) {
      const int size = reflection->FieldSize(message, field);
      for (int i = 0; i < size; ++i) {
        ClearVolatileOutcomes(*reflection->MutableRepeatedMessage(&message, field, i));
      }
    } else if (reflection->HasField(message, field)) {
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
