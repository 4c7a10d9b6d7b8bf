// Audit rules on disk, taken as the loader takes them (rules.md S3).
#pragma once

#include "collector/host/host_env.h"
#include "plimsoll/v1/audit_facts.pb.h"

namespace plimsoll::sources {

// Reads the files a loader may take, in this order: /etc/audit/audit.rules, which `auditctl -R`
// loads, and /etc/audit/rules.d/*.rules in natural order, from which augenrules makes the former.
// Usually every rule is there twice; `file` tells them apart, and a rule in rules.d alone is one
// that the next augenrules will load. Each of the two is a set of its own: -D drops, and -i excuses
// errors, within the set only.
//
// Fills persisted_outcome, persisted_rules, other_persisted_rule_count and rule_files. NOT_PRESENT:
// neither exists. TRUNCATED: more than 256 files or 8192 rules.
void CollectPersistedRules(host::HostEnv& env, v1::AuditFacts* facts);

}  // namespace plimsoll::sources
