// Owner, group, mode and access list of the unix sockets the engine listens on: rules 3.15
// and 3.16.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "controller/evaluate/check.h"
#include "plimsoll/v1/file_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::evaluate {

// Note code: a socket file that no endpoint of the engine names.
inline constexpr char kStaleSocket[] = "stale_socket";
// Reason codes: the path leads to something else, the access list lets others write, and the engine
// is told to use a group that the rule does not list.
inline constexpr char kNotASocket[] = "not_a_socket";
inline constexpr char kAclGrantsWrite[] = "acl_grants_write";
inline constexpr char kGroupNotAllowed[] = "group_not_allowed";

// The checks' functions; checks/files.cc has their table.
void RunSocketOwner(const Context& context, const v1::Check& check, Judge& judge);
void RunSocketMode(const Context& context, const v1::Check& check, Judge& judge);
void PlanSockets(const v1::Check& check, v1::CollectionPlan& plan);

// The entry of the file's access list that lets a user beside uid 0, or a group beside `groups`,
// write, as the list's mask allows. Null: none.
const v1::FileFact::AclEntry* WriterBeside(const v1::FileFact& file,
                                           absl::Span<const uint32_t> groups);

}  // namespace plimsoll::evaluate
