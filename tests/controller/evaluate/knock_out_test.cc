// Fails every fact source in turn on every sample host. A rule that needs the source must say
// UNKNOWN with the reason that belongs to it; no rule may turn anything but UNKNOWN; and a rule
// that does not use the source at all must not change by a byte, which proves that every `needs` is
// complete.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/check.h"
#include "controller/evaluate/evaluate.h"
#include "tests/controller/evaluate/case_runner.h"
#include "tests/controller/evaluate/knock_out_uses.h"

namespace plimsoll::evaluate {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using v1::SourceOutcome;
using v1::Verdict;

const absl::Time kAsOf = absl::FromUnixSeconds(1767312000);

constexpr const char* kSourceNames[kSourceCount] = {
    "version",    "info",    "daemon",   "command line", "config file", "machine",
    "units",      "files",   "audit",    "mounts",       "users",       "images",
    "containers", "volumes", "networks", "swarm",        "listeners"};

struct Host {
  std::string name;
  v1::HostFacts facts;
};

const std::vector<Host>& Hosts() {
  static const auto* const hosts = [] {
    auto* all = new std::vector<Host>;
    all->push_back({"compliant", BaseFacts(Base::kCompliant)});
    all->push_back({"noncompliant", BaseFacts(Base::kNoncompliant)});
    v1::HostFacts manager = BaseFacts(Base::kCompliant);
    MergeText(R"pb(
                swarm {
                  local_node_state: ACTIVE
                  control_available: true
                  auto_lock_managers: true
                  state_file_outcome { state: OK }
                  listen_address: "10.0.0.5:2377"
                  services_outcome { state: OK }
                }
                networks { networks { id: "ov" name: "ov" driver: "overlay" encrypted: true } }
                listeners { listeners { family: IPV4 address: "10.0.0.5" port: 2377 } }
              )pb",
              manager);
    all->push_back({"swarm manager", manager});
    v1::HostFacts tcp = BaseFacts(Base::kCompliant);
    MergeText(R"pb(
                daemon {
                  command_line { settings { hosts { values: "tcp://10.0.0.5:2376" } } }
                  config_file { outcome { state: OK } }
                }
                engine { security_options { name: "seccomp" } }
                listeners { listeners { family: IPV4 address: "10.0.0.5" port: 2376 } }
              )pb",
              tcp);
    all->push_back({"tcp endpoint", tcp});
    return all;
  }();
  return *hosts;
}

// Takes everything out of `message` and leaves what became of reading it.
template <typename Section>
void Empty(Section& section, SourceOutcome::State state) {
  section.Clear();
  section.mutable_outcome()->set_state(state);
}

// As a collector would leave the facts when the source failed.
v1::HostFacts WithoutSource(const v1::HostFacts& facts, Source source, SourceOutcome::State state) {
  v1::HostFacts out = facts;
  switch (source) {
    case Source::kEngineVersion: {
      Empty(*out.mutable_engine(), state);
      break;
    }
    case Source::kEngineInfo: {
      v1::EngineFacts& engine = *out.mutable_engine();
      for (int i = 0; i < engine.GetDescriptor()->field_count(); ++i) {
        const FieldDescriptor* field = engine.GetDescriptor()->field(i);
        if (field->number() >= 14) engine.GetReflection()->ClearField(&engine, field);
      }
      engine.mutable_info_outcome()->set_state(state);
      break;
    }
    case Source::kDaemon:
      Empty(*out.mutable_daemon(), state);
      break;
    case Source::kCommandLine:
      Empty(*out.mutable_daemon()->mutable_command_line(), state);
      break;
    case Source::kConfigFile:
      Empty(*out.mutable_daemon()->mutable_config_file(), state);
      break;
    case Source::kMachine:
      Empty(*out.mutable_machine(), state);
      break;
    case Source::kUnits:
      Empty(*out.mutable_units(), state);
      break;
    case Source::kFiles:
      Empty(*out.mutable_files(), state);
      break;
    case Source::kAudit:
      Empty(*out.mutable_audit(), state);
      break;
    case Source::kMounts:
      Empty(*out.mutable_mounts(), state);
      break;
    case Source::kUsers:
      Empty(*out.mutable_users(), state);
      break;
    case Source::kImages:
      Empty(*out.mutable_images(), state);
      break;
    case Source::kContainers:
      Empty(*out.mutable_containers(), state);
      break;
    case Source::kVolumes:
      Empty(*out.mutable_volumes(), state);
      break;
    case Source::kNetworks:
      Empty(*out.mutable_networks(), state);
      break;
    case Source::kSwarm:
      Empty(*out.mutable_swarm(), state);
      break;
    case Source::kListeners:
      Empty(*out.mutable_listeners(), state);
      break;
  }
  return out;
}

