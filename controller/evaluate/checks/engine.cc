#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/daemon_checks.h"
#include "controller/evaluate/checks/effective_settings.h"
#include "controller/evaluate/checks/families.h"
#include "controller/evaluate/checks/version_number.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::SourceOutcome;
using v1::Verdict;

constexpr ObjectRef kEngine{.name = "engine", .id = ""};
constexpr char kVersionSource[] = "/version";

// --- Inventory. ----------------------------------------------------------------------------------

// Listings count better than /info, which may lag behind them.
std::string ContainerCounts(const v1::HostFacts& facts) {
  int64_t all = facts.engine().container_count();
  int64_t running = facts.engine().running_container_count();
  if (facts.containers().outcome().state() == SourceOutcome::OK) {
    all = facts.containers().containers_size();
    running = 0;
    for (const v1::Container& container : facts.containers().containers()) {
      running += container.status() == v1::Container::RUNNING;
    }
  }
  const int64_t images = facts.images().outcome().state() == SourceOutcome::OK
                             ? facts.images().images_size()
                             : facts.engine().image_count();
  return absl::StrCat(all, " containers (", running, " running), ", images, " images");
}

void CheckEngineInventory(const Context& context, const Check&, Judge& judge) {
  const v1::EngineFacts& engine = context.facts.engine();
  const v1::MachineFacts& machine = context.facts.machine();
  std::vector<std::string> security;
  for (const auto& option : engine.security_options()) security.push_back(option.name());
  std::string text = absl::StrCat(
      engine.product().empty() ? "Docker Engine" : engine.product(), " ", engine.version(),
      ", API ", engine.api_version(), ", storage ", engine.storage_driver(), ", cgroup ",
      engine.cgroup_driver(), engine.cgroup_version().empty() ? "" : " v", engine.cgroup_version(),
      ", security ", security.empty() ? "none" : ShortList(security), ", ",
      ContainerCounts(context.facts), ", swarm ",
      v1::SwarmFacts::NodeState_Name(context.facts.swarm().local_node_state()));
  const std::string& system =
      machine.os_pretty_name().empty() ? engine.operating_system() : machine.os_pretty_name();
  const std::string& kernel =
      machine.kernel_release().empty() ? engine.kernel_version() : machine.kernel_release();
  absl::StrAppend(&text, "; ", system, ", kernel ", kernel);
  judge.Pass(kEngine, {.observed = text, .expected = {}, .source = "/version, /info"});
}

// --- Version. ------------------------------------------------------------------------------------

struct VersionDemand {
  std::string minimum;
  bool end_of_life = false;
};

VersionDemand DemandOn(const VersionNumber& version, const v1::EngineVersionArgs& args) {
  VersionDemand demand{.minimum = args.minimum()};
  for (const auto& [branch, minimum] : args.branch_minimum()) {
    if (version.is_of_branch(branch)) demand.minimum = minimum;
  }
  for (const std::string& branch : args.end_of_life()) {
    demand.end_of_life |= version.is_of_branch(branch);
  }
  return demand;
}

void JudgeOldVersion(const v1::EngineVersionArgs& args, const VersionNumber& version,
                     const Evidence& evidence, Judge& judge) {
  if (!version.is_vendor_build() || args.accept_vendor_builds() == "no") {
    judge.Fail(kEngine, evidence);
  } else if (args.accept_vendor_builds() == "yes") {
    judge.Pass(kEngine, evidence);
    judge.Note("vendor_build", "the distribution may have back-ported fixes");
  } else {
    judge.Manual(kEngine, evidence);
    judge.Note("vendor_build",
               "the distribution may have back-ported fixes; compare with its advisories");
  }
}

void CheckEngineVersion(const Context& context, const Check& check, Judge& judge) {
  const v1::EngineVersionArgs& args = check.engine_version();
  const std::string& text = context.facts.engine().version();
  const std::optional<VersionNumber> version = ParseVersion(text);
  const bool development = version.has_value()
                               ? version->is_development()
                               : absl::StartsWith(text, "dev") || absl::StartsWith(text, "master");
  if (development) {
    judge.Manual(kEngine, {.observed = absl::StrCat(text, ", a development build"),
                           .expected = "a released version",
                           .source = kVersionSource});
    return;
  }
  if (!version.has_value()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError,
                 absl::StrCat("\"", text, "\" is no version number"));
    return;
  }
  const VersionDemand demand = DemandOn(*version, args);
  if (demand.end_of_life) {
    JudgeOldVersion(args, *version,
                    {.observed = text, .expected = "a maintained branch", .source = kVersionSource},
                    judge);
    return;
  }
  if (demand.minimum.empty()) {
    judge.Manual(kEngine, {.observed = text,
                           .expected = "a current version; set `minimum` to have it judged",
                           .source = kVersionSource});
    return;
  }
  const std::optional<VersionNumber> minimum = ParseVersion(demand.minimum);
  if (!minimum.has_value()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError,
                 absl::StrCat("the parameter \"", demand.minimum, "\" is no version number"));
    return;
  }
  const std::string expected = absl::StrCat(demand.minimum, " or later");
  const Evidence evidence{.observed = text, .expected = expected, .source = kVersionSource};
  if (*version >= *minimum) {
    judge.Pass(kEngine, evidence);
  } else {
    JudgeOldVersion(args, *version, evidence, judge);
  }
}

