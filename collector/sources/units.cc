#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"
#include "collector/sources/unit_file.h"

namespace plimsoll::sources {
namespace {

constexpr size_t kMaxUnits = 64;
constexpr size_t kMaxUnitFileBytes = size_t{1} << 20;

// As systemd allows; above all, no path.
bool IsUnitName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name[0] == '.') return false;
  const absl::string_view allowed = ":-_.\\@";
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && !absl::StrContains(allowed, c)) {
      return false;
    }
  }
  return true;
}

void AddListen(const std::pair<std::string, std::string>& from, v1::Unit* unit) {
  v1::Unit::Listen* listen = unit->add_listen();
  listen->set_kind(CleanText(from.first));
  listen->set_address(CleanText(from.second, kMaxPathBytes));
}

absl::StatusOr<v1::Unit::LoadState> ParseLoadState(absl::string_view state) {
  if (state == "loaded" || state == "merged") return v1::Unit::LOADED;
  if (state == "masked") return v1::Unit::MASKED;
  if (state == "not-found") return v1::Unit::NOT_FOUND;
  if (state == "error" || state == "bad-setting") return v1::Unit::LOAD_ERROR;
  return absl::DataLossError(absl::StrCat("systemd reports the unknown load state ", state));
}

absl::Status FillFromBus(const host::FileSystem& files, const host::UnitProperties& properties,
                         v1::Unit* unit) {
  unit->set_how(v1::Unit::BY_DBUS);
  const auto state = ParseLoadState(properties.load_state);
  if (!state.ok()) return state.status();
  unit->set_load_state(*state);
  unit->set_main_pid(properties.main_pid);
  if (*state == v1::Unit::NOT_FOUND || *state == v1::Unit::LOAD_ERROR) return absl::OkStatus();
  unit->set_fragment_path(CleanText(properties.fragment_path, kMaxPathBytes));
  for (const std::string& path : properties.drop_in_paths) {
    unit->add_drop_in_paths(CleanText(path, kMaxPathBytes));
  }
  for (const auto& listen : properties.listen) AddListen(listen, unit);
  unit->set_socket_user(CleanText(properties.socket_user));
  unit->set_socket_group(CleanText(properties.socket_group));
  unit->set_socket_mode(CleanText(properties.socket_mode));
  if (properties.fragment_path.empty()) return absl::OkStatus();
  const auto canonical = files.RealPath(properties.fragment_path);
  // What systemd has loaded may be gone from the disk by now; the file's own fact says so.
  if (absl::IsNotFound(canonical.status())) return absl::OkStatus();
  if (!canonical.ok()) return canonical.status();
  unit->set_fragment_canonical(CleanText(*canonical, kMaxPathBytes));
  if (*canonical == "/dev/null") unit->set_load_state(v1::Unit::MASKED);
  return absl::OkStatus();
}

absl::Status FillSocketSettings(const host::FileSystem& files, const UnitFiles& found,
                                v1::Unit* unit) {
  SocketSettings settings;
  const auto fragment = files.ReadFile(found.fragment, kMaxUnitFileBytes);
  if (!fragment.ok()) return fragment.status();
  ApplySocketFile(*fragment, settings);
  for (const std::string& path : found.drop_ins) {
    const auto drop_in = files.ReadFile(path, kMaxUnitFileBytes);
    if (!drop_in.ok()) return drop_in.status();
    ApplySocketFile(*drop_in, settings);
  }
  for (const auto& listen : settings.listen) AddListen(listen, unit);
  unit->set_socket_user(CleanText(settings.user));
  unit->set_socket_group(CleanText(settings.group));
  unit->set_socket_mode(CleanText(settings.mode));
  return absl::OkStatus();
}

absl::Status FillFromFiles(const host::FileSystem& files, const std::string& name, v1::Unit* unit) {
  unit->set_how(v1::Unit::BY_SEARCH_PATH);
  const auto found = FindUnitFiles(files, name);
  if (!found.ok()) return found.status();
  if (found->fragment.empty()) {
    unit->set_load_state(v1::Unit::NOT_FOUND);
    return absl::OkStatus();
  }
  if (found->canonical.empty()) {
    unit->set_load_state(v1::Unit::LOAD_ERROR);
    unit->set_fragment_path(found->fragment);
    return absl::OkStatus();
  }
  unit->set_load_state(found->masked ? v1::Unit::MASKED : v1::Unit::LOADED);
  unit->set_fragment_path(found->fragment);
  unit->set_fragment_canonical(CleanText(found->canonical, kMaxPathBytes));
  for (const std::string& path : found->drop_ins) {
    unit->add_drop_in_paths(CleanText(path, kMaxPathBytes));
  }
  if (found->masked || !absl::EndsWith(name, ".socket")) return absl::OkStatus();
  return FillSocketSettings(files, *found, unit);
}

}  // namespace

v1::UnitsFacts CollectUnits(host::HostEnv& env, const v1::CollectionPlan& plan) {
  v1::UnitsFacts facts;
  OutcomeTimer timer(env.clock, facts.mutable_outcome());
  const std::set<std::string> names(plan.units().begin(), plan.units().end());
  bool ask_systemd = true;
  for (const std::string& name : names) {
    if (static_cast<size_t>(facts.units_size()) == kMaxUnits) {
      timer.Set(v1::SourceOutcome::TRUNCATED,
                absl::StrCat("the plan names more than ", kMaxUnits, " units"));
      break;
    }
    v1::Unit* unit = facts.add_units();
    unit->set_name(CleanText(name));
    OutcomeTimer unit_timer(env.clock, unit->mutable_outcome());
    if (!IsUnitName(name)) {
      unit_timer.Set(v1::SourceOutcome::UNSUPPORTED, "not a unit name");
      continue;
    }
    if (ask_systemd) {
      const auto properties = env.systemd.Unit(name);
      if (properties.ok()) {
        unit_timer.Set(FillFromBus(env.files, *properties, unit));
        continue;
      }
      // No systemd, or one that hangs: asking for the next unit would only cost time again.
      ask_systemd = absl::IsUnavailable(properties.status());
    }
    unit_timer.Set(FillFromFiles(env.files, name, unit));
  }
  timer.Set(v1::SourceOutcome::OK, "");
  return facts;
}

}  // namespace plimsoll::sources
