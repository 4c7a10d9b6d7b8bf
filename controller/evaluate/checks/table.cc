// Every check, by its arguments' case. A family that lands is one line here.
#include <array>

#include "controller/evaluate/check.h"
#include "controller/evaluate/checks/families.h"

namespace plimsoll::evaluate {
namespace {

// Cases are field numbers of v1::Check; families number below this.
constexpr size_t kSlots = 256;
using Table = std::array<const CheckEntry*, kSlots>;

Table BuildTable() {
  Table table{};
  const absl::Span<const CheckEntry> families[] = {
      FileChecks(),   AuditChecks(),   PartitionChecks(), DaemonChecks(), EngineChecks(),
      AccessChecks(), ManualChecks(),  ContainerChecks(), MountChecks(),  NamespaceChecks(),
      ImageChecks(),  NetworkChecks(), SwarmChecks()};
  for (const auto& family : families) {
    for (const CheckEntry& entry : family) table[static_cast<size_t>(entry.kind)] = &entry;
  }
  return table;
}

}  // namespace

const CheckEntry* FindCheck(v1::Check::KindCase kind) {
  static const Table table = BuildTable();
  const auto slot = static_cast<size_t>(kind);
  return slot < kSlots ? table[slot] : nullptr;
}

}  // namespace plimsoll::evaluate
