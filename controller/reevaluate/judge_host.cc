#include "controller/reevaluate/judge_host.h"

#include "absl/strings/escaping.h"
#include "controller/evaluate/evaluate.h"

namespace plimsoll::reevaluate {

std::vector<store::Judgement> JudgeHost(const v1::HostFacts& facts,
                                        const policy::HostPolicy& policy, absl::Time as_of,
                                        absl::string_view host_id,
                                        absl::string_view facts_digest_raw,
                                        evaluate::ContainerFingerprints* fingerprints) {
  evaluate::ContainerFingerprints own;
  std::vector<store::Judgement> judgements;
  JudgeHost(facts, policy, as_of, host_id, facts_digest_raw,
            fingerprints == nullptr ? own : *fingerprints, judgements);
  return judgements;
}

void JudgeHost(const v1::HostFacts& facts, const policy::HostPolicy& policy, absl::Time as_of,
               absl::string_view host_id, absl::string_view facts_digest_raw,
               evaluate::ContainerFingerprints& fingerprints,
               std::vector<store::Judgement>& judgements) {
  const std::string digest = absl::BytesToHexString(facts_digest_raw);
  const auto& documents = *policy.documents;
  judgements.resize(documents.size());
  for (size_t i = 0; i < documents.size(); ++i) {
    store::Judgement& judgement = judgements[i];
    evaluate::Evaluate(facts, *documents[i],
                       {.as_of = as_of,
                        .host_id = host_id,
                        .facts_digest = digest,
                        .waivers = policy.waivers,
                        .now = policy.now},
                       judgement.report);
    judgement.failing =
        evaluate::FailingContainersOf(facts, *documents[i], judgement.report, fingerprints);
  }
}

}  // namespace plimsoll::reevaluate
