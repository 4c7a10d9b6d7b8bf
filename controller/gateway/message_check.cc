#include "controller/gateway/message_check.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/support/facts_delta.h"

namespace plimsoll::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr int kMaximumDepth = 32;
// A std::string on the heap, an unknown field, an element of a repeated field: with its
// bookkeeping.
constexpr int64_t kBytesPerField = 48;
constexpr int kMaximumScanIds = 256;
constexpr size_t kMaximumScanIdBytes = 128;

using Sizes = absl::flat_hash_map<const Descriptor*, int64_t>;

void AddSizes(const Descriptor* type, Sizes& sizes) {
  const auto* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  if (!sizes.emplace(type, static_cast<int64_t>(prototype->SpaceUsedLong())).second) return;
  for (int i = 0; i < type->field_count(); ++i) {
    if (const Descriptor* inner = type->field(i)->message_type()) AddSizes(inner, sizes);
  }
}

// In-memory size of every message that a FromCollector can hold, empty.
const Sizes& EmptySizes() {
  static const Sizes& sizes = *[] {
    auto* made = new Sizes();
    AddSizes(v1::FromCollector::descriptor(), *made);
    return made;
  }();
  return sizes;
}

class Walker {
 public:
  Walker(CodedInputStream& in, int64_t room) : in_(in), room_(room) {}

  // True: the bytes up to the current limit are a message of `type`, as far as can be seen.
  bool Walk(const Descriptor& type, int depth) {
    if (depth > kMaximumDepth) return false;
    while (const uint32_t tag = in_.ReadTag()) {
      if (room_ < 0) return true;
      switch (WireFormatLite::GetTagWireType(tag)) {
        case WireFormatLite::WIRETYPE_VARINT: {
          uint64_t ignored = 0;
          if (!in_.ReadVarint64(&ignored)) return false;
          room_ -= kBytesPerField / 2;
          break;
        }
        case WireFormatLite::WIRETYPE_FIXED64:
          if (!in_.Skip(8)) return false;
          room_ -= kBytesPerField / 2;
          break;
        case WireFormatLite::WIRETYPE_FIXED32:
          if (!in_.Skip(4)) return false;
          room_ -= kBytesPerField / 2;
          break;
        case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
          if (!WalkField(type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag)), depth))
            return false;
          break;
        default:
          return false;
      }
    }
    return room_ < 0 || in_.ConsumedEntireMessage();
  }

  bool too_large() const { return room_ < 0; }

 private:
  bool WalkField(const FieldDescriptor* field, int depth) {
    int size = 0;
    if (!in_.ReadVarintSizeAsInt(&size) || size < 0) return false;
    const bool is_message =
        field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!is_message) {
      // A packed list takes up to eight bytes for each on the wire.
      const bool packed = field != nullptr && field->is_packable();
      room_ -= kBytesPerField + int64_t{size} * (packed ? 8 : 1);
      return in_.Skip(size);
    }
    room_ -= EmptySizes().at(field->message_type()) + 16;
    const CodedInputStream::Limit limit = in_.PushLimit(size);
    if (in_.BytesUntilLimit() != size || !Walk(*field->message_type(), depth + 1)) return false;
    in_.PopLimit(limit);
    return true;
  }

  CodedInputStream& in_;
  int64_t room_;
};

template <class T>
void SortByKey(google::protobuf::RepeatedPtrField<T>* list) {
  const auto less = [](const T& a, const T& b) { return support::KeyOf(a) < support::KeyOf(b); };
  const auto not_less = [&](const T& a, const T& b) { return !less(a, b); };
  if (std::adjacent_find(list->begin(), list->end(), not_less) == list->end()) return;
  std::stable_sort(list->pointer_begin(), list->pointer_end(),
                   [&](const T* a, const T* b) { return less(*a, *b); });
  // From the back to the front: of equal keys the last is kept.
  google::protobuf::RepeatedPtrField<T> kept;
  for (int i = 0; i < list->size(); ++i) {
    if (i + 1 < list->size() && !less(list->Get(i), list->Get(i + 1))) continue;
    kept.Add(std::move(*list->Mutable(i)));
  }
  list->Swap(&kept);
}

}  // namespace

absl::Status CheckDecodedSize(google::protobuf::io::ZeroCopyInputStream& bytes, int64_t limit) {
  CodedInputStream in(&bytes);
  Walker walker(in, limit);
  const bool well_formed = walker.Walk(*v1::FromCollector::descriptor(), 0);
  if (walker.too_large()) {
    return absl::ResourceExhaustedError("a message takes too much memory for its length");
  }
  return well_formed ? absl::OkStatus()
                     : absl::InvalidArgumentError("a message that is not of this protocol");
}

absl::Status CheckObjectCounts(const v1::HostFacts& facts, int32_t limit) {
  const struct {
    const char* section;
    int count;
  } sections[] = {{"files", facts.files().files_size()},
                  {"images", facts.images().images_size()},
                  {"containers", facts.containers().containers_size()},
                  {"volumes", facts.volumes().volumes_size()},
                  {"networks", facts.networks().networks_size()}};
  for (const auto& section : sections) {
    if (limit > 0 && section.count > limit) {
      return absl::ResourceExhaustedError(
          absl::StrCat(section.count, " objects in section ", section.section, ", at most ", limit,
                       " are allowed; raise the controller's limit if this host is real"));
    }
  }
  return absl::OkStatus();
}

void SortKeyedSections(v1::HostFacts& facts) {
  if (facts.has_files()) SortByKey(facts.mutable_files()->mutable_files());
  if (facts.has_images()) SortByKey(facts.mutable_images()->mutable_images());
  if (facts.has_containers()) SortByKey(facts.mutable_containers()->mutable_containers());
  if (facts.has_volumes()) SortByKey(facts.mutable_volumes()->mutable_volumes());
  if (facts.has_networks()) SortByKey(facts.mutable_networks()->mutable_networks());
}

absl::Status CheckScanIds(const google::protobuf::RepeatedPtrField<std::string>& ids) {
  if (ids.size() > kMaximumScanIds) {
    return absl::InvalidArgumentError(
        absl::StrCat(ids.size(), " scans in one message, at most ", kMaximumScanIds));
  }
  for (const std::string& id : ids) {
    if (id.empty() || id.size() > kMaximumScanIdBytes ||
        !std::all_of(id.begin(), id.end(), absl::ascii_isgraph)) {
      return absl::InvalidArgumentError("a scan id that is none");
    }
  }
  return absl::OkStatus();
}

std::string CleanText(absl::string_view hostile, size_t most) {
  std::string clean(hostile.substr(0, most));
  if (hostile.size() > most) {
    // Back to the beginning of the character that was cut.
    while (!clean.empty() && (static_cast<unsigned char>(hostile[clean.size()]) & 0xC0) == 0x80) {
      clean.pop_back();
    }
  }
  clean.erase(std::remove_if(clean.begin(), clean.end(), absl::ascii_iscntrl), clean.end());
  return clean;
}

}  // namespace plimsoll::gateway
