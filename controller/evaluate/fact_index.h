// Look-ups into one host's facts, made once and used by every rule.
#pragma once

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::evaluate {

// Borrows `facts`, which must outlive it and not change. Immutable after construction, so
// thread-safe.
class FactIndex {
 public:
  explicit FactIndex(const v1::HostFacts& facts);

  // Null when there is none. `path` is matched as requested, then by canonical path.
  const v1::FileFact* File(absl::string_view path) const;
  const v1::Unit* Unit(absl::string_view name) const;
  const v1::Container* Container(absl::string_view id_or_name) const;
  const v1::Image* Image(absl::string_view id) const;
  const v1::Volume* Volume(absl::string_view name) const;
  const v1::Network* Network(absl::string_view id_or_name) const;
  const v1::Service* Service(absl::string_view id) const;
  const v1::Network* DefaultBridge() const { return default_bridge_; }
  // SecurityOptions of the engine by name.
  const v1::EngineFacts::SecurityOption* SecurityOption(absl::string_view name) const;

 private:
  absl::flat_hash_map<absl::string_view, const v1::FileFact*> files_;
  absl::flat_hash_map<absl::string_view, const v1::FileFact*> canonical_files_;
  absl::flat_hash_map<absl::string_view, const v1::Unit*> units_;
  absl::flat_hash_map<absl::string_view, const v1::Container*> containers_;
  absl::flat_hash_map<absl::string_view, const v1::Image*> images_;
  absl::flat_hash_map<absl::string_view, const v1::Volume*> volumes_;
  absl::flat_hash_map<absl::string_view, const v1::Network*> networks_;
  absl::flat_hash_map<absl::string_view, const v1::Service*> services_;
  absl::flat_hash_map<absl::string_view, const v1::EngineFacts::SecurityOption*> security_options_;
  const v1::Network* default_bridge_ = nullptr;
};

}  // namespace plimsoll::evaluate