// Outcomes that mean something of their own rather than "not read".
bool IsAnAnswer(Source source, SourceOutcome::State state) {
  if (source == Source::kConfigFile) return state == SourceOutcome::NOT_PRESENT;
  if (source == Source::kEngineVersion) return state == SourceOutcome::UNSUPPORTED;
  if (source == Source::kAudit) return state == SourceOutcome::UNSUPPORTED;
  return false;
}

bool Needs(const CheckEntry& entry, Source source) {
  if (entry.needs.Has(source)) return true;
  if (source == Source::kDaemon) {
    return entry.needs.Has(Source::kCommandLine) || entry.needs.Has(Source::kConfigFile);
  }
  return source == Source::kEngineVersion && entry.needs.Has(Source::kEngineInfo);
}

std::string CheckName(const v1::Rule& rule) {
  return v1::Check::descriptor()->FindFieldByNumber(rule.check().kind_case())->name();
}

bool Lists(const Uses& uses, const std::string& check, Source source) {
  const auto it = uses.find(check);
  return it != uses.end() && it->second.contains(source);
}

const std::vector<v1::Baseline>& Baselines() {
  static const auto* const all = [] {
    auto* list = new std::vector<v1::Baseline>;
    for (const std::string& id : ShippedBaselineIds()) list->push_back(*ShippedBaseline(id));
    return list;
  }();
  return *all;
}

TEST(KnockOut, AMissingSourceNeverPassesAndTouchesOnlyItsRules) {
  std::map<std::string, std::set<Source>> used;
  for (const Host& host : Hosts()) {
    for (const v1::Baseline& baseline : Baselines()) {
      const v1::HostReport before = Evaluate(host.facts, baseline, {.as_of = kAsOf});
      for (int s = 0; s < kSourceCount; ++s) {
        const auto source = static_cast<Source>(s);
        for (int state = 0; state < SourceOutcome::State_ARRAYSIZE; ++state) {
          const auto outcome = static_cast<SourceOutcome::State>(state);
          if (outcome == SourceOutcome::OK || IsAnAnswer(source, outcome)) continue;
          const v1::HostReport after =
              Evaluate(WithoutSource(host.facts, source, outcome), baseline, {.as_of = kAsOf});
          SourceOutcome failed;
          failed.set_state(outcome);
          for (int i = 0; i < baseline.rules_size(); ++i) {
            const Verdict& was = before.verdicts(i);
            const Verdict& is = after.verdicts(i);
            const std::string check = CheckName(baseline.rules(i));
            const CheckEntry& entry = *FindCheck(baseline.rules(i).check().kind_case());
            const std::string where = absl::StrCat(
                host.name, ", ", baseline.id(), " ", baseline.rules(i).id(), " (", check, "), ",
                kSourceNames[s], " ", SourceOutcome::State_Name(outcome), ": ",
                Verdict::Status_Name(was.status()), " -> ", Verdict::Status_Name(is.status()), " ",
                is.reason(), " ", is.message());
            if (Needs(entry, source)) {
              EXPECT_EQ(is.status(), Verdict::UNKNOWN) << where;
              EXPECT_EQ(is.reason(), ReasonFor(source, failed)) << where;
              continue;
            }
            EXPECT_TRUE(is.status() == was.status() || is.status() == Verdict::UNKNOWN) << where;
            if (is.SerializeAsString() == was.SerializeAsString()) continue;
            used[check].insert(source);
            EXPECT_TRUE(Lists(AlsoUses(), check, source)) << where;
            if (is.status() == Verdict::PASS) {
              EXPECT_TRUE(Lists(PassesWithout(), check, source)) << where;
            }
          }
        }
      }
    }
  }
  for (const auto& [check, sources] : AlsoUses()) {
    for (const Source source : sources) {
      EXPECT_TRUE(used[check].contains(source))
          << check << " does not use " << kSourceNames[static_cast<int>(source)];
    }
  }
}

// --- Outcomes inside sections: one file, one container, one inspect.
// ---------------------------------

struct Spot {
  std::string place;
  // From the facts down to the message that holds the outcome: field and index.
  std::vector<std::pair<const FieldDescriptor*, int>> path;
  const FieldDescriptor* outcome;
};

