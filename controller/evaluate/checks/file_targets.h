// Which files a rule on files is about: a path of the plan, a unit's file, the daemon.json in use,
// a file of the TLS settings or the registry certificates (rules.md S2, S4, S5, S12).
//
// A subject that cannot be known, or is not there, is said to the judge while it is resolved. What
// remains are targets: paths, each with the facts about it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "controller/evaluate/check.h"
#include "plimsoll/v1/file_checks.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::evaluate {

// Note codes about files.
namespace note {
inline constexpr char kSymlink[] = "symlink";
inline constexpr char kParentWritable[] = "parent_writable_by_others";
inline constexpr char kDropIns[] = "drop_ins";
inline constexpr char kBySearchPath[] = "by_search_path";
inline constexpr char kDefaultFileUnused[] = "default_file_unused";
}  // namespace note

// One file to judge. Borrows from the facts.
struct FileTarget {
  // As the plan, the unit or the setting names it.
  std::string path;
  // Null: the collector was not asked about it or did not answer.
  const v1::FileFact* file = nullptr;
  // The daemon is configured to use it, so its absence is no evidence that there is no subject.
  bool required = false;
  // It belongs to the engine, which may be rootless, rather than to the machine.
  bool engine_owned = false;
  // daemon.json, which names it, changed after the process started.
  bool drifted = false;
  // Codes and sentences for the finding.
  std::vector<std::pair<absl::string_view, std::string>> notes = {};
};

enum class Presence {
  // Its metadata was read.
  kPresent,
  // Read evidence shows that it does not exist, and it need not.
  kAbsent,
  // Neither; RecordUnknown says why.
  kUnknown,
};
Presence PresenceOf(const FileTarget& target);

// An UNKNOWN finding for a target whose presence is kUnknown.
void RecordUnknown(const FileTarget& target, absl::string_view expected, Judge& judge);
// Puts the target's own notes, a link and an unsafe parent directory on a finding.
void AddNotes(const FileTarget& target, v1::Finding* finding);

// --- Resolving. Each appends targets, or tells the judge why there is none. ---------------------

FileTarget PathTarget(const Context& context, absl::string_view path);
// A path that the daemon is told, by a setting or an API field: required, and relative to the
// working directory of its process.
FileTarget SettingTarget(const Context& context, absl::string_view value);
// The unit's fragment; with ENFORCE each drop-in too, else they become a note.
void ResolveUnit(const Context& context, absl::string_view unit, v1::FileSubject::DropIns dropins,
                 Judge& judge, std::vector<FileTarget>& targets);
void ResolveDaemonConfig(const Context& context, Judge& judge, std::vector<FileTarget>& targets);
void ResolveTlsFile(const Context& context, v1::FileSubject::TlsFile which, Judge& judge,
                    std::vector<FileTarget>& targets);
// Certificates whose base name matches one of the shell patterns; others are out of scope.
void ResolveRegistryCertificates(const Context& context,
                                 const google::protobuf::RepeatedPtrField<std::string>& patterns,
                                 Judge& judge, std::vector<FileTarget>& targets);

// The engine runs without root: its own files belong to `daemon.uid`. True only on read evidence.
bool RunsWithoutRoot(const Context& context);

// --- What the collector must look at. -----------------------------------------------------------

void PlanPaths(absl::Span<const absl::string_view> paths, v1::CollectionPlan& plan);
// The unit and, where it has one, the name other installations give it.
void PlanUnit(absl::string_view unit, v1::CollectionPlan& plan);
// The default daemon.json of each kind of installation; one named elsewhere is the collector's to
// find.
void PlanDaemonConfig(v1::CollectionPlan& plan);
void PlanTlsFile(v1::FileSubject::TlsFile which, v1::CollectionPlan& plan);

}  // namespace plimsoll::evaluate
