// Facts of a host as what the store keeps of them under each baseline.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/evaluate/failing_containers.h"
#include "controller/policy/policy.h"
#include "controller/store/report_store.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::reevaluate {

// Judges `facts` by every document of `policy`, in their order and under its waivers: the report
// and the containers that fail, as Evaluation and Reevaluation carry them (with policy.key).
// `as_of` is the time the reports speak of (the observation, so that judging again under one key
// gives the same bytes); `host_id` is the id given at enrolment; `facts_digest_raw` has 32 bytes,
// or none when it is not known. `fingerprints`, when given, belongs to this host, knows containers
// as `facts` have them, and saves hashing them again. Pure; thread-safe for different
// `fingerprints`.
std::vector<store::Judgement> JudgeHost(const v1::HostFacts& facts,
                                        const policy::HostPolicy& policy, absl::Time as_of,
                                        absl::string_view host_id,
                                        absl::string_view facts_digest_raw,
                                        evaluate::ContainerFingerprints* fingerprints = nullptr);

// The same into `judgements`, whose reports keep their memory when they are used again: that makes
// this about twice as fast.
void JudgeHost(const v1::HostFacts& facts, const policy::HostPolicy& policy, absl::Time as_of,
               absl::string_view host_id, absl::string_view facts_digest_raw,
               evaluate::ContainerFingerprints& fingerprints,
               std::vector<store::Judgement>& judgements);

}  // namespace plimsoll::reevaluate
