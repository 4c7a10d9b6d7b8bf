// The families of checks. Each is one constant table in checks/<family>.cc; table.cc joins them.
#pragma once

#include "absl/types/span.h"
#include "controller/evaluate/check.h"

namespace plimsoll::evaluate {

// Owner, mode and type of files, units, sockets and certificates.
absl::Span<const CheckEntry> FileChecks();
// What the kernel's audit watches, and how its log is kept.
absl::Span<const CheckEntry> AuditChecks();
// Whether a directory has a file system of its own.
absl::Span<const CheckEntry> PartitionChecks();
// Settings of dockerd, in force and as written.
absl::Span<const CheckEntry> DaemonChecks();
// The engine itself: inventory, version, storage driver, registries.
absl::Span<const CheckEntry> EngineChecks();
// Who may talk to the engine: endpoints, TLS, authorization, the docker group.
absl::Span<const CheckEntry> AccessChecks();
// Limits, capabilities, users and privileges of containers.
absl::Span<const CheckEntry> ContainerChecks();
// Host directories, sockets and devices inside containers.
absl::Span<const CheckEntry> MountChecks();
// Namespaces that containers share with the host or with each other.
absl::Span<const CheckEntry> NamespaceChecks();
absl::Span<const CheckEntry> ImageChecks();
// Networks and published ports.
absl::Span<const CheckEntry> NetworkChecks();
absl::Span<const CheckEntry> SwarmChecks();
// Recommendations that a person must judge.
absl::Span<const CheckEntry> ManualChecks();

}  // namespace plimsoll::evaluate
