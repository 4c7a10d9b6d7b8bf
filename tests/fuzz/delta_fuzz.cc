// A message of a collector, from its bytes to the verdicts: size, decoding, facts, digest, judging.
// Links: controller/evaluate
// Sources: controller/gateway/message_check.cc
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"
#include "controller/gateway/message_check.h"
#include "proto/support/facts_delta.h"
#include "proto/support/facts_digest.h"
#include "tests/fuzz/invariants.h"
#include "tests/support/sample_facts.h"

namespace plimsoll::gateway {
namespace {

constexpr int64_t kMaximumDecoded = 1 << 20;

void FuzzFacts(v1::FactsDelta& delta) {
  if (!CheckObjectCounts(delta.changed(), 1000).ok() || !CheckScanIds(delta.scan_ids()).ok()) {
    return;
  }
  static const auto* const base = new v1::HostFacts(testing::SampleHost(2, testing::Habit::kUsual));
  static const auto* const baseline = new v1::Baseline(*evaluate::ShippedBaseline("azure-docker"));
  v1::HostFacts facts;
  support::FactsDigestTree tree;
  if (delta.base_digest().empty()) {
    facts.Swap(delta.mutable_changed());
    SortKeyedSections(facts);
    tree = support::FactsDigestTree(facts);
  } else {
    facts = *base;
    tree = support::FactsDigestTree(facts);
    if (!support::ApplyDelta(delta, facts).ok()) return;
    tree.Apply(delta, facts);
  }
  fuzz::Require(tree.Digest() == support::FactsDigestTree(facts).Digest(),
                "a digest that depends on how the facts came");
  const v1::HostReport report = evaluate::Evaluate(facts, *baseline, {});
  fuzz::Require(report.verdicts_size() == baseline->rules_size(), "a rule without a verdict");
  fuzz::RequireReadable(report);
}

void Fuzz(const char* data, int size) {
  google::protobuf::io::ArrayInputStream stream(data, size, std::clamp(size / 3, 1, 4096));
  const absl::Status checked = CheckDecodedSize(stream, kMaximumDecoded);
  v1::FromCollector message;
  if (!checked.ok() || !message.ParseFromArray(data, size)) return;
  // Of what the check lets in.
  fuzz::Require(static_cast<int64_t>(message.SpaceUsedLong()) <= 2 * kMaximumDecoded,
                "more memory than estimated");
  fuzz::Require(CleanText(message.hello().collector_version(), 64).size() <= 64, "long text");
  if (message.has_facts_delta()) FuzzFacts(*message.mutable_facts_delta());
}

}  // namespace
}  // namespace plimsoll::gateway

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // A line for every text that is none.
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plimsoll::gateway::Fuzz(reinterpret_cast<const char*>(data), static_cast<int>(size));
  return 0;
}
