#include "controller/reevaluate/judge_host.h"

#include "absl/strings/escaping.h"
#include "controller/evaluate/evaluate.h"

namespace plimsoll::reevaluate {

std::vector<store::Judgement> JudgeHost(const v1::HostFacts& facts,
                                        const std::vector<v1::Baseline>& baselines,
                                        absl::Time as_of, absl::string_view host_id,
                                        absl::string_view facts_digest_raw,
                                        evaluate::ContainerFingerprints* fingerprints) {
  evaluate::ContainerFingerprints own;
  std::vector<store::Judgement> judgements;
  JudgeHost(facts, baselines, as_of, host_id, facts_digest_raw,
            fingerprints == nullptr ? own : *fingerprints, judgements);
  return judgements;
}

void JudgeHost(const v1::HostFacts& facts, const std::vector<v1::Baseline>& baselines,
               absl::Time as_of, absl::string_view host_id, absl::string_view facts_digest_raw,
               evaluate::ContainerFingerprints& fingerprints,
               std::vector<store::Judgement>& judgements) {
  const std::string digest = absl::BytesToHexString(facts_digest_raw);
  judgements.resize(baselines.size());
  for (size_t i = 0; i < baselines.size(); ++i) {
    store::Judgement& judgement = judgements[i];
    evaluate::Evaluate(facts, baselines[i],
                       {.as_of = as_of, .host_id = host_id, .facts_digest = digest},
                       judgement.report);
    judgement.failing =
        evaluate::FailingContainersOf(facts, baselines[i], judgement.report, fingerprints);
  }
}

}  // namespace plimsoll::reevaluate
