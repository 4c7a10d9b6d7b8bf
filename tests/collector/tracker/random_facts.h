// Facts at random, and random changes of them, for tests of properties.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::test {

// Deterministic for a seed.
class RandomFacts {
 public:
  explicit RandomFacts(unsigned seed) : random_(seed) {}

  int Below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }

  // Every section, with a few objects in random order, some of them twice.
  v1::HostFacts Facts() {
    v1::HostFacts facts;
    facts.set_collector_version(absl::StrCat("1.", Below(2)));
    for (int i = Below(3); i > 0; --i) {
      (*facts.mutable_labels())[absl::StrCat("k", Below(4))] = absl::StrCat("v", Below(3));
    }
    facts.mutable_observed_time()->set_seconds(1800000000 + Below(1000));
    const auto* reflection = facts.GetReflection();
    const auto* type = v1::HostFacts::descriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const auto* field = type->field(i);
      if (field->is_repeated() || field->name() == "observed_time" ||
          field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
        continue;
      }
      Fill(*reflection->MutableMessage(&facts, field), 0);
    }
    return facts;
  }

  // A few fields at random places set, cleared or added; objects that come, change or go.
  void Change(v1::HostFacts& facts) {
    facts.mutable_observed_time()->set_seconds(facts.observed_time().seconds() + 1);
    for (int i = Below(4); i > 0; --i) {
      const auto* type = v1::HostFacts::descriptor();
      const auto* field = type->field(Below(type->field_count()));
      if (field->is_repeated() || field->name() == "observed_time" ||
          field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
        continue;
      }
      Fill(*facts.GetReflection()->MutableMessage(&facts, field), 0, 6);
    }
    if (Below(8) == 0) (*facts.mutable_labels())["k"] = absl::StrCat(Below(3));
  }

  // Other times and durations of every outcome, and nothing else.
  void ChangeVolatile(google::protobuf::Message& message) {
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    const auto* reflection = message.GetReflection();
    if (message.GetDescriptor() == v1::SourceOutcome::descriptor()) {
      auto& outcome = static_cast<v1::SourceOutcome&>(message);
      outcome.set_duration_us(1 + Below(1000));
      outcome.mutable_observed_time()->set_seconds(1 + Below(1000));
      return;
    }
    reflection->ListFields(message, &fields);
    for (const auto* field : fields) {
      if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE ||
          field->is_map()) {
        continue;
      }
      if (!field->is_repeated()) {
        ChangeVolatile(*reflection->MutableMessage(&message, field));
      } else {
        for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
          ChangeVolatile(*reflection->MutableRepeatedMessage(&message, field, i));
        }
      }
    }
  }

 private:
  // Sets about one in `rarity` fields of `message`, at random.
  void Fill(google::protobuf::Message& message, int depth, int rarity = 2) {
    const auto* type = message.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const auto* field = type->field(i);
      if (Below(rarity) != 0 || field->is_map()) continue;
      if (!field->is_repeated()) {
        FillOne(message, field, depth);
      } else if (message.GetReflection()->FieldSize(message, field) > 0 && Below(3) == 0) {
        message.GetReflection()->RemoveLast(&message, field);
      } else {
        for (int n = Below(4); n > 0; --n) Add(message, field, depth);
      }
    }
  }

  std::string Text() { return absl::StrCat("x", Below(12)); }

  void FillOne(google::protobuf::Message& m, const google::protobuf::FieldDescriptor* f,
               int depth) {
    using google::protobuf::FieldDescriptor;
    const auto* r = m.GetReflection();
    switch (f->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < 4) Fill(*r->MutableMessage(&m, f), depth + 1);
        return;
      case FieldDescriptor::CPPTYPE_STRING:
        return r->SetString(&m, f, Text());
      case FieldDescriptor::CPPTYPE_BOOL:
        return r->SetBool(&m, f, Below(2) == 0);
      case FieldDescriptor::CPPTYPE_INT32:
        return r->SetInt32(&m, f, Below(5));
      case FieldDescriptor::CPPTYPE_INT64:
        return r->SetInt64(&m, f, Below(5));
      case FieldDescriptor::CPPTYPE_UINT32:
        return r->SetUInt32(&m, f, static_cast<uint32_t>(Below(5)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return r->SetUInt64(&m, f, static_cast<uint64_t>(Below(5)));
      case FieldDescriptor::CPPTYPE_ENUM:
        return r->SetEnum(&m, f, f->enum_type()->value(Below(f->enum_type()->value_count())));
      default:
        return;
    }
  }

  void Add(google::protobuf::Message& m, const google::protobuf::FieldDescriptor* f, int depth) {
    using google::protobuf::FieldDescriptor;
    const auto* r = m.GetReflection();
    if (f->cpp_type() == FieldDescriptor::CPPTYPE_STRING) r->AddString(&m, f, Text());
    if (f->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || depth >= 4) return;
    Fill(*r->AddMessage(&m, f), depth + 1);
  }

  std::mt19937 random_;
};

}  // namespace plimsoll::test
