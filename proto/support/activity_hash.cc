#include "proto/support/activity_hash.h"

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"

namespace plimsoll::support {

std::string ActivityHash(const v1::Activity& entry) {
  const int64_t micros = entry.time().seconds() * 1'000'000 + entry.time().nanos() / 1000;
  std::string text = "plimsoll-activity-1\n";
  for (const std::string& value :
       {absl::StrCat(entry.sequence()), absl::StrCat(micros),
        v1::Activity::ActorKind_Name(entry.actor_kind()), entry.actor_id(), entry.actor_name(),
        entry.peer(), entry.action(), entry.object(), entry.outcome(), entry.message(),
        entry.before_json(), entry.after_json(), entry.previous_hash()}) {
    absl::StrAppend(&text, value.size(), ":", value, ",");
  }
  return Sha256Hex(text);
}

}  // namespace plimsoll::support
