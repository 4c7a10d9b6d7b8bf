// Checks on one container's own settings. Each judges the containers of its scope (rules.md S6);
// the section named is the rule that it was written for. All are pure and thread-safe.
#pragma once

#include "controller/evaluate/check.h"

namespace plimsoll::evaluate {

// --- containers.cc ---

// 4.01: the effective user is not root (S10); images too where asked.
void JudgeUserNotRoot(const Context& context, const v1::Check& check, Judge& judge);
// 5.12: the root file system is read-only.
void JudgeReadOnlyRoot(const Context& context, const v1::Check& check, Judge& judge);
// 5.24: the cgroup parent is the engine's default or an allowed one.
void JudgeCgroupParent(const Context& context, const v1::Check& check, Judge& judge);
// 5.26: a health check is configured.
void JudgeHealthcheck(const Context& context, const v1::Check& check, Judge& judge);

// --- container_limits.cc ---

// 5.10: memory is limited.
void JudgeMemoryLimited(const Context& context, const v1::Check& check, Judge& judge);
// 5.28: the number of processes is limited.
void JudgePidsLimited(const Context& context, const v1::Check& check, Judge& judge);

// --- container_privileges.cc ---

// 5.04: not privileged.
void JudgeNotPrivileged(const Context& context, const v1::Check& check, Judge& judge);
// 5.03: no capability beyond the default set.
void JudgeCapabilities(const Context& context, const v1::Check& check, Judge& judge);
// 5.25: no new privileges (S11).
void JudgeNoNewPrivileges(const Context& context, const v1::Check& check, Judge& judge);

// --- container_ports.cc ---

// 5.13: published ports name a host address.
void JudgePortsBound(const Context& context, const v1::Check& check, Judge& judge);

// --- container_restart.cc ---

// 5.14: restarts are on failure and limited.
void JudgeRestartLimited(const Context& context, const v1::Check& check, Judge& judge);

// --- confinement.cc ---

// 5.01-2: AppArmor or SELinux is usable and confines every container.
void JudgeMacConfinement(const Context& context, const v1::Check& check, Judge& judge);
// Edge 9.02: no container without an AppArmor profile.
void JudgeApparmorNotDisabled(const Context& context, const v1::Check& check, Judge& judge);

// --- devices.cc and mounts.cc ---

// 5.17: no host device is exposed.
void JudgeDevices(const Context& context, const v1::Check& check, Judge& judge);

}  // namespace plimsoll::evaluate