void FindSpots(const Message& message, const std::string& place,
               std::vector<std::pair<const FieldDescriptor*, int>>& path,
               std::vector<Spot>& spots) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->message_type() == nullptr || field->is_map()) continue;
    if (field->message_type() == SourceOutcome::descriptor()) {
      spots.push_back({absl::StrCat(place, field->name()), path, field});
      continue;
    }
    const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const int index = field->is_repeated() ? i : -1;
      path.emplace_back(field, index);
      FindSpots(index < 0 ? message.GetReflection()->GetMessage(message, field)
                          : message.GetReflection()->GetRepeatedMessage(message, field, i),
                absl::StrCat(place, field->name(), index < 0 ? "." : absl::StrCat("[", i, "].")),
                path, spots);
      path.pop_back();
    }
  }
}

// What an outcome speaks for, where it is not everything beside it.
const std::map<std::string, std::vector<std::string>>& Parts() {
  static const auto* const parts = new std::map<std::string, std::vector<std::string>>{
      {"apparmor_outcome", {"apparmor_enabled"}},
      {"selinux_outcome", {"selinux_enforcing"}},
      {"bridge_nf_outcome", {"bridge_nf_call_iptables"}},
      {"state_file_outcome",
       {"state_file_no_new_privileges", "listen_address", "advertise_address"}},
      {"services_outcome", {"services"}},
      {"inspect_outcome", {"container_ids"}},
      {"persisted_outcome", {"persisted_rules", "rule_files"}},
      {"registry_certificates_outcome", {"registry_certificates"}},
      {"data_root_outcome", {"data_root", "data_root_device", "data_root_parent_device"}},
      {"audit_log_outcome", {"audit_log_directory"}},
      {"proxy_outcome", {"docker_proxy_count"}},
  };
  return *parts;
}

// What stays known of an object that could not be read.
bool IsKey(const std::string& name) {
  static const auto* const keys = new std::set<std::string>{
      "id",     "name",     "path",   "image_id", "image_ref",      "repo_tags",
      "status", "dangling", "driver", "labels",   "container_count"};
  return keys->contains(name);
}

v1::HostFacts WithoutSpot(const v1::HostFacts& facts, const Spot& spot,
                          SourceOutcome::State state) {
  v1::HostFacts out = facts;
  Message* message = &out;
  for (const auto& [field, index] : spot.path) {
    message = index < 0 ? message->GetReflection()->MutableMessage(message, field)
                        : message->GetReflection()->MutableRepeatedMessage(message, field, index);
  }
  const auto& reflection = *message->GetReflection();
  const auto part = Parts().find(spot.outcome->name());
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    const bool gone = part != Parts().end()
                          ? std::count(part->second.begin(), part->second.end(), field->name()) > 0
                          : spot.outcome->name() == "outcome" && !IsKey(field->name());
    if (gone) reflection.ClearField(message, field);
  }
  static_cast<SourceOutcome&>(*reflection.MutableMessage(message, spot.outcome)).set_state(state);
  return out;
}

TEST(KnockOut, AMissingPartNeverTurnsARuleIntoAnythingButUnknown) {
  for (const Host& host : Hosts()) {
    std::vector<Spot> spots;
    std::vector<std::pair<const FieldDescriptor*, int>> path;
    FindSpots(host.facts, "", path, spots);
    ASSERT_GT(spots.size(), 50u);
    for (const v1::Baseline& baseline : Baselines()) {
      const v1::HostReport before = Evaluate(host.facts, baseline, {.as_of = kAsOf});
      for (const Spot& spot : spots) {
        if (spot.path.size() < 2 && spot.outcome->name() == "outcome") continue;  // Done above.
        for (const auto state : {SourceOutcome::PERMISSION_DENIED, SourceOutcome::TIMED_OUT}) {
          const v1::HostReport after =
              Evaluate(WithoutSpot(host.facts, spot, state), baseline, {.as_of = kAsOf});
          for (int i = 0; i < baseline.rules_size(); ++i) {
            const Verdict& was = before.verdicts(i);
            const Verdict& is = after.verdicts(i);
            EXPECT_TRUE(is.status() == was.status() || is.status() == Verdict::UNKNOWN)
                << host.name << ", " << baseline.id() << " " << is.rule_id() << " ("
                << CheckName(baseline.rules(i)) << "), " << spot.place << " "
                << SourceOutcome::State_Name(state) << ": " << Verdict::Status_Name(was.status())
                << " -> " << Verdict::Status_Name(is.status()) << " " << is.message();
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace plimsoll::evaluate