// --- Storage and registries.
// -----------------------------------------------------------------------

void CheckStorageDriver(const Context& context, const Check& check, Judge& judge) {
  static constexpr char kSource[] = "/info Driver";
  const StringField& forbidden = check.storage_driver().forbidden();
  const std::string& driver = context.facts.engine().storage_driver();
  const std::string expected =
      absl::StrCat("not ", ShortList({forbidden.begin(), forbidden.end()}));
  const Evidence evidence{.observed = driver, .expected = expected, .source = kSource};
  if (driver.empty()) {
    UnknownField(kSource, judge);
  } else if (Contains(forbidden, driver)) {
    judge.Fail(kEngine, evidence);
  } else {
    judge.Pass(kEngine, evidence);
  }
}

void CheckInsecureRegistries(const Context& context, const Check& check, Judge& judge) {
  static constexpr char kExpected[] = "no insecure registry";
  // The engine adds these itself.
  constexpr absl::string_view kOwnNetworks[] = {"127.0.0.0/8", "::1/128"};
  if (!context.facts.engine().has_registry()) {
    UnknownField("/info RegistryConfig", judge);
    return;
  }
  const v1::EngineFacts::Registry& registry = context.facts.engine().registry();
  const StringField& allowed = check.insecure_registries().allowed();
  const auto fail = [&](const std::string& name, absl::string_view source) {
    if (Contains(allowed, name)) {
      judge.Exempt();
      return;
    }
    judge.Fail({.name = name, .id = name},
               {.observed = "used without verified TLS", .expected = kExpected, .source = source});
  };
  for (const std::string& cidr : registry.insecure_cidrs()) {
    if (std::find(std::begin(kOwnNetworks), std::end(kOwnNetworks), absl::string_view(cidr)) ==
        std::end(kOwnNetworks)) {
      fail(cidr, "/info RegistryConfig.InsecureRegistryCIDRs");
    }
  }
  for (const auto& index : registry.indexes()) {
    if (!index.secure()) fail(index.name(), "/info RegistryConfig.IndexConfigs");
  }
  if (!judge.Failed()) {
    judge.Pass(kEngine, {.observed = "no insecure registry beyond those accepted",
                         .expected = kExpected,
                         .source = "/info RegistryConfig"});
  }
  NoteSetting(Configured(context, setting::kInsecureRegistries, nullptr), judge);
}

void CheckLegacyRegistry(const Context& context, const Check&, Judge& judge) {
  static constexpr char kExpected[] = "no legacy registry protocol";
  const std::string& version = context.facts.engine().version();
  const std::optional<bool> removed = VersionAtLeast(version, 17, 12);
  if (!removed.has_value()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError,
                 absl::StrCat("\"", version, "\" is no version number"));
    return;
  }
  const bool disabled_by_default = VersionAtLeast(version, 17, 6).value_or(false);
  const auto disabled = Configured(context, setting::kDisableLegacyRegistry, disabled_by_default);
  if (!*removed) {
    JudgeSetting(disabled, disabled.value,
                 {.observed = disabled.value ? "disable-legacy-registry=true"
                                             : "disable-legacy-registry=false",
                  .expected = kExpected},
                 judge);
    return;
  }
  const std::string observed = absl::StrCat("engine ", version, ", which does not speak it");
  judge.Pass(kEngine, {.observed = observed, .expected = kExpected, .source = kVersionSource});
  if (disabled.known() && disabled.origin != Origin::kDefault) {
    judge.Note(kEditedAfterStart, absl::StrCat(SourceText(disabled),
                                               " stops this engine at its next start; remove it"));
  }
}

constexpr CheckEntry kChecks[] = {
    {Check::kEngineInventory, {Source::kEngineVersion, Source::kEngineInfo}, CheckEngineInventory},
    {Check::kEngineVersion, {Source::kEngineVersion}, CheckEngineVersion},
    {Check::kStorageDriver, {Source::kEngineInfo}, CheckStorageDriver},
    {Check::kInsecureRegistries, {Source::kEngineInfo}, CheckInsecureRegistries},
    {Check::kLegacyRegistry, {Source::kEngineVersion}, CheckLegacyRegistry},
};

}  // namespace

absl::Span<const CheckEntry> EngineChecks() { return kChecks; }

}  // namespace plimsoll::evaluate
